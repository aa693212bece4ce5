"""What is due when, what becomes of missed fires, and that many jobs cost little."""

import random
import time
from typing import Any

import pytest

from zato.scheduler.job import KIND, Job
from zato.scheduler.schedules import SECOND_US
from zato.scheduler.timetable import Due, Timetable

NOW = 1_800_000_000 * SECOND_US


def job(job_id: int = 1, *, version: int = 1, is_active: bool = True, **values: Any) -> Job:
    values = {"service": "s", "job_type": "interval_based", "start_date": "2027-01-01", **values}
    return Job(job_id, f"job{job_id}", version, is_active, KIND.parse(values, what="job"))


def every_second(**values: Any) -> Timetable:
    table = Timetable()
    table.put(job(seconds=1, **values), NOW, 0)
    return table


def planned(dues: list[Due]) -> list[int]:
    """Planned times as seconds since NOW."""
    return [(fire.planned_us - NOW) // SECOND_US for due in dues for fire in due.fires]


def at(seconds: float) -> int:
    return NOW + int(seconds * SECOND_US)


def test_a_job_is_due_at_its_time_once() -> None:
    table = every_second()
    assert planned(table.due(at(0), 10)) == [0]
    assert table.due(at(0.5), 10) == []


def test_a_job_is_due_again_only_when_its_fire_is_settled() -> None:
    table = every_second()
    dues = table.due(at(0), 10)
    assert table.due(at(1), 10) == []
    table.settle(dues)
    assert planned(table.due(at(1), 10)) == [1]


def test_a_fire_that_could_not_be_written_down_is_due_still() -> None:
    table = every_second()
    table.put_back(table.due(at(0), 10))
    assert planned(table.due(at(0.3), 10)) == [0]


def test_two_fires_that_are_late_by_less_than_what_counts_both_run() -> None:
    dues = every_second().due(at(1), 10)
    assert planned(dues) == [0, 1]
    assert [fire.is_catch_up for fire in dues[0].fires] == [False, False]


def test_run_once_makes_up_for_all_missed_fires_with_the_latest_of_them() -> None:
    dues = every_second().due(at(100.5), 10)
    assert planned(dues) == [99, 100]
    assert [(fire.is_catch_up, fire.missed) for fire in dues[0].fires] == [(True, 99), (False, 0)]
    assert dues[0].missed == 100


def test_run_all_makes_up_for_the_latest_ones_up_to_its_limit() -> None:
    dues = every_second(on_missed="run_all", missed_limit=3).due(at(100.5), 10)
    assert planned(dues) == [97, 98, 99, 100]
    assert [(fire.is_catch_up, fire.missed) for fire in dues[0].fires] == [(True, 97), (True, 0), (True, 0), (False, 0)]


def test_skip_makes_up_for_nothing_and_the_next_fire_says_how_many_there_were() -> None:
    table = every_second(on_missed="skip")
    dues = table.due(at(100.5), 10)
    assert [(fire.planned_us, fire.is_catch_up, fire.missed) for fire in dues[0].fires] == [(at(100), False, 100)]
    table = Timetable()
    table.put(job(hours=1, on_missed="skip", start_date=""), NOW, 0)
    first = at(3600)
    dues = table.due(first + 1800 * SECOND_US, 10)
    assert [due.fires for due in dues] == [()]
    table.settle(dues)
    (due,) = table.due(first + 3600 * SECOND_US, 10)
    assert [(fire.planned_us, fire.missed) for fire in due.fires] == [(first + 3600 * SECOND_US, 1)]


def test_fires_close_to_each_other_are_taken_out_together_a_little_early() -> None:
    table = Timetable()
    for number in range(100):
        start = f"2027-01-15T08:00:{number // 100:02d}.{number % 100:02d}+00:00"
        table.put(job(number, seconds=100, start_date=start), NOW, 0)
    taken, now_us = [], NOW - 1 * SECOND_US
    while (next_us := table.next_at_us()) is not None and next_us < at(1):
        now_us = max(next_us, now_us)
        dues = table.due(now_us, 200)
        taken.append(len(dues))
        assert all(-200_000 < now_us - fire.planned_us <= 0 for due in dues for fire in due.fires)
        table.settle(dues)
    assert sum(taken) == 100
    assert len(taken) < 20, "one transaction for several"
    assert table.due(at(50), 10) == [], "and each of them once"


def test_a_job_whose_runs_may_not_overlap_is_taken_out_at_its_time() -> None:
    table = Timetable()
    table.put(job(1, seconds=1), NOW, 0)
    table.put(job(2, seconds=1, overlap="skip"), NOW, 0)
    assert [due.job.id for due in table.due(at(-0.01), 10)] == [1]
    assert [due.job.id for due in table.due(at(0), 10)] == [2]


def test_a_job_that_is_older_than_two_periods_is_told_of() -> None:
    assert every_second().due(at(1.9), 10)[0].overdue_us == 0
    assert every_second().due(at(2.1), 10)[0].overdue_us == at(2.1) - at(0)


def test_a_job_whose_fire_was_claimed_already_goes_on_after_it() -> None:
    table = Timetable()
    table.put(job(seconds=1), at(-1000), at(5))
    assert table.due(at(5.9), 10) == []
    assert planned(table.due(at(6), 10)) == [6]


def test_a_new_version_replaces_the_old_one_and_an_inactive_one_ends_it() -> None:
    table = every_second()
    dues = table.due(at(0), 10)
    table.put(job(version=2, seconds=5), at(0.5), 0)
    table.settle(dues)  # of the old version: too late to matter
    (due,) = table.due(at(5), 10)
    assert [(fire.version, fire.planned_us) for fire in due.fires] == [(2, at(5))]
    table.put(job(version=3, is_active=False, seconds=5), at(6), 0)
    assert (len(table), table.next_at_us(), table.due(at(100), 10)) == (0, None, [])


def test_a_deleted_job_is_not_due() -> None:
    table = every_second()
    table.remove(1)
    assert table.due(at(100), 10) == []


def test_jitter_is_within_its_bounds_and_the_same_for_every_scheduler() -> None:
    tables = [every_second(jitter_s=30.0, on_missed="run_all", missed_limit=1000) for _ in range(2)]
    first, second = (table.due(at(500), 1)[0].fires for table in tables)
    assert first == second
    delays = [fire.not_before_us - fire.planned_us for fire in first]
    assert all(0 <= delay <= 30 * SECOND_US for delay in delays)
    assert len(set(delays)) > 400


def test_due_jobs_come_in_order_and_not_more_than_wanted() -> None:
    table = Timetable()
    for number in range(50):
        table.put(job(number, seconds=60 + number, start_date=""), NOW, 0)
    dues = table.due(at(200), 10)
    assert [due.job.id for due in dues] == list(range(10))
    next_us = table.next_at_us()
    assert next_us is not None
    assert at(69.8) < next_us <= at(70)


@pytest.mark.parametrize("jump_s", [3600, -3600])
@pytest.mark.parametrize("on_missed", ["run_once", "skip"])
def test_a_clock_that_jumps_by_an_hour_makes_at_most_one_fire_more(jump_s: int, on_missed: str) -> None:
    table = Timetable()
    table.put(job(1, seconds=1, on_missed=on_missed), NOW, 0)
    table.put(job(2, job_type="cron_style", cron_definition="* * * * *", on_missed=on_missed), NOW, 0)
    seen: dict[int, list[int]] = {1: [], 2: []}
    catch_ups = dict.fromkeys(seen, 0)
    for tick in range(240):
        now_us = at(tick / 2 + (jump_s if tick >= 120 else 0))
        dues = table.due(now_us, 100)
        table.settle(dues)
        for due in dues:
            assert len(due.fires) <= 3, "a storm"
            seen[due.job.id] += [fire.planned_us for fire in due.fires]
            catch_ups[due.job.id] += sum(fire.is_catch_up for fire in due.fires)
    for job_id, times in seen.items():
        assert times == sorted(set(times)), "a fire twice"
        assert catch_ups[job_id] == (1 if jump_s > 0 and on_missed == "run_once" else 0)
    if jump_s < 0:
        assert len(seen[1]) == 60, "what ran before the jump does not run again when its time comes back"


def test_a_hundred_thousand_jobs_are_loaded_and_fired_one_after_the_other() -> None:
    """Prints what it took; counts that each change of the heap is cheap: no job is looked at that is not due."""
    table, rng = Timetable(), random.Random(7)
    shapes = (
        job(seconds=37),
        job(hours=7, minutes=3),
        job(job_type="cron_style", cron_definition="*/7 * * * *"),
        job(job_type="cron_style", cron_definition="13 4 * * 1-5", time_zone="Europe/Berlin"),
    )
    jobs = [Job(number, str(number), 1, True, shapes[number % len(shapes)].options) for number in range(100_000)]
    started = time.perf_counter()
    for each in jobs:
        table.put(each, NOW - rng.randrange(86_400) * SECOND_US, NOW)
    loaded = time.perf_counter()
    assert len(table) == 100_000
    fired = 0
    last_us = 0
    for _ in range(50):
        first_us = table.next_at_us()
        assert first_us is not None
        assert first_us > last_us
        dues = table.due(first_us, 200)
        # All of them are planned for whole seconds.
        assert {fire.planned_us - first_us for due in dues for fire in due.fires} <= set(range(200_000))
        fired += len(dues)
        table.settle(dues)
        last_us = first_us - 1
    done = time.perf_counter()
    print(f"100,000 jobs loaded in {loaded - started:.2f} s; {fired} fires in {done - loaded:.3f} s")
