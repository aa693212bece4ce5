"""
The machine's clock is set while jobs fire, and days have 23 or 25 hours.

Server and scheduler run under libfaketime, which tells them the wall clock that a file says. What only counts seconds is real.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from running_cluster import Cluster

from zato.common.testing.plugin import require_program
from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(180)]

# A few fires of a job that fires each second: enough to see a storm, or that one is missing.
SOME_S = 4.0


class FakeClock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset_s = 0.0
        self._tell()

    def set(self, moment: str) -> None:
        """Let it be e.g. "2026-03-29T00:59:55+00:00" now."""
        self._offset_s = datetime.fromisoformat(moment).timestamp() - time.time()
        self._tell()

    def jump(self, seconds: float) -> None:
        self._offset_s += seconds
        self._tell()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._offset_s, UTC)

    def _tell(self) -> None:
        # Replaced at once: a reader of half a line would see no offset at all.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._offset_s:+.6f}\n")
        new.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    program = Path(require_program("faketime"))
    (library,) = program.parent.parent.glob("lib/*/faketime/libfaketimeMT.so.1")
    clock = FakeClock(tmp_path / "clock")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(tmp_path / "clock"))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return clock


def planned_since(cluster: Cluster, name: str, since: datetime) -> list[datetime]:
    times = [datetime.fromisoformat(run["planned_at"]) for run in cluster.runs(name)]
    return [planned for planned in times if planned >= since]


def add_job(cluster: Cluster, name: str, **options: Any) -> None:
    cluster.add_job(name, service="test.count", extra=str(cluster.file(name)), **options)


@pytest.mark.parametrize("policy", ["run_once", "run_all", "skip"])
def test_a_clock_that_jumps_an_hour_ahead_makes_up_for_it_once_and_no_more(
    clock: FakeClock, start_cluster: Callable[..., Cluster], policy: str
) -> None:
    cluster = start_cluster()
    add_job(cluster, "each", job_type="interval_based", seconds=1, on_missed=policy, missed_limit=1)
    cluster.await_runs("each", 3)
    before = clock.now
    clock.jump(3600)
    after = clock.now
    cluster.await_runs("each", 3)
    cluster.stop_job("each")
    runs = cluster.runs("each")
    assert {run["state"] for run in runs} <= {"ok", "skipped"}
    catch_ups = [run for run in runs if run["trigger"] == "catch-up"]
    assert len(catch_ups) <= 1, "a storm"
    in_the_hour_that_was_not = [each for each in planned_since(cluster, "each", before) if each < after]
    # One to make up for it, and those of the seconds in which the clock was set.
    assert len(in_the_hour_that_was_not) <= 1 + SOME_S
    if policy != "skip":
        assert sum(run["missed"] for run in runs) > 3500, "nobody noticed that fires were missed"


def test_a_clock_that_jumps_an_hour_back_fires_nothing_again(clock: FakeClock, start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster()
    add_job(cluster, "each", job_type="interval_based", seconds=1)
    cluster.await_runs("each", 3)
    clock.jump(-3600)
    time.sleep(SOME_S)
    runs = cluster.runs("each")
    assert len({run["planned_at"] for run in runs}) == len(runs), "a planned time ran twice"
    assert planned_since(cluster, "each", clock.now) == [datetime.fromisoformat(run["planned_at"]) for run in runs], (
        "it fired in the hour that it had fired in before"
    )
    # The clock is put right: it goes on where it was, with one run for what was missed meanwhile.
    clock.jump(3600)
    cluster.await_runs("each", 2)
    assert len([run for run in cluster.runs("each") if run["trigger"] == "catch-up"]) <= 1


def test_a_job_in_the_hour_that_spring_does_not_have_runs_right_after_it_once(
    clock: FakeClock, start_cluster: Callable[..., Cluster]
) -> None:
    clock.set("2026-03-29T00:59:40+00:00")
    cluster = start_cluster()
    add_job(cluster, "spring", job_type="cron_style", cron_definition="30 2 * * *", time_zone="Europe/Warsaw")
    clock.set("2026-03-29T00:59:57+00:00")
    (run,) = eventually(lambda: cluster.runs("spring"), timeout_s=20, what="the run")
    assert run["planned_at"] == "2026-03-29T01:00:00+00:00"
    clock.set("2026-03-29T01:29:58+00:00")
    time.sleep(SOME_S)
    assert len(cluster.runs("spring")) == 1


def test_a_job_in_the_hour_that_autumn_has_twice_runs_once(clock: FakeClock, start_cluster: Callable[..., Cluster]) -> None:
    clock.set("2026-10-25T00:29:30+00:00")
    cluster = start_cluster()
    add_job(cluster, "autumn", job_type="cron_style", cron_definition="30 2 * * *", time_zone="Europe/Warsaw")
    clock.set("2026-10-25T00:29:57+00:00")
    (run,) = eventually(lambda: cluster.runs("autumn"), timeout_s=20, what="the run")
    assert run["planned_at"] == "2026-10-25T00:30:00+00:00"
    clock.set("2026-10-25T01:29:57+00:00")
    time.sleep(SOME_S)
    assert len(cluster.runs("autumn")) == 1
