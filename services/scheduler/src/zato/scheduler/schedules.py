"""
When a job fires. A schedule is a function of the job's definition and of when it came into force, of nothing else: every
scheduler computes the same times, before and after a restart.

Times are whole microseconds since the epoch, UTC.

Daylight saving: an interval that has hours, minutes or seconds is elapsed time, and knows no zones. One of whole days or
weeks keeps its time of day in the job's zone: a time that does not exist there is as much later as the clocks were put
forward, of one that exists twice the first is meant. A cron expression does what Debian's cron does: with a fixed minute
and hour, a run that falls into the missing hour happens right after it, and one in the repeated hour happens once; with a
`*` in either field it goes by the clock, so "every ten minutes" stays every ten minutes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Protocol

from cronsim import CronSim

from zato.common.text_formats import cron_fields, parse_time, time_zone
from zato.scheduler.job import CRON, ONE_TIME, UNITS_S, JobOptions

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Nobody needs to know of an every-minute job whether it missed more than a week.
_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """`times_us` are the latest of the `count` fires that there were."""

    times_us: tuple[int, ...]
    count: int


class Schedule(Protocol):
    def after(self, time_us: int) -> int | None:
        """Return the first fire later than `time_us`, or None when there is none."""

    def backlog(self, after_us: int, until_us: int, limit: int) -> Backlog:
        """Return the fires later than `after_us` and not later than `until_us`, the last `limit` of them."""

    def describe(self) -> str:
        """The schedule in words, e.g. "every 5 minutes"."""


def make_schedule(options: JobOptions, since_us: int) -> Schedule:
    """
    Args:
        since_us: When the definition came into force: no fire is earlier, and repeats are counted from here.
    """
    zone = zone_of(options.time_zone)
    end_us = _time_us(options.end_date, zone) if options.end_date else None
    if options.job_type == ONE_TIME:
        # One that is over already when it is created runs at once.
        return OneTime(max(_time_us(options.start_date, zone), since_us))
    start_us = _time_us(options.start_date, zone) if options.start_date else None
    if options.job_type == CRON:
        return Cron(cron_fields(options.cron_definition), zone, since_us, end_us)
    step_us = sum((getattr(options, unit) or 0) * seconds for unit, seconds in UNITS_S.items()) * SECOND_US
    if start_us is None:
        start_us = since_us + step_us
    if step_us % DAY_US == 0 and not (options.hours or options.minutes or options.seconds) and zone is not UTC:
        return Daily(start_us, step_us // DAY_US, zone, since_us, options.repeats or 0, end_us)
    return Interval(start_us, step_us, since_us, options.repeats or 0, end_us)


def zone_of(name: str) -> tzinfo:
    # The same object for the most frequent one: all that is done with it is several times faster.
    return UTC if name in ("UTC", "Etc/UTC") else time_zone(name)


def to_us(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def from_us(time_us: int, zone: tzinfo = UTC) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)


def upcoming(schedule: Schedule, after_us: int) -> Iterator[int]:
    """Yield the fires later than `after_us`."""
    time_us = schedule.after(after_us)
    while time_us is not None:
        yield time_us
        time_us = schedule.after(time_us)


@lru_cache(maxsize=4096)
def _time_us(text: str, zone: tzinfo) -> int:
    time = parse_time(text)
    return to_us(time if time.tzinfo is not None else time.replace(tzinfo=zone))


class OneTime:
    def __init__(self, at_us: int) -> None:
        self._at_us = at_us

    def after(self, time_us: int) -> int | None:
        return self._at_us if self._at_us > time_us else None

    def backlog(self, after_us: int, until_us: int, limit: int) -> Backlog:
        is_due = after_us < self._at_us <= until_us
        return Backlog((self._at_us,) if is_due else (), int(is_due))

    def describe(self) -> str:
        return "once"


class _Grid:
    """Fires with numbers: the first one that counts, perhaps a last one, and how to get from a number to a time."""

    __slots__ = ("_end_us", "_first", "_last", "_start_us", "_step_us")

    def __init__(self, start_us: int, step_us: int, since_us: int, repeats: int, end_us: int | None) -> None:
        self._start_us = start_us
        self._step_us = step_us
        self._end_us = end_us
        self._first = self._number_after(since_us - 1)
        self._last = self._first + repeats - 1 if repeats else None

    def after(self, time_us: int) -> int | None:
        number = max(self._first, self._number_after(time_us))
        if self._last is not None and number > self._last:
            return None
        at_us = self._at(number)
        return None if self._end_us is not None and at_us > self._end_us else at_us

    def backlog(self, after_us: int, until_us: int, limit: int) -> Backlog:
        if self._end_us is not None:
            until_us = min(until_us, self._end_us)
        first = max(self._first, self._number_after(after_us))
        last = self._number_after(until_us) - 1
        last = last if self._last is None else min(last, self._last)
        count = max(0, last - first + 1)
        return Backlog(tuple(self._at(number) for number in range(last - min(count, limit) + 1, last + 1)), count)

    def _at(self, number: int) -> int:
        return self._start_us + number * self._step_us

    def _number_after(self, time_us: int) -> int:
        return max(0, (time_us - self._start_us) // self._step_us + 1)


class Interval(_Grid):
    """Elapsed time: every so many seconds from the start."""

    __slots__ = ()

    def describe(self) -> str:
        seconds, parts = self._step_us // SECOND_US, []
        for unit, unit_s in UNITS_S.items():
            count, seconds = divmod(seconds, unit_s)
            if count:
                parts.append(f"{count} {unit}" if count > 1 else unit.removesuffix("s"))
        return f"every {' '.join(parts)}"


class Daily(_Grid):
    """Every so many days, at the same time of day in its zone."""

    __slots__ = ("_days", "_local_start", "_zone")

    def __init__(self, start_us: int, days: int, zone: tzinfo, since_us: int, repeats: int, end_us: int | None) -> None:
        self._days = days
        self._zone = zone
        self._local_start = from_us(start_us, zone).replace(tzinfo=None)
        super().__init__(start_us, days * DAY_US, since_us, repeats, end_us)

    def describe(self) -> str:
        return "every day" if self._days == 1 else f"every {self._days} days"

    def _at(self, number: int) -> int:
        return to_us((self._local_start + timedelta(days=number * self._days)).replace(tzinfo=self._zone))

    def _number_after(self, time_us: int) -> int:
        # Off by the difference of two offsets at most.
        number = max(0, (time_us - self._start_us) // self._step_us - 1)
        while self._at(number) <= time_us:
            number += 1
        return number


class Cron:
    __slots__ = ("_end_us", "_expression", "_since_us", "_zone")

    def __init__(self, expression: str, zone: tzinfo, since_us: int, end_us: int | None) -> None:
        self._expression = expression
        self._zone = zone
        self._since_us = since_us
        self._end_us = end_us

    def after(self, time_us: int) -> int | None:
        time_us = max(time_us, self._since_us - 1)
        for time in CronSim(self._expression, from_us(time_us, self._zone)):
            # In the repeated hour of autumn it begins with the hour's first pass.
            if (at_us := to_us(time)) > time_us:
                return None if self._end_us is not None and at_us > self._end_us else at_us
        return None

    def backlog(self, after_us: int, until_us: int, limit: int) -> Backlog:
        times: deque[int] = deque(maxlen=limit)
        count = 0
        for time_us in islice(upcoming(self, after_us), _MOST_COUNTED):
            if time_us > until_us:
                return Backlog(tuple(times), count)
            times.append(time_us)
            count += 1
        return Backlog(self._latest(until_us, limit) if count == _MOST_COUNTED else tuple(times), count)

    def describe(self) -> str:
        return self._expression

    def _latest(self, until_us: int, limit: int) -> tuple[int, ...]:
        backwards = CronSim(self._expression, from_us(until_us + SECOND_US, self._zone), reverse=True)
        return tuple(reversed([to_us(time) for time in islice(backwards, limit)]))
