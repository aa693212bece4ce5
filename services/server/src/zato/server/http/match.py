"""The step that finds the channel."""

from collections.abc import Callable

from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.worker_state import WorkerState


def make_match_step(current: Callable[[], WorkerState]) -> Step:
    """
    Args:
        current: Returns what the worker runs with now. The request keeps it: what is changed meanwhile is for later ones.
    """

    def match_channel(request: Request, next: Handler) -> Response:
        state = current()
        request.state = state
        accept = request.header_list(b"accept")
        request.channel, request.path_parameters = state.router.find(request.method, request.path, accept)
        return next(request)

    return match_channel
