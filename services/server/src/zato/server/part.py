"""How `zato create`, `start`, `stop` and `info` handle a server."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status, is_listening
from zato.server.config import ServerSettings

_READY_PATH = "/health/ready"
_OK = 200


def is_ready(settings: ServerSettings) -> bool:
    """Whether clients are served, and the other parts too, who come in through the sidecar."""
    status = http_status(settings.http_address, _READY_PATH, is_tls=bool(settings.http_tls_certificate))
    return status == _OK and is_listening(settings.grpc_address)


PART = Part(
    name="server",
    module="zato.server",
    settings=ServerSettings,
    addresses=lambda settings: {"http": settings.http_address, "grpc": settings.grpc_address},
    is_ready=is_ready,
)
