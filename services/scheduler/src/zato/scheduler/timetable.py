"""Which jobs are due, and what becomes of fires that were missed. Knows nothing of servers, threads or clocks."""

import heapq
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from zato.scheduler.job import Job
from zato.scheduler.schedules import SECOND_US, Backlog, Schedule, make_schedule

# Fires are written down this long before their time, so that one transaction does for many, and they start when it is time.
# Not those of a job whose runs may not overlap: whether an earlier one goes on is asked at its time.
_AHEAD_US = 150_000
# Nobody is in a hurry in the first half of that: who is due later is taken along then, and calls for nothing by itself.
_LATEST_AHEAD_US = _AHEAD_US // 2
# More fires can't be in time at once: no schedule is finer than a second.
_MOST_IN_TIME = 4


@dataclass(frozen=True, slots=True)
class Fire:
    """
    Args:
        missed: Earlier fires that this one stands for.
        is_catch_up: It is made up for, since nobody could start it in time.
        not_before_us: Later than planned for a job with jitter.
    """

    job_id: int
    version: int
    planned_us: int
    not_before_us: int
    missed: int = 0
    is_catch_up: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """
    The fires of one job that are due now; none when all were missed and its policy is to skip them.

    Args:
        until_us: The latest fire that this settles.
        missed: Fires that were missed, whatever becomes of them.
        overdue_us: How late the earliest is, when that is more than two periods of the job; else 0.
    """

    job: Job
    fires: tuple[Fire, ...]
    until_us: int
    missed: int
    overdue_us: int


@dataclass(slots=True)
class _Entry:
    job: Job
    schedule: Schedule
    last_us: int
    at_us: int = 0
    missed: int = 0

    @property
    def may_be_early(self) -> bool:
        return self.job.options.overlap == "allow"

    @property
    def earliest_us(self) -> int:
        return self.at_us - _AHEAD_US if self.may_be_early else self.at_us


class Timetable:
    """
    All active jobs by their next fires.

    A job that is due is taken out until what is done with it is settled, or put back.

    Args:
        late_after_us: A fire that is later than this was missed, and its job's policy decides.
    """

    def __init__(self, late_after_us: int = SECOND_US) -> None:
        self._late_after_us = late_after_us
        self._entries: dict[int, _Entry] = {}
        self._heap: list[tuple[int, int, _Entry]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._entries

    def put(self, job: Job, since_us: int, last_planned_us: int) -> None:
        """
        Add a job, or replace an older version of it.

        Args:
            since_us: When this version of the job came into force.
            last_planned_us: Its latest fire that was claimed; 0 for none.
        """
        self.remove(job.id)
        if job.is_active:
            entry = _Entry(job, make_schedule(job.options, since_us), max(last_planned_us, since_us - 1))
            self._entries[job.id] = entry
            self._push(entry)

    def remove(self, job_id: int) -> None:
        self._entries.pop(job_id, None)

    def clear(self) -> None:
        self._entries.clear()
        self._heap.clear()

    def next_at_us(self) -> int | None:
        """Return when the next job is to be taken out, a little before it is due."""
        while self._heap and not self._is_present(self._heap[0][2]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int, limit: int) -> list[Due]:
        """Take out the jobs that are due, until there are `limit` fires."""
        found: list[Due] = []
        fires = 0
        while fires < limit and (at_us := self.next_at_us()) is not None:
            if at_us > now_us and not (found and self._heap[0][2].earliest_us <= now_us):
                break
            entry = heapq.heappop(self._heap)[2]
            found.append(self._due(entry, now_us))
            fires += len(found[-1].fires)
        return found

    def settle(self, dues: Iterable[Due]) -> None:
        """These fires are written down: go on with the next ones."""
        for due in dues:
            if (entry := self._entry_of(due)) is not None:
                entry.last_us = due.until_us
                entry.missed = 0 if due.fires else due.missed
                self._push(entry)

    def put_back(self, dues: Iterable[Due]) -> None:
        """These fires could not be written down: they are due still."""
        for due in dues:
            if (entry := self._entry_of(due)) is not None:
                self._push(entry)

    def _due(self, entry: _Entry, now_us: int) -> Due:
        job, at_us = entry.job, entry.at_us
        backlog = entry.schedule.backlog(entry.last_us, max(at_us, now_us), job.options.missed_limit + _MOST_IN_TIME)
        in_time = [time_us for time_us in backlog.times_us if now_us - time_us <= self._late_after_us]
        late = Backlog(backlog.times_us[: len(backlog.times_us) - len(in_time)], backlog.count - len(in_time))
        missed = late.count + entry.missed
        fires = [_fire(job, time_us) for time_us in in_time]
        if late.count:
            fires = [*_made_up_for(job, late, entry.missed), *fires]
        if missed and fires and not fires[0].is_catch_up:
            fires[0] = _fire(job, fires[0].planned_us, missed=missed)
        following_us = entry.schedule.after(at_us)
        late_us = now_us - at_us
        is_overdue = following_us is not None and late_us > 2 * (following_us - at_us)
        until_us = backlog.times_us[-1] if backlog.times_us else at_us
        return Due(job, tuple(fires), until_us, missed, late_us if is_overdue else 0)

    def _push(self, entry: _Entry) -> None:
        at_us = entry.schedule.after(entry.last_us)
        if at_us is not None:
            entry.at_us = at_us
            ahead_us = _LATEST_AHEAD_US if entry.may_be_early else 0
            heapq.heappush(self._heap, (at_us - ahead_us, next(self._numbers), entry))

    def _entry_of(self, due: Due) -> _Entry | None:
        entry = self._entries.get(due.job.id)
        return entry if entry is not None and entry.job is due.job else None

    def _is_present(self, entry: _Entry) -> bool:
        return self._entries.get(entry.job.id) is entry


def _made_up_for(job: Job, late: Backlog, missed_before: int) -> list[Fire]:
    if job.options.on_missed == "skip":
        return []
    limit = job.options.missed_limit if job.options.on_missed == "run_all" else 1
    times_us = late.times_us[-limit:]
    not_made_up_for = late.count - len(times_us) + missed_before
    return [
        _fire(job, time_us, missed=0 if number else not_made_up_for, is_catch_up=True)
        for number, time_us in enumerate(times_us)
    ]


def _fire(job: Job, planned_us: int, *, missed: int = 0, is_catch_up: bool = False) -> Fire:
    # The same in every scheduler: whoever takes over plans nothing else.
    random = zlib.crc32(f"{job.id}:{planned_us}".encode()) / 2**32
    not_before_us = planned_us + int(job.options.jitter_s * SECOND_US * random)
    return Fire(job.id, job.version, planned_us, not_before_us, missed, is_catch_up)
