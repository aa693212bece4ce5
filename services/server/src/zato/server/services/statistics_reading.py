"""Statistics as people ask for them: of a span of time, by service and over time."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import redis

from zato.common.errors import BadRequest, Unavailable
from zato.server.services.counts import (
    ALL,
    BOUNDS_MS,
    ERRORS,
    LAST,
    LEAST,
    MOST,
    RESOLUTIONS,
    RUNS,
    TOTAL,
    Resolution,
    key,
)

# So many points a chart has at most.
_MOST_POINTS = 400
_AT_ONCE = 100


@dataclass(slots=True)
class Numbers:
    """What is known of the runs of a service, or of several. `buckets` are counts by index: see BOUNDS_MS."""

    runs: int = 0
    errors: int = 0
    total_us: int = 0
    least_us: int | None = None
    most_us: int = 0
    last: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Numbers") -> None:
        self.runs += other.runs
        self.errors += other.errors
        self.total_us += other.total_us
        known = [least for least in (self.least_us, other.least_us) if least is not None]
        self.least_us = min(known, default=None)
        self.most_us = max(self.most_us, other.most_us)
        self.last = max(self.last, other.last)
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count

    @property
    def mean_ms(self) -> float:
        return self.total_us / self.runs / 1000 if self.runs else 0.0

    @property
    def least_ms(self) -> float:
        return (self.least_us or 0) / 1000

    @property
    def most_ms(self) -> float:
        return self.most_us / 1000

    def percentile_ms(self, percent: float) -> float:
        """Return what so many of a hundred runs took at most, to within a quarter."""
        if not self.buckets:
            return 0.0
        wanted, passed = sum(self.buckets.values()) * percent / 100, 0
        for index in sorted(self.buckets):
            before, passed = passed, passed + self.buckets[index]
            if passed >= wanted:
                low = BOUNDS_MS[index - 1] if index else 0.0
                high = BOUNDS_MS[index] if index < len(BOUNDS_MS) else self.most_ms
                estimate = low + (high - low) * (wanted - before) / self.buckets[index]
                return min(max(estimate, self.least_ms), self.most_ms)
        return self.most_ms


@dataclass(frozen=True, slots=True)
class Point:
    """What ran in the `resolution.seconds` from `start` on, by service."""

    start: int
    services: Mapping[str, Numbers]


@dataclass(frozen=True, slots=True)
class Window:
    """
    A span of time.

    Args:
        seconds: How much of it has passed: rates are over this.
    """

    resolution: Resolution
    seconds: float
    points: tuple[Point, ...]

    def summaries(self) -> dict[str, Numbers]:
        """Return what ran in all of it, by service."""
        made: dict[str, Numbers] = {}
        for point in self.points:
            for service, numbers in point.services.items():
                made.setdefault(service, Numbers()).add(numbers)
        return made


class StatisticsReader:
    def __init__(self, conn: "redis.Redis", prefix: str, clock: Callable[[], float] = time.time) -> None:
        self._conn = conn
        self._prefix = prefix
        self._clock = clock

    def window(self, start: float, stop: float) -> Window:
        """
        Return what ran from `start` to `stop`, in seconds since the epoch: whole minutes, hours or days, as long as it is.

        Raises:
            BadRequest: It ends before it begins, or is too long.
            Unavailable: Redis does not answer.
        """
        if start >= stop:
            raise BadRequest("'stop' has to be later than 'start'")
        resolution = self._resolution(start, stop)
        starts = range(resolution.start(start), int(stop) if stop == int(stop) else int(stop) + 1, resolution.seconds)
        points = tuple(Point(at, _parse(fields)) for at, fields in self._read(resolution, starts))
        passed_s = min(stop, self._clock()) - starts.start
        return Window(resolution, max(1.0, min(passed_s, float(len(starts) * resolution.seconds))), points)

    def _resolution(self, start: float, stop: float) -> Resolution:
        now = self._clock()
        for resolution in RESOLUTIONS:
            if (stop - start) / resolution.seconds <= _MOST_POINTS and start >= now - resolution.seconds - resolution.kept_s:
                return resolution
        if (stop - start) / RESOLUTIONS[-1].seconds > _MOST_POINTS:
            raise BadRequest(f"'start' and 'stop' can be at most {_MOST_POINTS} days apart")
        return RESOLUTIONS[-1]

    def _read(self, resolution: Resolution, starts: range) -> Iterable[tuple[int, dict[bytes, bytes]]]:
        for first in range(0, len(starts), _AT_ONCE):
            part = starts[first : first + _AT_ONCE]
            yield from zip(part, self._hashes([key(self._prefix, resolution, at) for at in part]), strict=True)

    def since_ever(self) -> dict[str, Numbers]:
        """Return all that ran since statistics were deleted, by service. Raises Unavailable."""
        (fields,) = self._hashes([f"{self._prefix}:{ALL}"])
        return _parse(fields)

    def delete(self, start: float, stop: float) -> int:
        """Delete the minutes, hours and days that lie within, and return how many there were. Raises Unavailable."""
        now, keys = self._clock(), []
        for resolution in RESOLUTIONS:
            # What is older is gone by itself, and of the future there is nothing; what still runs counts as its beginning.
            oldest = max(start, now - resolution.kept_s - resolution.seconds)
            first = -(-int(oldest) // resolution.seconds) * resolution.seconds
            ends = min(stop, now + resolution.seconds)
            starts = range(first, int(ends), resolution.seconds)
            keys += [key(self._prefix, resolution, at) for at in starts if at + resolution.seconds <= stop or stop > now]
        if start <= 0 and stop > now:
            keys.append(f"{self._prefix}:{ALL}")
        try:
            return sum(int(self._conn.unlink(*part)) for part in _parts(keys))
        except redis.RedisError as exc:
            raise _away() from exc

    def _hashes(self, keys: Sequence[str]) -> list[dict[bytes, bytes]]:
        try:
            with self._conn.pipeline(transaction=False) as pipeline:
                for each in keys:
                    pipeline.hgetall(each)
                answers: list[dict[bytes, bytes]] = pipeline.execute()
                return answers
        except redis.RedisError as exc:
            raise _away() from exc


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))


def _away() -> Unavailable:
    return Unavailable("The statistics cannot be looked at now: Redis does not answer")


def _parse(fields: Mapping[bytes, bytes]) -> dict[str, Numbers]:
    made: dict[str, Numbers] = {}
    for name, value in fields.items():
        what, _, service = name.decode().partition(":")
        numbers = made.setdefault(service, Numbers())
        if what.startswith("b"):
            numbers.buckets[int(what[1:])] = int(value)
        else:
            setattr(numbers, _ATTRIBUTES[what], int(value))
    return made


_ATTRIBUTES = {RUNS: "runs", ERRORS: "errors", TOTAL: "total_us", LEAST: "least_us", MOST: "most_us", LAST: "last"}
