"""What an idle connector has no use for is not in its memory."""

from pathlib import Path

from zato.common.testing.imports import modules_of

# Needed by who has a certificate, dead letters, a definition or a setting of that sort, and imported there.
_UNNEEDED = {
    "colorama",
    "cryptography",
    "gevent",
    "greenlet",
    "grpc_reflection.v1alpha",
    "http.server",
    "jinja2",
    "pika",
    "prometheus_client",
    "redis",
    "requests",
    "rich",
    "sqlalchemy",
    "xmlrpc",
}
_MADE = (
    "from zato.common.connectors.app import App; "
    "from zato.connector_zmq.protocol import ZMQSettings, make_protocol; "
    "settings = ZMQSettings(token='-', grpc_address='127.0.0.1:0'); "
    "App(make_protocol(settings), settings)"
)


def test_nothing_is_imported_that_an_idle_connector_does_not_need(tmp_path: Path) -> None:
    assert not _UNNEEDED & modules_of(_MADE, tmp_path)
