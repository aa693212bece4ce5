"""
How services fare: counted in the worker, added up in Redis, so that any server can tell of the whole cluster.

    <prefix>:minute:<start>     a hash for each minute, hour and day, with a field for each number of each service,
    <prefix>:hour:<start>       named "<number>:<service>"
    <prefix>:day:<start>
    <prefix>:all                the same, since it was deleted last

Numbers are `r` runs, `e` errors, `t` microseconds in all, `n` and `x` the least and the most of them, `l` when it ran last,
and `b<index>` how many runs took so long: see BOUNDS_MS.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent
import redis

from zato.common.logs import get_logger
from zato.server.services.recordings import Recordings

if TYPE_CHECKING:
    from zato.server.service import Service
    from zato.server.services.store import ServiceEntry

log = get_logger(__name__)

# Each is a fifth longer than the one before, so percentiles are off by less than that: 10 µs to six minutes.
BOUNDS_MS = tuple(0.01 * 2 ** (step / 4) for step in range(101))
RUNS, ERRORS, TOTAL, LEAST, MOST, LAST = "r", "e", "t", "n", "x", "l"


@dataclass(frozen=True, slots=True)
class Resolution:
    """
    Args:
        seconds: How long one of its hashes counts.
        kept_s: How long after that it is kept.
    """

    name: str
    seconds: int
    kept_s: int

    def start(self, at: float) -> int:
        return int(at) // self.seconds * self.seconds


RESOLUTIONS = (
    Resolution("minute", 60, 26 * 3600),
    Resolution("hour", 3600, 40 * 86_400),
    Resolution("day", 86_400, 400 * 86_400),
)
ALL = "all"

# ARGV: seconds to keep each key for, 0 for ever; then by threes what to do, with which field, and a number.
_ADD = """
local times, index = {}, #KEYS + 1
for each, key in ipairs(KEYS) do
  index = #KEYS + 1
  while index <= #ARGV do
    local how, name, value = ARGV[index], ARGV[index + 1], ARGV[index + 2]
    if how == '+' then
      redis.call('HINCRBY', key, name, value)
    else
      local known = tonumber(redis.call('HGET', key, name))
      local given = tonumber(value)
      if not known or (how == '<' and given < known) or (how == '>' and given > known) then
        redis.call('HSET', key, name, value)
      end
    end
    index = index + 3
  end
  if tonumber(ARGV[each]) > 0 then redis.call('EXPIRE', key, ARGV[each]) end
end
"""


@dataclass(slots=True)
class _Counts:
    runs: int = 0
    errors: int = 0
    total_ms: float = 0.0
    least_ms: float = float("inf")
    most_ms: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))

    def add(self, other: "_Counts") -> None:
        self.runs += other.runs
        self.errors += other.errors
        self.total_ms += other.total_ms
        self.least_ms, self.most_ms = min(self.least_ms, other.least_ms), max(self.most_ms, other.most_ms)
        self.buckets = [mine + more for mine, more in zip(self.buckets, other.buckets, strict=True)]

    def fields(self, service: str, at: float) -> Iterable[tuple[str, str, int]]:
        yield "+", f"{RUNS}:{service}", self.runs
        yield ">", f"{LAST}:{service}", int(at)
        if self.errors:
            yield "+", f"{ERRORS}:{service}", self.errors
        yield "+", f"{TOTAL}:{service}", round(self.total_ms * 1000)
        yield "<", f"{LEAST}:{service}", round(self.least_ms * 1000)
        yield ">", f"{MOST}:{service}", round(self.most_ms * 1000)
        for index, count in enumerate(self.buckets):
            if count:
                yield "+", f"b{index}:{service}", count


class Statistics:
    """
    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:stats".
        recordings: Keeps slow runs, samples and errors.
    """

    def __init__(
        self, conn: "redis.Redis", prefix: str, recordings: Recordings, clock: Callable[[], float] = time.time
    ) -> None:
        self._conn = conn
        self.prefix = prefix
        self._clock = clock
        self._counts: dict[str, _Counts] = {}
        self._since_sample: dict[str, int] = {}
        self._add = conn.register_script(_ADD)
        self.recordings = recordings

    def observe(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        """Count a run that ended well. Every request comes through here, so it has to cost little."""
        try:
            counts = self._counts[entry.name]
        except KeyError:
            counts = self._counts[entry.name] = _Counts()
        counts.runs += 1
        counts.total_ms += elapsed_ms
        if elapsed_ms > counts.most_ms:
            counts.most_ms = elapsed_ms
        if elapsed_ms < counts.least_ms:
            counts.least_ms = elapsed_ms
        counts.buckets[bisect_left(BOUNDS_MS, elapsed_ms)] += 1
        if elapsed_ms > entry.plan.slow_threshold_ms:
            self.recordings.add_slow(entry, instance, elapsed_ms)
        if entry.sample_every:
            self._count_for_sample(entry, instance, elapsed_ms)

    def observe_failure(self, entry: "ServiceEntry", instance: "Service", error: BaseException, elapsed_ms: float) -> None:
        """Count a run that raised. It may have been cut short, so nothing else is made of it."""
        counts = self._counts.setdefault(entry.name, _Counts())
        failed = _Counts(1, 1, elapsed_ms, elapsed_ms, elapsed_ms)
        failed.buckets[bisect_left(BOUNDS_MS, elapsed_ms)] += 1
        counts.add(failed)
        self.recordings.add_error(entry, instance, error, elapsed_ms)

    def _count_for_sample(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        count = self._since_sample.get(entry.name, 0) + 1
        if count >= entry.sample_every:
            count = 0
            self.recordings.add_sample(entry, instance, elapsed_ms)
        self._since_sample[entry.name] = count

    def flush_for_ever(self, every_s: float) -> None:
        while True:
            gevent.sleep(every_s)
            self.flush()

    def flush(self) -> None:
        """Add what was counted here to the numbers in Redis; while that is away it is kept."""
        self.recordings.flush()
        counts, self._counts = self._counts, {}
        if not counts:
            return
        now = self._clock()
        keys = [key(self.prefix, resolution, resolution.start(now)) for resolution in RESOLUTIONS]
        arguments: list[Any] = [*(resolution.seconds + resolution.kept_s for resolution in RESOLUTIONS), 0]
        for service, each in counts.items():
            for made in each.fields(service, now):
                arguments += made
        try:
            self._add(keys=[*keys, f"{self.prefix}:{ALL}"], args=arguments)
        except redis.RedisError as exc:
            log.warning("statistics_not_stored", error=str(exc))
            for service, each in counts.items():
                self._counts.setdefault(service, _Counts()).add(each)


def key(prefix: str, resolution: Resolution, start: int) -> str:
    return f"{prefix}:{resolution.name}:{start}"
