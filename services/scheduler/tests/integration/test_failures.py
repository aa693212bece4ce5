"""
Each planned fire runs once, whatever dies. Everything here is counted, in the ODB and in what the services wrote.

ZATO_TEST_KILLS says how many leaders are killed; five unless it is set.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running_cluster import Cluster, kill, pause, resume

from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.plugin import require_program
from zato.common.testing.postgresql_server import PostgreSQLServer
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually

KILLS = int(os.environ.get("ZATO_TEST_KILLS", "5"))
# How long a leader is stopped: many times its lease. The jobs run once a second.
STOPPED_FOR_S = 20
# A busy machine may be late without anybody being dead.
LATE_AFTER_S = 2.0

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(180 + 20 * KILLS)]


def add_jobs(cluster: Cluster) -> None:
    """One job whose missed fires are all made up for, one with a single fire for all of them."""
    for name, options in {"all": {"on_missed": "run_all", "missed_limit": 1000}, "one": {"on_missed": "run_once"}}.items():
        path = str(cluster.file(name))
        cluster.add_job(name, job_type="interval_based", service="test.count", seconds=1, extra=path, **options)
    cluster.await_runs("all", 2)


def stop_jobs(cluster: Cluster) -> None:
    for name in ("all", "one"):
        cluster.stop_job(name)


def seconds_covered(runs: Sequence[dict[str, Any]]) -> list[int]:
    """Return the planned fires that the runs stand for, as seconds since the first one."""
    first = datetime.fromisoformat(runs[0]["planned_at"])
    covered = []
    for run in runs:
        at = (datetime.fromisoformat(run["planned_at"]) - first) / timedelta(seconds=1)
        covered += [round(at) - earlier for earlier in range(run["missed"], -1, -1)]
    return covered


def check_that_each_fire_ran_once(cluster: Cluster, name: str, *, takeovers: int) -> None:
    runs = cluster.runs(name)
    written = cluster.written(name)
    skipped = [run for run in runs if run["state"] == "skipped"]
    assert all(datetime.fromisoformat(run["ended_at"]) >= cluster.stopped_at[name] for run in skipped)
    ran = [run for run in runs if run not in skipped]
    assert {run["state"] for run in ran} == {"ok"}
    assert set(written.values()) == {1}, "a run ran twice"
    assert written.keys() == {run["cid"] for run in ran}, "a run was recorded that did not happen, or the other way round"
    covered = seconds_covered(runs)
    assert sorted(covered) == list(range(len(covered))), "a planned fire was missed, or planned twice"
    catch_ups = [run for run in runs if run["trigger"] == "catch-up"]
    if name == "one":
        assert len(catch_ups) <= takeovers, "more than one run to catch up after somebody died"
    else:
        assert all(run["missed"] == 0 for run in runs)
    print(f"{name}: {len(covered)} fires planned, {len(runs)} runs, {len(catch_ups)} of them catching up")


def test_leaders_are_killed_and_one_is_stopped_and_wakes_up(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(servers=2, schedulers=3, late_after_s=LATE_AFTER_S)
    add_jobs(cluster)
    waited = []
    for _ in range(KILLS):
        dead, seconds = cluster.replace_leader(kill)
        waited.append(seconds)
        cluster.await_runs("one", 2)
        dead.start()
    stopped, seconds = cluster.replace_leader(pause)
    waited.append(seconds)
    cluster.await_runs("one", STOPPED_FOR_S)
    epoch = cluster.epoch()
    resume(stopped)
    eventually(lambda: stopped.events("standing_by")[-1:], timeout_s=20, what="the old leader to stand by")
    assert not stopped.leads
    cluster.await_runs("one", 3)
    assert cluster.epoch() == epoch, "the old leader took nothing back"
    stop_jobs(cluster)
    for name in ("all", "one"):
        check_that_each_fire_ran_once(cluster, name, takeovers=KILLS + 1)
    print(f"new leader after {', '.join(f'{seconds:.1f}' for seconds in waited)} s")
    assert statistics.median(waited) < 5


def test_each_fire_runs_once_on_sqlite_too(start_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = start_cluster(f"sqlite:///{tmp_path}/odb.db", servers=2, schedulers=2, late_after_s=LATE_AFTER_S)
    add_jobs(cluster)
    dead, _ = cluster.replace_leader(kill)
    cluster.await_runs("one", 2)
    dead.start()
    cluster.servers[0].restart()
    cluster.await_runs("one", 2)
    stop_jobs(cluster)
    for name in ("all", "one"):
        check_that_each_fire_ran_once(cluster, name, takeovers=3)


def test_a_leader_that_is_told_to_end_is_followed_at_once(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(servers=1, schedulers=2, lease_s=600.0)
    first, _ = cluster.replace_leader(lambda leader: leader.process.stop())
    first.start()
    cluster.replace_leader(lambda leader: leader.process.stop())


def test_servers_restart_in_turn_and_so_does_redis(start_cluster: Callable[..., Cluster], redis_server: RedisServer) -> None:
    cluster = start_cluster(servers=2, schedulers=2, redis_url=redis_server.url, late_after_s=LATE_AFTER_S)
    add_jobs(cluster)
    for server in cluster.servers:
        server.restart()
        cluster.await_runs("one", 2)
    redis_server.stop()
    cluster.await_runs("one", 2)
    redis_server.start()
    cluster.await_runs("one", 2)
    # A change made with Redis back still arrives.
    stop_jobs(cluster)
    for name in ("all", "one"):
        check_that_each_fire_ran_once(cluster, name, takeovers=3)


def await_complaint(cluster: Cluster) -> None:
    """Wait until a server or a scheduler has something to say."""

    def said() -> int:
        return sum(each.log.read_text(errors="replace").count('"warning"') for each in (*cluster.servers, *cluster.schedulers))

    before = said()
    eventually(lambda: said() > before, timeout_s=40, what="somebody to notice")


def test_postgresql_is_restarted_and_then_slow(start_cluster: Callable[..., Cluster]) -> None:
    with tempfile.TemporaryDirectory(prefix="zato-test-postgresql-") as folder:
        database = PostgreSQLServer(require_program("postgres"), Path(folder))
        database.start()
        with FaultProxy("127.0.0.1", database.port) as proxy:
            cluster = start_cluster(proxy.in_url(database.url), servers=2, schedulers=2, late_after_s=LATE_AFTER_S)
            add_jobs(cluster)
            database.stop()
            await_complaint(cluster)
            database.start()
            cluster.await_runs("one", 2)
            proxy.delay(2.0)
            await_complaint(cluster)
            proxy.restore()
            cluster.await_runs("one", 2)
            stop_jobs(cluster)
            for name in ("all", "one"):
                check_that_each_fire_ran_once(cluster, name, takeovers=6)
        database.stop()


def test_a_server_that_hangs_holds_nothing_up(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(servers=2, schedulers=2, late_after_s=LATE_AFTER_S)
    add_jobs(cluster)
    family = cluster.servers[0].family()
    for process in family:
        process.suspend()
    # What it had taken on waits for it; all else goes on at the other one.
    cluster.servers.reverse()
    cluster.await_runs("one", 6)
    for process in family:
        process.resume()
    cluster.await_runs("one", 2)
    stop_jobs(cluster)
    for name in ("all", "one"):
        check_that_each_fire_ran_once(cluster, name, takeovers=6)


def test_a_run_whose_server_is_killed_is_lost_and_tried_again_elsewhere(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(servers=2, schedulers=1)
    extra = f"60 {cluster.file('slow')}"
    options: dict[str, Any] = {"start_date": "2026-01-01", "retries": 1, "retry_after_s": 0.1, "overlap": "queue"}
    cluster.add_job("slow", job_type="one_time", service="test.slow", extra=extra, **options)
    eventually(lambda: len(cluster.written("slow")) == 2, timeout_s=20)  # the word and the id
    (run,) = cluster.runs("slow")
    victim = next(server for server in cluster.servers if server.name == run["server"])
    for process in victim.family():
        process.kill()
    eventually(lambda: [run["state"] for run in cluster.runs("slow")] == ["lost", "running"], timeout_s=60)
    first, second = cluster.runs("slow")
    assert first["server"] != second["server"]
    assert "is gone" in first["error"]
    assert len(cluster.written("slow")) == 3


def test_a_run_goes_on_when_its_scheduler_is_killed(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(servers=1, schedulers=2)
    extra = f"4 {cluster.file('long')}"
    cluster.add_job("long", job_type="one_time", service="test.slow", start_date="2026-01-01", extra=extra)
    eventually(lambda: cluster.written("long"), timeout_s=20)
    cluster.replace_leader(kill)
    eventually(lambda: [run["state"] for run in cluster.runs("long")] == ["ok"], timeout_s=30)
    (cid,) = {run["cid"] for run in cluster.runs("long")}
    assert cluster.written("long") == {"begin": 1, "end": 1, cid: 2}
