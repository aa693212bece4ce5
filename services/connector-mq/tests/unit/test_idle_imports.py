"""What an idle connector has no use for is not in its memory."""

from pathlib import Path

from zato.common.testing.imports import UNNEEDED_BY_IDLE_CONNECTORS, modules_of

_UNNEEDED = UNNEEDED_BY_IDLE_CONNECTORS | {"ibmmq", "jpype", "pika", "proton"}
_MADE = (
    "from zato.common.connectors.app import App; "
    "from zato.connector_mq.protocol import MQSettings, make_protocol; "
    "settings = MQSettings(token='-', grpc_address='127.0.0.1:0'); "
    "App(make_protocol(settings), settings)"
)


def test_nothing_is_imported_that_an_idle_connector_does_not_need(tmp_path: Path) -> None:
    assert not _UNNEEDED & modules_of(_MADE, tmp_path)
