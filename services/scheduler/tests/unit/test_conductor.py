"""
What a scheduler does, with the clock in the test's hand. The servers' part is played by what they promise: a fire is
claimed once, a run is started once, and an old epoch is refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from zato.common.clock import ManualClock
from zato.common.errors import Unavailable, ZatoError
from zato.common.options import option_values
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject, WatchEvent
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.scheduler.conductor import Conductor, Done
from zato.scheduler.errors import JobsPaused, StaleEpoch
from zato.scheduler.job import KIND
from zato.scheduler.jobs import Jobs
from zato.scheduler.lease import Lease
from zato.scheduler.schedules import SECOND_US
from zato.scheduler.timetable import Fire

NOW = 1_800_000_000.0


class WallClock(ManualClock):
    """Its wall time can be set, as a machine's can; the other one never jumps."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


@dataclass
class Cluster:
    """The ODB and the servers. `runs` has each planned time of each job with the runs that were started for it."""

    clock: WallClock
    epoch: int = 1
    runs: dict[tuple[int, int], Fire] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    planned: dict[int, tuple[int, int]] = field(default_factory=dict)
    failures: list[ZatoError] = field(default_factory=list)
    answer: Callable[[int], messages.RunResponse | ZatoError | None] = lambda _run_id: messages.RunResponse(state="ok")
    waiting: dict[int, Done] = field(default_factory=dict)

    def claim(self, epoch: int, fires: list[Fire]) -> list[messages.Claim]:
        if self.failures:
            raise self.failures.pop()
        self._check(epoch)
        return [self._claim(fire) for fire in fires]

    def _claim(self, fire: Fire) -> messages.Claim:
        key = (fire.job_id, fire.planned_us)
        if key not in self.runs:
            self.runs[key] = fire
            self.planned[len(self.runs)] = key
            self.states[len(self.runs)] = "claimed"
        (run_id,) = (run_id for run_id, planned in self.planned.items() if planned == key)
        is_new = self.states[run_id] == "claimed"
        state = messages.CLAIM_STATE_CLAIMED if is_new else messages.CLAIM_STATE_TAKEN
        return messages.Claim(state=state, run=self._pending(run_id))

    def _pending(self, run_id: int) -> messages.PendingRun:
        job_id, planned_us = self.planned[run_id]
        is_running = self.states[run_id] == "running"
        return messages.PendingRun(run_id=run_id, job_id=job_id, planned_us=planned_us, is_running=is_running)

    def state(self, job_ids: frozenset[int] | None) -> messages.GetStateResponse:
        unfinished = [run_id for run_id, state in self.states.items() if state in ("claimed", "running")]
        wanted = {1, 2} if job_ids is None else job_ids
        latest = {job_id: max((at for each, at in self.runs if each == job_id), default=0) for job_id in wanted}
        return messages.GetStateResponse(
            jobs=[
                messages.JobState(job_id=job_id, since_us=int(NOW * SECOND_US), last_planned_us=at)
                for job_id, at in latest.items()
            ],
            runs=[self._pending(run_id) for run_id in unfinished],
        )

    def start_run(self, epoch: int, run: messages.PendingRun, done: Done) -> "Cluster":
        answer: messages.RunResponse | ZatoError | None
        if epoch != self.epoch:
            answer = StaleEpoch("over")
        elif self.states[run.run_id] != "claimed":
            answer = messages.RunResponse(state=self.states[run.run_id])
        else:
            answer = self.answer(run.run_id)
            if not isinstance(answer, ZatoError):
                self.states[run.run_id] = answer.state if answer is not None else "running"
                self.started.append(run.run_id)
        if answer is None:
            self.waiting[run.run_id] = done
        else:
            done(answer)
        return self

    def cancel(self) -> None:
        pass

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise StaleEpoch("over")

    def times(self, job_id: int = 1) -> list[float]:
        """Planned times of a job as seconds since the beginning."""
        return sorted(planned_us / SECOND_US - NOW for each, planned_us in self.runs if each == job_id)


class Scheduler:
    def __init__(self, cluster: Cluster) -> None:
        self.clock = cluster.clock
        self.lease = Lease(self.clock, "a", 1e9)
        self.conductor = Conductor(self.clock, self.lease, cluster, Jobs())

    def lead(self, epoch: int = 1, *, is_paused: bool = False) -> None:
        heard = messages.LeadResponse(is_leader=True, epoch=epoch, beat=1, leader="a", is_paused=is_paused)
        self.lease.heard(heard, self.clock.monotonic())

    def know(self, job_id: int = 1, *, version: int = 1, is_active: bool = True, **values: Any) -> None:
        made = KIND.parse({"service": "s", "job_type": "interval_based", **values}, what="job")
        described = json.dumps(option_values(made)).encode()
        job = ConfigObject(
            id=job_id, kind=KIND.name, name=f"job{job_id}", is_active=is_active, version=version, options_json=described
        )
        self.conductor.post(WatchEvent(version=version, objects=[job]))

    def run(self, seconds: float, *, step_s: float = 0.25) -> None:
        for _ in range(round(seconds / step_s)):
            self.conductor.step()
            self.conductor.wait(0)
            self.clock.advance(step_s)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(WallClock())


@pytest.fixture
def scheduler(cluster: Cluster) -> Scheduler:
    made = Scheduler(cluster)
    made.know(seconds=1)
    made.conductor.wait(0)
    return made


def test_a_leader_fires_each_second_once(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.lead()
    scheduler.run(10.5)
    assert cluster.times() == list(range(1, 11))
    assert sorted(cluster.started) == list(range(1, 11))


def test_one_that_does_not_lead_fires_nothing_and_goes_on_where_the_other_one_ended(
    cluster: Cluster, scheduler: Scheduler
) -> None:
    scheduler.lead()
    scheduler.run(3.5)
    second = Scheduler(cluster)
    second.know(seconds=1)
    second.run(2)
    assert cluster.times() == [1, 2, 3]
    cluster.epoch = 2
    second.lead(epoch=2)
    second.run(3.5)
    assert cluster.times() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [fire.missed for fire in cluster.runs.values()] == [0] * 8


def test_an_old_leader_is_refused_and_stands_by(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.lead()
    scheduler.run(2.5)
    cluster.epoch = 2
    scheduler.run(3)
    assert cluster.times() == [1, 2]
    assert scheduler.lease.epoch == 0


def test_what_could_not_be_claimed_is_claimed_later_and_nothing_twice(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.lead()
    scheduler.run(1)
    cluster.failures = [Unavailable("away")] * 4
    scheduler.run(9.5)
    covered = sum(1 + fire.missed for fire in cluster.runs.values())
    assert cluster.times()[-1] == 10
    assert covered == 10
    assert sum(fire.is_catch_up for fire in cluster.runs.values()) <= 1


def test_a_start_that_may_have_failed_is_asked_for_again_until_a_server_tells(cluster: Cluster, scheduler: Scheduler) -> None:
    answers: list[messages.RunResponse | ZatoError] = [messages.RunResponse(state="ok"), *[Unavailable("away")] * 2]
    cluster.answer = lambda _run_id: answers.pop() if answers else messages.RunResponse(state="ok")
    scheduler.lead()
    scheduler.run(4)
    assert len(cluster.started) == len(set(cluster.started)) == len(cluster.runs)


def test_a_new_leader_starts_what_the_old_one_claimed(cluster: Cluster, scheduler: Scheduler) -> None:
    cluster.answer = lambda _run_id: Unavailable("away")
    scheduler.lead()
    scheduler.run(2.5)
    assert cluster.started == []
    cluster.answer = lambda _run_id: messages.RunResponse(state="ok")
    cluster.epoch = 2
    second = Scheduler(cluster)
    second.know(seconds=1)
    second.conductor.wait(0)
    second.lead(epoch=2)
    second.run(1)
    assert {1, 2} <= set(cluster.started)


def test_a_run_of_another_leader_is_left_alone(cluster: Cluster, scheduler: Scheduler) -> None:
    cluster.answer = lambda _run_id: None
    scheduler.lead()
    scheduler.run(1.5)
    assert (cluster.started, scheduler.conductor.running) == ([1], 1)
    cluster.epoch = 2
    scheduler.lead(epoch=2)
    scheduler.run(0.5)
    assert cluster.started == [1]


def test_a_retry_is_started_when_it_is_time(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.know(version=2, is_active=False, seconds=1)
    scheduler.lead()
    scheduler.run(0.5)
    cluster.planned[50] = (1, 5)
    cluster.states[50] = "claimed"
    scheduler.run(6)
    assert cluster.started == [50], "found when it was looked for"


def test_paused_jobs_do_not_fire_and_one_fire_makes_up_for_the_pause(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.lead(is_paused=True)
    scheduler.run(20)
    assert cluster.runs == {}
    scheduler.lead()
    scheduler.run(1)
    catch_ups = [fire for fire in cluster.runs.values() if fire.is_catch_up]
    assert len(catch_ups) == 1
    assert sum(1 + fire.missed for fire in cluster.runs.values()) == cluster.times()[-1]


def test_a_pause_that_a_server_knows_of_first_is_no_failure(cluster: Cluster, scheduler: Scheduler) -> None:
    cluster.failures = [JobsPaused("paused")] * 2
    scheduler.lead()
    scheduler.run(3.5)
    assert sum(1 + fire.missed for fire in cluster.runs.values()) == 3


def test_a_job_that_is_older_than_two_periods_is_told_of_in_the_log(
    cluster: Cluster, scheduler: Scheduler, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown_since() -> str:
        # Another test of the process may have set logging up: then lines go to the standard library's loggers.
        text = caplog.text + capsys.readouterr().out
        caplog.clear()
        return text

    scheduler.lead()
    scheduler.run(2.25)
    assert "job_overdue" not in shown_since()
    cluster.failures = [Unavailable("away")] * 8
    scheduler.run(6)
    shown = shown_since()
    assert 1 <= shown.count("servers_not_usable") <= 2, "not for each attempt"
    assert "job_overdue" in shown
    assert "job1" in shown


def test_an_edited_job_fires_as_it_is_now_and_a_deleted_one_no_more(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.lead()
    scheduler.run(2.25)
    scheduler.know(version=2, seconds=5)
    scheduler.run(7.75)
    assert cluster.times() == [1, 2, 5]
    scheduler.conductor.post(WatchEvent(version=3, deleted_ids=[1]))
    scheduler.conductor.wait(0)
    scheduler.run(10)
    assert cluster.times() == [1, 2, 5]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_makes_no_storm(cluster: Cluster, scheduler: Scheduler, jump_s: float) -> None:
    scheduler.know(2, version=2, job_type="cron_style", cron_definition="* * * * *")
    scheduler.lead()
    scheduler.run(90)
    before = {job_id: len(cluster.times(job_id)) for job_id in (1, 2)}
    cluster.clock.offset = jump_s
    scheduler.run(90)
    added = {job_id: len(cluster.times(job_id)) - before[job_id] for job_id in (1, 2)}
    catch_ups = {job_id: sum(f.is_catch_up for (each, _), f in cluster.runs.items() if each == job_id) for job_id in (1, 2)}
    if jump_s > 0:
        assert catch_ups == {1: 1, 2: 1}
        assert added[1] <= 92
        assert added[2] <= 3
    else:
        assert added == {1: 0, 2: 0}, "these times were planned already"
        cluster.clock.offset = 0.0
        scheduler.run(10)
        assert sum(catch_ups.values()) == 0
    assert len(cluster.started) == len(set(cluster.started)) == len(cluster.runs)
