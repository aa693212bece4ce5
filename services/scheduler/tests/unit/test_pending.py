"""Runs that are claimed and not started."""

from zato.proto.jobs.v1.jobs_pb2 import PendingRun
from zato.scheduler.pending import TRY_AGAIN_US, PendingRuns


def run(run_id: int, *, job_id: int = 1, not_before_us: int = 0) -> PendingRun:
    return PendingRun(run_id=run_id, job_id=job_id, not_before_us=not_before_us, planned_us=run_id)


def ids(runs: list[PendingRun]) -> list[int]:
    return [each.run_id for each in runs]


def test_runs_start_when_they_may_and_once() -> None:
    pending = PendingRuns()
    for each in (run(1, not_before_us=50), run(2), run(2)):
        pending.add(each)
    assert ids(pending.take(0)) == [2]
    assert pending.next_at_us() == 50
    assert 1 in pending
    assert ids(pending.take(50)) == [1]
    assert (len(pending), pending.take(1000)) == (0, [])


def test_runs_of_a_job_that_wait_for_each_other_start_in_order() -> None:
    pending = PendingRuns()
    for number in (1, 2, 3):
        pending.add(run(number))
    taken = pending.take(0)
    for each in (taken[2], taken[1]):  # the server let the first one start
        pending.queue(each, 0)
    assert pending.take(1) == []
    pending.ended(1, 10)
    assert ids(pending.take(10)) == [2]
    pending.ended(1, 20)
    assert ids(pending.take(20)) == [3]
    assert len(pending) == 0


def test_a_run_behind_one_that_waits_waits_too_and_other_jobs_do_not() -> None:
    pending = PendingRuns()
    pending.add(run(1))
    pending.queue(pending.take(0)[0], 0)
    pending.add(run(2))
    pending.add(run(7, job_id=2))
    assert ids(pending.take(1)) == [7]
    assert ids(pending.take(TRY_AGAIN_US)) == [1]
    assert ids(pending.take(2 * TRY_AGAIN_US)) == [2], "nobody told us of the end of the first"


def test_nothing_is_left_after_a_change_of_epoch() -> None:
    pending = PendingRuns()
    pending.add(run(1))
    pending.add(run(2))
    pending.queue(pending.take(0)[0], 0)
    pending.clear()
    assert (len(pending), pending.next_at_us(), pending.take(10**9)) == (0, None, [])
