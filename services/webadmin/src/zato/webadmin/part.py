"""How `zato create`, `start`, `stop` and `info` handle the web admin."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status, is_listening
from zato.webadmin.config import PART_NAME, WebAdminSettings

READY_PATH = "/health/ready"
_OK = 200


def is_ready(settings: WebAdminSettings) -> bool:
    if settings.https_certificate is not None:
        return is_listening(settings.http_address)
    return http_status(settings.http_address, READY_PATH) == _OK


PART = Part(
    name=PART_NAME,
    module="zato.webadmin",
    settings=WebAdminSettings,
    addresses=lambda settings: {"http": settings.http_address},
    is_ready=is_ready,
)
