"""What a step of the pipeline is, and how steps are folded around the innermost call."""

from collections.abc import Callable, Sequence
from functools import reduce

from zato.server.http.request import Request, Response

Handler = Callable[[Request], Response]
# A step does its part and calls `next`, or answers itself.
Step = Callable[[Request, Handler], Response]


def fold(steps: Sequence[Step], endpoint: Handler) -> Handler:
    """Return one callable that runs the steps in order, the first one outermost."""

    def wrap(inner: Handler, step: Step) -> Handler:
        return lambda request: step(request, inner)

    return reduce(wrap, reversed(steps), endpoint)
