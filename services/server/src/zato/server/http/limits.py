"""The step that bounds what a channel takes."""

from zato.common.errors import PayloadTooLarge
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler


def check_limits(request: Request, next: Handler) -> Response:
    """After security, so that strangers learn nothing of a channel's limits. The server's own limit held before."""
    limit = request.channel.options.max_body_bytes if request.channel is not None else 0
    if limit and len(request.body) > limit:
        raise PayloadTooLarge(f"The body has {len(request.body)} bytes, this channel takes {limit}")
    return next(request)
