"""How `zato create`, `start`, `stop` and `info` handle the MQ connector."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import is_listening
from zato.connector_mq.config import PART_NAME, MQSettings

PART = Part(
    name=PART_NAME,
    module="zato.connector_mq",
    settings=MQSettings,
    addresses=lambda settings: {"grpc": settings.grpc_address},
    is_ready=lambda settings: is_listening(settings.grpc_address),
)
