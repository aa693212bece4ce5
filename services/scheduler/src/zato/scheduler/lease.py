"""
Leading, as one scheduler sees it. Decides by a clock that never jumps, and compares it with nobody's.

A leader leads for as long as a lease lasts after the moment at which it asked for its last renewal. Another scheduler
counts from the moment at which it saw the leader's beat move, which is later; so the old one steps down first. Should it
not, since it was paused in between, then its epoch is over and servers refuse it.
"""

import threading
from dataclasses import dataclass

from zato.common.clock import Clock
from zato.proto.jobs.v1.jobs_pb2 import LeadRequest, LeadResponse


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads, by what we heard last."""

    name: str = ""
    epoch: int = 0
    is_paused: bool = False


class Lease:
    """
    Args:
        candidate: Our name, which no other process has, not even our own successor.
        lease_s: Seconds without a sign of life after which a leader is taken for dead.
    """

    def __init__(self, clock: Clock, candidate: str, lease_s: float) -> None:
        self._clock = clock
        self._candidate = candidate
        self._lease_s = lease_s
        self._lock = threading.Lock()
        self._leader = Leader()
        self._epoch = 0
        self._valid_until = 0.0
        self._beat = -1
        self._beat_seen_at = 0.0

    @property
    def epoch(self) -> int:
        """The epoch that we lead in now; 0 when we do not."""
        with self._lock:
            return self._epoch if self._clock.monotonic() < self._valid_until else 0

    @property
    def leader(self) -> Leader:
        with self._lock:
            return self._leader

    def request(self) -> LeadRequest:
        with self._lock:
            is_stale = self._beat >= 0 and self._clock.monotonic() - self._beat_seen_at > self._lease_s
            return LeadRequest(candidate=self._candidate, stale_beat=self._beat if is_stale else 0)

    def heard(self, response: LeadResponse, asked_at: float) -> None:
        """Take up what a server answered to what we asked at `asked_at`, by the clock's monotonic time."""
        with self._lock:
            self._leader = Leader(response.leader, response.epoch, response.is_paused)
            if response.is_leader:
                self._epoch, self._valid_until, self._beat = response.epoch, asked_at + self._lease_s, -1
                return
            self._epoch = 0
            if response.beat != self._beat:
                self._beat, self._beat_seen_at = response.beat, self._clock.monotonic()

    def lose(self) -> None:
        """A server refused our epoch."""
        with self._lock:
            self._epoch = 0
