"""Whom a part did not let in, or did not talk to: kept until it is in an audit log, which most parts have not themselves."""

import collections
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from zato.common.clock import Clock, SystemClock

CALL, HANDSHAKE = "call", "handshake"
# Who is refused all the time must not fill an audit log; the log has all of them.
_MAX_IN_WINDOW = 60
_WINDOW_S = 60.0
# What waits for an audit log that cannot be reached.
_MAX_KEPT = 600
_MAX_AT_ONCE = 50


@dataclass(frozen=True)
class Refusal:
    """
    A call or a connection that was refused.

    Args:
        method: What was called, "" of a handshake, which comes to no call.
        caller, role: What the certificate says of who called, "" of a handshake: gRPC does not tell whose it was.
        kind: CALL or HANDSHAKE.
    """

    method: str
    caller: str
    role: str
    reason: str
    cid: str
    kind: str = CALL


@dataclass(frozen=True)
class Kept:
    """A refusal that is in no audit log yet. `id` is unique, also beyond the life of the process."""

    id: str
    refusal: Refusal


class Refusals:
    """To be used by any number of threads."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._offered_at: dict[str, float] = {}
        self._recent: collections.deque[float] = collections.deque()

    def take(self, refusal: Refusal) -> None:
        """Keep it, unless there were too many in the last minute: whoever was refused need not wait for an audit log."""
        now = self._clock.monotonic()
        with self._lock:
            while self._recent and self._recent[0] <= now - _WINDOW_S:
                self._recent.popleft()
            if len(self._recent) >= _MAX_IN_WINDOW or len(self._kept) >= _MAX_KEPT:
                return
            self._recent.append(now)
            kept = Kept(uuid.uuid4().hex, refusal)
            self._kept[kept.id] = kept

    def offer(self, *, again_after_s: float = 0.0) -> list[Kept]:
        """
        Return the oldest ones that are in no audit log yet.

        Args:
            again_after_s: Seconds in which whoever was offered one may say `noted`, before another one gets it.
        """
        now = self._clock.monotonic()
        with self._lock:
            due = [each for each in self._kept.values() if now >= self._offered_at.get(each.id, -again_after_s) + again_after_s]
            offered = due[:_MAX_AT_ONCE]
            self._offered_at.update((each.id, now) for each in offered)
        return offered

    def noted(self, ids: Iterable[str]) -> None:
        """These are in an audit log. What is not known here, since it was noted twice, is passed over."""
        with self._lock:
            for each in ids:
                self._kept.pop(each, None)
                self._offered_at.pop(each, None)
