"""How fast counters grow, from what was seen of them while somebody looked."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping

_OVER_S = 10.0


class Rates:
    """
    Those who have the counters tell them since they started, and no speed.

    Args:
        over_s: A speed is the mean of so long at most.
    """

    def __init__(self, over_s: float = _OVER_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._over_s = over_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Hashable, deque[tuple[float, int]]] = {}

    def per_second(self, counts: Mapping[Hashable, int]) -> dict[Hashable, float | None]:
        """
        Return how fast each of these grows, None of one that was not seen lately. Others are forgotten.

        Args:
            counts: As they are now, by what they are of.
        """
        now = self._clock()
        with self._lock:
            self._seen = {of: self._with(self._seen.get(of, deque()), now, count) for of, count in counts.items()}
            return {of: _speed(seen) for of, seen in self._seen.items()}

    def _with(self, seen: deque[tuple[float, int]], now: float, count: int) -> deque[tuple[float, int]]:
        if seen and count < seen[-1][1]:
            # Whoever counts has started anew.
            seen.clear()
        while seen and seen[0][0] < now - self._over_s:
            seen.popleft()
        seen.append((now, count))
        return seen


def _speed(seen: deque[tuple[float, int]]) -> float | None:
    (first_at, first), (last_at, last) = seen[0], seen[-1]
    return (last - first) / (last_at - first_at) if last_at > first_at else None
