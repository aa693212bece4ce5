"""The pipeline's step that lets callers in, or not."""

from zato.common.logs import get_logger
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler
from zato.server.security.definitions import BadCredentials

log = get_logger(__name__)


def check_security(request: Request, next: Handler) -> Response:
    """Ask the channel's definition who calls. A channel without one is open, because someone said so."""
    channel = request.channel
    if channel is not None and channel.verify is not None:
        try:
            request.identity = channel.verify(request)
        except BadCredentials as exc:
            # The client gets a general sentence, the log the precise reason.
            log.info(
                "credentials_refused",
                channel=channel.name,
                definition=exc.definition,
                reason=exc.reason,
                remote_address=request.remote_address,
            )
            raise
    return next(request)
