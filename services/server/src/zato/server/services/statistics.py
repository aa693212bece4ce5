"""How services fare, as one worker counts it: see `counts` for what becomes of that."""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis

from zato.common.logs import get_logger
from zato.server.services.counts import Counts, CountsWriter
from zato.server.services.recordings import Recordings

if TYPE_CHECKING:
    from zato.server.service import Service
    from zato.server.services.store import ServiceEntry

log = get_logger(__name__)


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
        self._clock = clock
        self._counts: dict[str, Counts] = {}
        self._since_sample: dict[str, int] = {}
        self._writer = CountsWriter(conn, prefix)
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
        """Add what was counted here to the numbers in Redis; while that is away it is kept."""
        self.recordings.flush()
        self.flush_seconds()
        try:
            self._writer.write_longer(self._clock())
        except redis.RedisError as exc:
            log.warning("statistics_not_stored", error=str(exc))

    def flush_seconds(self) -> None:
        """Add what was counted here to the current second, for people who look at it live."""
        counts, self._counts = self._counts, {}
        # Those of a second that Redis did not answer in are of no use later.
        with contextlib.suppress(redis.RedisError):
            self._writer.write_seconds(counts, self._clock())
