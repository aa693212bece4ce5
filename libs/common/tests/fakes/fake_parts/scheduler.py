"""Listens like a scheduler."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import is_listening
from zato.common.options import option, options


@options
class SchedulerSettings:
    name: str = option("Name of this scheduler", default="scheduler1")
    grpc_address: str = option("Where it listens", default="127.0.0.1:31530")
    server_addresses: tuple[str, ...] = option("gRPC addresses of servers", default=())
    token: str = option("Token of the cluster", secret=True)


PART = Part(
    name="scheduler",
    module="fake_parts.scheduler_main",
    settings=SchedulerSettings,
    addresses=lambda settings: {"grpc": settings.grpc_address},
    is_ready=lambda settings: is_listening(settings.grpc_address),
)
