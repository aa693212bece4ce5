"""The pipeline's step that lets callers in, or not."""

from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler


def check_security(request: Request, next: Handler) -> Response:
    """Ask the channel's definition who calls. A channel without one is open, because someone said so."""
    channel = request.channel
    if channel is not None and channel.verify is not None:
        request.identity = channel.verify(request)
    return next(request)
