"""The step that bounds how long a service may take."""

from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.services.overseer import Overseer


def make_deadline_step(overseer: Overseer, default_timeout_s: float) -> Step:
    """
    Args:
        default_timeout_s: For channels without a limit of their own; 0 for none.
    """

    def end_in_time(request: Request, next: Handler) -> Response:
        timeout_s = request.channel.options.timeout_s if request.channel is not None else 0.0
        return overseer.run(timeout_s or default_timeout_s, next, request)

    return end_in_time
