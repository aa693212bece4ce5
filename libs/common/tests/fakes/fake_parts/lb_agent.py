"""Answers like a load-balancer whose servers work."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status
from zato.common.options import option, options


@options
class LBAgentSettings:
    grpc_address: str = option("Where the agent listens", default="127.0.0.1:20151")
    frontend_address: str = option("Where clients connect", default="127.0.0.1:11223")
    token: str = option("Token of the cluster", secret=True)
    stats_password: str = option("Password of the statistics", secret=True)


PART = Part(
    name="lb-agent",
    module="fake_parts.lb_agent_main",
    settings=LBAgentSettings,
    addresses=lambda settings: {"http": settings.frontend_address, "grpc": settings.grpc_address},
    is_ready=lambda settings: http_status(settings.frontend_address, "/zato-lb-alive") == 200,
)
