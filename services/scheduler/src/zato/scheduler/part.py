"""How `zato create`, `start`, `stop` and `info` handle the scheduler."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import is_listening
from zato.scheduler.config import PART_NAME, SchedulerSettings

PART = Part(
    name=PART_NAME,
    module="zato.scheduler",
    settings=SchedulerSettings,
    addresses=lambda settings: {"grpc": settings.grpc_address},
    is_ready=lambda settings: is_listening(settings.grpc_address),
)
