"""How `zato create`, `start`, `stop` and `info` handle the agent."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status
from zato.lb_agent.config import PART_NAME, LBAgentSettings
from zato.lb_agent.configuration import ALIVE_PATH

_OK = 200


def is_ready(settings: LBAgentSettings) -> bool:
    return http_status(settings.frontend_address, ALIVE_PATH) == _OK


PART = Part(
    name=PART_NAME,
    module="zato.lb_agent",
    settings=LBAgentSettings,
    addresses=lambda settings: {
        "http": settings.frontend_address,
        **({"https": settings.https_address} if settings.https_address else {}),
        "grpc": settings.grpc_address,
    },
    is_ready=is_ready,
)
