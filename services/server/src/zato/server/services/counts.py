"""
Numbers over time, in Redis: counted in each worker, added up there, so that any server can tell of the whole cluster.

    <prefix>:second:<start>     a hash for each second, minute, hour and day, with a field for each number of each subject,
    <prefix>:minute:<start>     named "<number>:<subject>", e.g. "r:orders.get"
    <prefix>:hour:<start>
    <prefix>:day:<start>
    <prefix>:all                the same, since it was deleted last

Numbers are `r` runs, `e` errors, `t` microseconds in all, `n` and `x` the least and the most of them, `l` when it ran last,
and `b<index>` how many runs took so long: see BOUNDS_MS. Seconds are those of the clock of whoever counted.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent
import redis

from zato.common.logs import get_logger

log = get_logger(__name__)

# Each is about a quarter longer than the one before (the R10 series of ISO 3), so percentiles are off by less than that:
# 10 µs to 1,000 s. Those that Prometheus is given are among them.
_STEPS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
BOUNDS_MS = tuple(float(f"{step}e{power}") for power in range(-2, 6) for step in _STEPS)
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


SECOND = Resolution("second", 1, 120)
LONGER = (
    Resolution("minute", 60, 26 * 3600),
    Resolution("hour", 3600, 40 * 86_400),
    Resolution("day", 86_400, 400 * 86_400),
)
RESOLUTIONS = (SECOND, *LONGER)
ALL = "all"

# ARGV: seconds to keep each key for, 0 for ever; then by threes what to do, with which field, and a number.
_ADD = """
local index = #KEYS + 1
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
class Counts:
    """What one subject did. `buckets` are counts by the index of BOUNDS_MS, with one more for what took longer than all."""

    runs: int = 0
    errors: int = 0
    total_ms: float = 0.0
    least_ms: float = float("inf")
    most_ms: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))

    def observe(self, elapsed_ms: float) -> None:
        """Count one run. Every request comes through here, so it has to cost little."""
        self.runs += 1
        self.total_ms += elapsed_ms
        if elapsed_ms > self.most_ms:
            self.most_ms = elapsed_ms
        if elapsed_ms < self.least_ms:
            self.least_ms = elapsed_ms
        self.buckets[bisect_left(BOUNDS_MS, elapsed_ms)] += 1

    def add(self, other: "Counts") -> None:
        self.runs += other.runs
        self.errors += other.errors
        self.total_ms += other.total_ms
        self.least_ms, self.most_ms = min(self.least_ms, other.least_ms), max(self.most_ms, other.most_ms)
        self.buckets = [mine + more for mine, more in zip(self.buckets, other.buckets, strict=True)]

    def fields(self, subject: str, at: float) -> Iterable[tuple[str, str, int]]:
        yield "+", f"{RUNS}:{subject}", self.runs
        yield ">", f"{LAST}:{subject}", int(at)
        if self.errors:
            yield "+", f"{ERRORS}:{subject}", self.errors
        yield "+", f"{TOTAL}:{subject}", round(self.total_ms * 1000)
        yield "<", f"{LEAST}:{subject}", round(self.least_ms * 1000)
        yield ">", f"{MOST}:{subject}", round(self.most_ms * 1000)
        for index, count in enumerate(self.buckets):
            if count:
                yield "+", f"b{index}:{subject}", count


class CountsWriter:
    """
    Adds counts of one worker to those of the cluster: at once to the seconds, that people look at live, and from time to time
    to all that is kept for longer, which costs five times as much.

    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:stats".
        clock: Returns seconds since the epoch.
    """

    def __init__(self, conn: "redis.Redis", prefix: str, clock: Callable[[], float]) -> None:
        self._prefix = prefix
        self._clock = clock
        self._script = conn.register_script(_ADD)
        self._waiting: dict[str, Counts] = {}

    def write_seconds(self, counts: Mapping[str, Counts]) -> None:
        """Add to the current second, and remember for `write_longer`."""
        for subject, each in counts.items():
            self._waiting.setdefault(subject, Counts()).add(each)
        # Those of a second that Redis did not answer in are of no use later.
        with contextlib.suppress(redis.RedisError):
            if counts:
                self._add(counts, (SECOND,), ())

    def write_longer(self) -> None:
        """Add what was counted since the last time; while Redis is away it is kept."""
        if self._waiting:
            # Another greenlet may add meanwhile.
            written, self._waiting = self._waiting, {}
            try:
                self._add(written, LONGER, (f"{self._prefix}:{ALL}",))
            except redis.RedisError as exc:
                for subject, each in written.items():
                    self._waiting.setdefault(subject, Counts()).add(each)
                log.warning("counts_not_stored", of=self._prefix, error=str(exc))

    def _add(self, counts: Mapping[str, Counts], resolutions: Sequence[Resolution], for_ever: tuple[str, ...]) -> None:
        now = self._clock()
        keys = [key(self._prefix, resolution, resolution.start(now)) for resolution in resolutions]
        arguments: list[Any] = [resolution.seconds + resolution.kept_s for resolution in resolutions] + [0 for _ in for_ever]
        for subject, each in counts.items():
            for made in each.fields(subject, now):
                arguments += made
        self._script(keys=[*keys, *for_ever], args=arguments)


def key(prefix: str, resolution: Resolution, start: int) -> str:
    return f"{prefix}:{resolution.name}:{start}"


class Counting(Protocol):
    """What counts in this worker, and writes to Redis now and then."""

    def flush_seconds(self) -> None:
        """Add what was counted here to the current second, for people who look at it live."""

    def flush(self) -> None:
        """Add it to all numbers in Redis; while that is away it is kept."""


def flush_for_ever(all_that_count: Sequence[Counting], seconds_every_s: float, times: int) -> None:
    """
    Args:
        seconds_every_s: Between the times when seconds, that people look at live, are written.
        times: After so many of them all else is written too.
    """
    while True:
        for count in range(times):
            gevent.sleep(seconds_every_s)
            for each in all_that_count:
                if count < times - 1:
                    each.flush_seconds()
                else:
                    each.flush()
