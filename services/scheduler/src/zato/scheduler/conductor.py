"""
What a scheduler does while it leads, in one thread: fires what is due, starts what is claimed, hears what ended.

One that does not lead keeps its jobs up to date and does nothing else, so that it can take over at once.
"""

import queue
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from zato.common.clock import Clock
from zato.common.errors import NotFound, ZatoError
from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.scheduler.errors import JobsPaused, StaleEpoch
from zato.scheduler.jobs import Jobs
from zato.scheduler.lease import Lease
from zato.scheduler.pending import PendingRuns
from zato.scheduler.schedules import SECOND_US
from zato.scheduler.timetable import Due, Fire, Timetable

log = get_logger(__name__)

Done = Callable[[messages.RunResponse | ZatoError], None]

_MOST_FIRES_AT_ONCE = 200
# Runs that one leader waits for; further ones stay claimed until there is room.
_MOST_RUNNING = 500
_IDLE_S = 0.2
_AGAIN_AFTER_S = 0.5
_LOOK_EVERY_S = 5.0


class Call(Protocol):
    """A run under way."""

    def cancel(self) -> object: ...


class Backend(Protocol):
    """What is asked of servers. Everything may be asked again, without harm. Raises ZatoError."""

    def claim(self, epoch: int, fires: list[Fire]) -> list[messages.Claim]: ...

    def state(self, job_ids: frozenset[int] | None) -> messages.GetStateResponse:
        """Return the unfinished runs, and the states of these jobs; None asks for those of all."""

    def start_run(self, epoch: int, run: messages.PendingRun, done: Done) -> Call:
        """Return at once; `done` is called in another thread."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    epoch: int
    run: messages.PendingRun
    result: messages.RunResponse | ZatoError


class Conductor:
    def __init__(self, clock: Clock, lease: Lease, backend: Backend, jobs: Jobs, *, late_after_s: float = 1.0) -> None:
        self._clock = clock
        self._lease = lease
        self._backend = backend
        self._jobs = jobs
        self._timetable = Timetable(int(late_after_s * SECOND_US))
        self._pending = PendingRuns()
        self._running: dict[int, Call] = {}
        self._inbox: queue.SimpleQueue[WatchEvent | RunEnded | None] = queue.SimpleQueue()
        self._epoch = 0
        self._is_loaded = False
        self._changed: set[int] = set()
        self._look_at = 0.0
        self._began_at = clock.monotonic()
        self._fire_again_at = 0.0
        self._trouble = ""

    @property
    def running(self) -> int:
        return len(self._running)

    def post(self, item: WatchEvent | RunEnded | None) -> None:
        """Hand something over from another thread; None only wakes."""
        self._inbox.put(item)

    def wait(self, timeout_s: float) -> None:
        """Take in what was posted; when there is nothing, wait for it so long."""
        try:
            self._take_in(self._inbox.get(timeout=max(0.0, timeout_s)))
            while True:
                self._take_in(self._inbox.get_nowait())
        except queue.Empty:
            return

    def step(self) -> float:
        """Do what is to be done now. Returns the seconds after which there may be more, if nothing is posted before."""
        epoch = self._lease.epoch
        if epoch != self._epoch:
            self._change_epoch(epoch)
        if not epoch or not self._jobs.version:
            return _IDLE_S
        try:
            self._catch_up()
            self._start_pending()
            if not self._lease.leader.is_paused:
                self._fire()
        except StaleEpoch as exc:
            log.warning("leadership_lost", reason=exc.message)
            self._lease.lose()
            return _IDLE_S
        except ZatoError as exc:
            # One line each time that the reason changes, not one for each attempt.
            if type(exc).__name__ != self._trouble:
                log.warning("servers_not_usable", error=exc.message)
            self._trouble = type(exc).__name__
            return _AGAIN_AFTER_S
        return self._seconds_to_wait()

    def _now_us(self) -> int:
        return int(self._clock.now() * SECOND_US)

    def _take_in(self, item: WatchEvent | RunEnded | None) -> None:
        if isinstance(item, WatchEvent):
            changes = self._jobs.apply(item)
            for job_id in changes.gone:
                self._timetable.remove(job_id)
            self._changed = (self._changed | changes.changed) - changes.gone
        elif item is not None:
            self._run_ended(item)

    def _change_epoch(self, epoch: int) -> None:
        """Begin anew: what an earlier epoch knew may be outdated. Its runs go on at the servers."""
        self._epoch = epoch
        self._is_loaded = False
        self._began_at = self._clock.monotonic()
        self._timetable.clear()
        self._pending.clear()
        self._running.clear()
        log.info("leading" if epoch else "standing_by", epoch=epoch or self._lease.leader.epoch)

    def _catch_up(self) -> None:
        """Ask for what changed since, and now and then for runs that nobody told us of."""
        now = self._clock.monotonic()
        if self._is_loaded and not self._changed and now < self._look_at:
            return
        is_first = not self._is_loaded
        state = self._backend.state(None if is_first else frozenset(self._changed))
        self._trouble = ""
        for each in state.jobs:
            job = self._jobs.get(each.job_id)
            if job is not None:
                self._timetable.put(job, each.since_us, each.last_planned_us)
        self._changed.clear()
        self._is_loaded = True
        self._look_at = now + _LOOK_EVERY_S
        if is_first:
            log.info("jobs_loaded", jobs=len(self._timetable), seconds=round(self._clock.monotonic() - self._began_at, 3))
        self._compare(state.runs)

    def _compare(self, unfinished: Iterable[messages.PendingRun]) -> None:
        """Take up runs that nobody starts: of an earlier leader, retries of lost ones, or executed by hand."""
        runs = {run.run_id: run for run in unfinished}
        for run in runs.values():
            if not run.is_running and run.run_id not in self._running:
                self._pending.add(run)
        for run_id in self._running.keys() - runs.keys():
            # It ended, and whoever ran it will not tell us any more.
            self._running.pop(run_id).cancel()

    def _start_pending(self) -> None:
        now_us = self._now_us()
        if len(self._running) >= _MOST_RUNNING:
            return
        for run in self._pending.take(now_us):
            epoch = self._epoch

            def done(result: messages.RunResponse | ZatoError, run: messages.PendingRun = run, epoch: int = epoch) -> None:
                self.post(RunEnded(epoch, run, result))

            self._running[run.run_id] = self._backend.start_run(epoch, run, done)

    def _run_ended(self, ended: RunEnded) -> None:
        if ended.epoch != self._epoch or self._running.pop(ended.run.run_id, None) is None:
            return
        run, result, now_us = ended.run, ended.result, self._now_us()
        if isinstance(result, messages.RunResponse):
            if result.state == "waiting":
                self._pending.queue(run, now_us)
                return
            if result.HasField("retry"):
                self._pending.add(result.retry)
            self._pending.ended(run.job_id, now_us)
        elif isinstance(result, StaleEpoch):
            self._lease.lose()
        elif not isinstance(result, NotFound):
            # It may have been started or not: asking again tells, and starts it in the second case only.
            self._pending.add(run, now_us + int(_AGAIN_AFTER_S * SECOND_US))

    def _fire(self) -> None:
        if self._clock.monotonic() < self._fire_again_at:
            return
        dues = self._timetable.due(self._now_us(), _MOST_FIRES_AT_ONCE)
        if not dues:
            return
        fires = [fire for due in dues for fire in due.fires]
        try:
            claims = self._backend.claim(self._epoch, fires) if fires else []
        except ZatoError as exc:
            self._timetable.put_back(dues)
            self._fire_again_at = self._clock.monotonic() + _AGAIN_AFTER_S
            if isinstance(exc, JobsPaused):
                return
            raise
        self._trouble = ""
        self._timetable.settle(dues)
        for due in dues:
            _tell(due)
        for claim in claims:
            if claim.state == messages.CLAIM_STATE_CLAIMED and claim.run.run_id not in self._running:
                self._pending.add(claim.run)
        self._start_pending()

    def _seconds_to_wait(self) -> float:
        """Never for long: the machine's clock may be set meanwhile."""
        times = [time_us for time_us in (self._timetable.next_at_us(), self._pending.next_at_us()) if time_us is not None]
        if not times:
            return _IDLE_S
        return min(_IDLE_S, max(0.0, min(times) / SECOND_US - self._clock.now()))


def _tell(due: Due) -> None:
    if due.overdue_us:
        log.warning("job_overdue", job=due.job.name, late_s=round(due.overdue_us / SECOND_US, 3))
    if due.missed:
        log.warning("job_fires_missed", job=due.job.name, missed=due.missed, policy=due.job.options.on_missed)
