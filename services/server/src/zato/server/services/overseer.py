"""
How long a service may take, and how long it may keep others waiting.

A service that waits is ended when its time is up: the next time it waits, an exception comes out of that wait. One that
computes waits for nothing and lets nobody else run meanwhile, so there the clock of the process itself interrupts it:
after each `turn_s` of computing a signal handler looks who is running. It lets the requests that wait have their turn,
right there between two steps of the service, or, when the service's time is up, raises in it what ends it. What can be
neither paused nor ended is a single call into C that does not come back; gunicorn's master then replaces the whole worker.
"""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import gevent
from gevent import getcurrent
from gevent.hub import get_hub
from greenlet import GreenletExit

from zato.common.errors import DeadlineExceeded
from zato.common.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

# Between two looks when nobody is to be paused.
_TICK_S = 0.1
# To take a connection, read it and answer are several rounds of the loop: all of them fit into one pause.
_PAUSE_S = 0.001
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
# Where a service's own code begins: what is below waits for it anyway.
_CALLERS = frozenset({"zato.server.services.invoke", __name__})


class Interrupted(BaseException):
    """Ends a service. Not an Exception, so that its `except Exception` does not take it for an error of its own."""


class _Run:
    """
    One service that runs.

    Attributes:
        ends_at: When its time is up, in seconds of the monotonic clock; infinite when it has as long as it likes.
        reason: Why it was ended, "" while it was not.
    """

    __slots__ = ("_busy_before_s", "_iteration", "_turn_began_at", "ends_at", "reason")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.reason = ""
        self._iteration = -1
        self._turn_began_at = 0.0
        self._busy_before_s = 0.0

    def interrupted(self, reason: str) -> Interrupted:
        self.reason = reason
        return Interrupted(reason)

    def is_still_busy(self, now: float, iteration: int) -> bool:
        """Return whether it has been computing since the last look. The loop only turns while it waits."""
        if self._iteration == iteration:
            return True
        self._iteration, self._turn_began_at, self._busy_before_s = iteration, now, 0.0
        return False

    def busy_s(self, now: float) -> float:
        """Return for how long it has computed without a pause that it made itself."""
        return self._busy_before_s + now - self._turn_began_at

    def pause(self) -> None:
        self._busy_before_s = self.busy_s(time.monotonic())
        try:
            gevent.sleep(_PAUSE_S)
        finally:
            self._iteration, self._turn_began_at = get_hub().loop.iteration, time.monotonic()

    def grant(self, seconds: float) -> None:
        """Leave it so much time to clean up."""
        self._iteration = -1
        self.ends_at = min(self.ends_at, time.monotonic()) + seconds


class Overseer:
    """
    Knows which greenlets run a service, pauses those that keep others waiting, and ends those that take too long.

    Args:
        max_busy_s: Longest that a service may compute without a pause of its own; 0 for no limit.
        turn_s: How long a service may compute before others have their turn; 0 for as long as it likes.
    """

    def __init__(self, *, max_busy_s: float, turn_s: float) -> None:
        self._max_busy_s = max_busy_s
        self._turn_s = turn_s
        self._running: dict[Any, _Run] = {}

    def start(self) -> None:
        """Begin to watch. Only the main thread of a process may call this, and only one overseer is at work in it."""
        signal.signal(signal.SIGVTALRM, self._look)
        # Calls into the system that the signal meets go on as if nothing was.
        signal.siginterrupt(signal.SIGVTALRM, False)
        # Processor time: a worker that waits is not woken up.
        tick_s = self._turn_s or _TICK_S
        signal.setitimer(signal.ITIMER_VIRTUAL, tick_s, tick_s)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def run(self, timeout_s: float, call: Callable[..., T], *args: Any) -> T:
        """
        Return what `call(*args)` returns.

        Args:
            timeout_s: How long it may take; 0 for no limit.

        Raises:
            DeadlineExceeded: It took longer, or computed for too long.
        """
        current = getcurrent()
        # What runs inside a service is a part of it.
        if current in self._running:
            return call(*args)
        run = self._running[current] = _Run(time.monotonic() + timeout_s if timeout_s else math.inf)
        timer = _end_later(current, run, timeout_s) if timeout_s else None
        try:
            return call(*args)
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
        run = self._running.get(getcurrent())
        if run is None:
            return
        now = time.monotonic()
        is_still_busy = run.is_still_busy(now, get_hub().loop.iteration)
        if reason := self._reason(run, now):
            if _may_be_interrupted(frame):
                # The timer, which comes first in a service that waits, counts on from here.
                run.grant(_AGAIN_S)
                raise run.interrupted(reason)
        elif is_still_busy and self._turn_s and _may_be_interrupted(frame) and _may_be_paused(frame):
            run.pause()

    def _reason(self, run: _Run, now: float) -> str:
        """Return why what computes now has to end, "" when it has not."""
        if now > run.ends_at:
            return "took longer than its time"
        if self._max_busy_s and run.busy_s(now) > self._max_busy_s:
            return f"computed for more than {self._max_busy_s:g} s without a pause"
        return ""


def _may_be_interrupted(frame: FrameType | None) -> bool:
    """Whether what runs is the service's own code, or that of a library that holds nothing which others need."""
    return frame is not None and _root(frame) not in _NOT_INSIDE


def _may_be_paused(frame: FrameType | None) -> bool:
    """
    Whether all that runs, down to where the service was called, is of that sort.

    Others see the service as it is now. For libraries that is what threads do to them all the time, and locks are gevent's,
    so whoever wants one that is held waits; our own code, though, relies on being alone between two waits.
    """
    while frame is not None:
        if _root(frame) in _NOT_INSIDE:
            return frame.f_globals["__name__"] in _CALLERS
        frame = frame.f_back
    return False


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _end_later(greenlet: Any, run: _Run, timeout_s: float) -> Any:
    def end() -> None:
        greenlet.throw(run.interrupted(f"took longer than its {timeout_s:g} s"))

    timer = get_hub().loop.timer(timeout_s, _AGAIN_S)
    timer.start(end)
    return timer
