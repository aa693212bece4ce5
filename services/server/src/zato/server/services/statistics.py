"""How services fare, as one worker counts it: see `counts` for what becomes of that."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from zato.server.services.counts import Counts, CountsWriter
from zato.server.services.recordings import Recordings

if TYPE_CHECKING:
    import redis

    from zato.server.service import Service
    from zato.server.services.store import ServiceEntry


class Statistics:
    """
    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:stats".
        recordings: Keeps slow runs, samples and errors.
    """

    def __init__(
        self, conn: "redis.Redis", prefix: str, recordings: Recordings, clock: Callable[[], float] = time.time
    ) -> None:
        self.prefix = prefix
        self._counts: dict[str, Counts] = {}
        self._since_sample: dict[str, int] = {}
        self._writer = CountsWriter(conn, prefix, clock)
        self.recordings = recordings

    def observe(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        """Count a run that ended well. Every request comes through here, so it has to cost little."""
        try:
            counts = self._counts[entry.name]
        except KeyError:
            counts = self._counts[entry.name] = Counts()
        counts.observe(elapsed_ms)
        if elapsed_ms > entry.plan.slow_threshold_ms:
            self.recordings.add_slow(entry, instance, elapsed_ms)
        if entry.sample_every:
            self._count_for_sample(entry, instance, elapsed_ms)

    def observe_failure(self, entry: "ServiceEntry", instance: "Service", error: BaseException, elapsed_ms: float) -> None:
        """Count a run that raised. It may have been cut short, so nothing else is made of it."""
        counts = self._counts.setdefault(entry.name, Counts())
        counts.observe(elapsed_ms)
        counts.errors += 1
        self.recordings.add_error(entry, instance, error, elapsed_ms)

    def _count_for_sample(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        count = self._since_sample.get(entry.name, 0) + 1
        if count >= entry.sample_every:
            count = 0
            self.recordings.add_sample(entry, instance, elapsed_ms)
        self._since_sample[entry.name] = count

    def flush(self) -> None:
        self.recordings.flush()
        self.flush_seconds()
        self._writer.write_longer()

    def flush_seconds(self) -> None:
        counts, self._counts = self._counts, {}
        self._writer.write_seconds(counts)
