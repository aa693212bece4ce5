"""How `zato create`, `start`, `stop` and `info` handle the AMQP connector."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import is_listening
from zato.connector_amqp.config import PART_NAME, AMQPSettings

PART = Part(
    name=PART_NAME,
    module="zato.connector_amqp",
    settings=AMQPSettings,
    addresses=lambda settings: {"grpc": settings.grpc_address},
    is_ready=lambda settings: is_listening(settings.grpc_address),
)
