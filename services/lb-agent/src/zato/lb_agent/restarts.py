"""When something that ended may be started again: at once the first time, then later and later."""

from zato.common.clock import Clock

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
# What ran this long did not end because of how it was started.
_GOOD_RUN_S = 10.0


class Restarts:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock.monotonic()
        self._delay_s = 0.0
        self._due_at: float | None = None

    def started(self) -> None:
        self._started_at = self._clock.monotonic()
        self._due_at = None

    def is_due(self) -> bool:
        """Whether to start it now. To be asked while it does not run."""
        now = self._clock.monotonic()
        if self._due_at is None:
            self._plan(now)
        assert self._due_at is not None
        return now >= self._due_at

    def failed(self) -> None:
        """It was started and did not get to run."""
        self._plan(self._clock.monotonic())

    def _plan(self, now: float) -> None:
        if self._due_at is None and now - self._started_at >= _GOOD_RUN_S:
            self._delay_s = 0.0
        self._due_at = now + self._delay_s
        self._delay_s = min(_LONGEST_DELAY_S, max(_FIRST_DELAY_S, self._delay_s * 2))
