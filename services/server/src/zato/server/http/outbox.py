"""Answers that are sent together, when the requests that came together have been worked on."""

import time
from collections.abc import Callable
from typing import Protocol

from gevent.hub import get_hub

# Longer than this nobody waits so that others' answers can go with his.
_LONGEST_S = 0.002
# A service that computes for so long makes those who wait with it wait too long: then nobody does, for a while.
_TOO_LONG_S = 0.05
_PAUSE_S = 1.0


class Sender(Protocol):
    def send_now(self, data: bytes) -> None:
        """Send without waiting; raises nothing."""


class Outbox:
    """
    Each answer that is sent has the kernel deliver it and wake the client, and after that Python's code is no longer in the
    processor's caches: between two sends the same request takes nearly half as long again. So answers are held until all
    requests that were there in this turn of the loop are worked on, or until the first one has waited two milliseconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: list[tuple[Sender, bytes]] = []
        self._first_at = 0.0
        self._paused_until = 0.0

    def put(self, sender: Sender, data: bytes) -> None:
        now = self._clock()
        if now < self._paused_until:
            sender.send_now(data)
            return
        if not self._held:
            self._first_at = now
            # Called before the loop looks for what has arrived next.
            get_hub().loop.run_callback(self._flush)
        self._held.append((sender, data))
        if now - self._first_at > _LONGEST_S:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        held, self._held = self._held, []
        for sender, data in held:
            sender.send_now(data)
        now = self._clock()
        if now - self._first_at > _TOO_LONG_S:
            self._paused_until = now + _PAUSE_S
