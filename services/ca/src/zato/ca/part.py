"""How `zato create`, `start`, `stop` and `info` handle the authority."""

from zato.ca.config import PART_NAME, CASettings
from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status

_OK = 200


def is_ready(settings: CASettings) -> bool:
    return http_status(settings.http_address, "/health/ready") == _OK


PART = Part(
    name=PART_NAME,
    module="zato.ca",
    settings=CASettings,
    addresses=lambda settings: {
        "grpc": settings.grpc_address,
        "enrol": settings.enrol_address,
        "http": settings.http_address,
    },
    is_ready=is_ready,
)
