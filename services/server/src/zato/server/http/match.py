"""The step that finds the channel."""

from collections.abc import Callable

from zato.common.errors import MethodNotAllowed
from zato.server.http.cors import answer_preflight
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.worker_state import WorkerState, begin_with


def make_match_step(current: Callable[[], WorkerState], methods_allowed: frozenset[str] = frozenset()) -> Step:
    """
    Args:
        current: Returns what the worker runs with now. The request keeps it: what is changed meanwhile is for later ones.
        methods_allowed: HTTP methods that any channel may have; all when empty.
    """
    allow = ", ".join(sorted(methods_allowed))

    def match_channel(request: Request, next: Handler) -> Response:
        if methods_allowed and request.method not in methods_allowed:
            raise MethodNotAllowed(f"Method {request.method} is not allowed here", allow=allow)
        state = current()
        request.state = state
        begin_with(state)
        router = state.router
        if request.method == "OPTIONS" and (answer := answer_preflight(router, request)) is not None:
            return answer
        accept = request.header_list(b"accept")
        request.channel, request.path_parameters = router.find(request.method, request.path, accept, request)
        return next(request)

    return match_channel
