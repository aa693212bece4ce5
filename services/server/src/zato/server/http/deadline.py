"""
How long a service may take.

A service that waits is ended when its time is up: the next time it waits, an exception comes out of that wait. One that
computes waits for nothing and lets nobody else run meanwhile, so there the clock of the process itself interrupts it:
after each _TICK_S of computing a signal handler looks who is running, and raises in it what ends it. What no exception
can end is a single call into C that does not come back; gunicorn's master then replaces the whole worker.
"""

import math
import signal
import time
from types import FrameType
from typing import Any

from gevent import getcurrent
from gevent.hub import get_hub
from greenlet import GreenletExit

from zato.common.errors import DeadlineExceeded
from zato.common.logs import get_logger
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step

log = get_logger(__name__)

# Of processor time: a worker that waits is not woken up.
_TICK_S = 0.1
# A service that swallows the exception gets it again.
_AGAIN_S = 1.0
# Where an exception out of nowhere could leave a lock that is held or a connection half used, for all that come after. One
# of the next ticks will find the service elsewhere.
_NOT_INSIDE = frozenset(
    {
        "_frozen_importlib",
        "concurrent",
        "gevent",
        "importlib",
        "logging",
        "queue",
        "redis",
        "sqlalchemy",
        "structlog",
        "threading",
    }
    | {"urllib3", "zato"}
)


class Interrupted(BaseException):
    """Ends a service. Not an Exception, so that its `except Exception` does not take it for an error of its own."""


class _Run:
    """
    One service that runs.

    Attributes:
        ends_at: When its time is up, in seconds of the monotonic clock; infinite when it has as long as it likes.
        reason: Why it was ended, "" while it was not.
    """

    __slots__ = ("ends_at", "reason")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.reason = ""

    def interrupted(self, reason: str) -> Interrupted:
        self.reason = reason
        return Interrupted(reason)


class Overseer:
    """
    Knows which greenlets run a service, and ends those that take too long.

    Args:
        default_timeout_s: For channels without one of their own; 0 for none.
        max_busy_s: Longest that a service may compute without letting others run; 0 for no limit.
    """

    def __init__(self, *, default_timeout_s: float, max_busy_s: float) -> None:
        self._default_timeout_s = default_timeout_s
        self._max_busy_s = max_busy_s
        self._running: dict[Any, _Run] = {}
        self._busy: tuple[Any, int] = (None, 0)
        self._busy_since = 0.0

    def start(self) -> None:
        """Begin to watch. Only the main thread of a process may call this, and only one overseer is at work in it."""
        signal.signal(signal.SIGVTALRM, self._look)
        # Calls into the system that the signal meets go on as if nothing was.
        signal.siginterrupt(signal.SIGVTALRM, False)
        signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def run(self, timeout_s: float, call: Handler, request: Request) -> Response:
        """
        Return what `call` returns for `request`.

        Args:
            timeout_s: How long it may take; 0 for the server's own limit.

        Raises:
            DeadlineExceeded: It took longer, or computed for too long.
        """
        timeout_s = timeout_s or self._default_timeout_s
        current = getcurrent()
        # What runs inside a service is a part of it.
        if current in self._running:
            return call(request)
        run = self._running[current] = _Run(time.monotonic() + timeout_s if timeout_s else math.inf)
        timer = _end_later(current, run, timeout_s) if timeout_s else None
        try:
            return call(request)
        except GreenletExit:
            raise
        # What comes out may be an error of its clean-up, which was interrupted or found its connection gone.
        except BaseException:
            if not run.reason:
                raise
            log.warning("service_interrupted", reason=run.reason, exc_info=True)
            raise DeadlineExceeded(f"The service was ended: it {run.reason}") from None
        finally:
            del self._running[current]
            if timer is not None:
                timer.stop()
                timer.close()

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        """Runs between two steps of whatever the main thread computes, in the greenlet that computes it."""
        current = getcurrent()
        run = self._running.get(current)
        if run is None:
            return
        if (reason := self._reason(current, run)) and _may_be_interrupted(frame):
            # The timer, which comes first in a service that waits, counts on from here.
            self._busy_since = time.monotonic()
            run.ends_at = min(run.ends_at, self._busy_since) + _AGAIN_S
            raise run.interrupted(reason)

    def _reason(self, current: Any, run: _Run) -> str:
        """Return why what computes now has to end, "" when it has not."""
        now = time.monotonic()
        if now > run.ends_at:
            return "took longer than its time"
        busy = (current, get_hub().loop.iteration)
        if busy != self._busy:
            self._busy, self._busy_since = busy, now
        elif self._max_busy_s and now - self._busy_since > self._max_busy_s:
            return f"computed for more than {self._max_busy_s:g} s without letting others run"
        return ""


def _may_be_interrupted(frame: FrameType | None) -> bool:
    """Whether what runs is the service's own code, or that of a library that holds nothing which others need."""
    return frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _NOT_INSIDE


def make_deadline_step(overseer: Overseer) -> Step:
    def end_in_time(request: Request, next: Handler) -> Response:
        timeout_s = request.channel.options.timeout_s if request.channel is not None else 0.0
        return overseer.run(timeout_s, next, request)

    return end_in_time


def _end_later(greenlet: Any, run: _Run, timeout_s: float) -> Any:
    def end() -> None:
        greenlet.throw(run.interrupted(f"took longer than its {timeout_s:g} s"))

    timer = get_hub().loop.timer(timeout_s, _AGAIN_S)
    timer.start(end)
    return timer
