"""What an idle connector has no use for is not in its memory."""

from pathlib import Path

from zato.common.testing.imports import UNNEEDED_BY_IDLE_CONNECTORS, modules_of

_MADE = (
    "from zato.common.connectors.app import App; "
    "from zato.connector_amqp.__main__ import PROTOCOL, AMQPSettings; "
    "App(PROTOCOL, AMQPSettings(token='-', grpc_address='127.0.0.1:0'))"
)


def test_nothing_is_imported_that_an_idle_connector_does_not_need(tmp_path: Path) -> None:
    assert not UNNEEDED_BY_IDLE_CONNECTORS & modules_of(_MADE, tmp_path)
