"""How `zato create`, `start`, `stop` and `info` handle the connector."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import is_listening
from zato.connector_zmq.config import PART_NAME, ZMQSettings

PART = Part(
    name=PART_NAME,
    module="zato.connector_zmq",
    settings=ZMQSettings,
    addresses=lambda settings: {"grpc": settings.grpc_address},
    is_ready=lambda settings: is_listening(settings.grpc_address),
)
