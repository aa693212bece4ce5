"""Jobs of all types, as people create them and services see them."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from running_cluster import Cluster

from zato.common.errors import InvalidOptions, NotFound
from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(120)]


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_one_time_job_runs_once_and_is_switched_off(cluster: Cluster) -> None:
    extra = json.dumps({"file": str(cluster.file("once")), "n": 1})
    created = cluster.add_job("once", job_type="one_time", service="test.seen", start_date=in_seconds(1), extra=extra)
    assert (created["name"], created["cron_definition"]) == ("once", "")
    eventually(lambda: not cluster.admin("zato.scheduler.job.get-by-name", name="once")["is_active"], timeout_s=20)
    (line,) = cluster.file("once").read_text().splitlines()
    seen = json.loads(line)
    assert (seen["channel"], seen["job_type"], seen["raw_request"]) == ("scheduler", "one_time", extra)
    assert seen["payload"] == json.loads(extra)
    (run,) = cluster.runs("once")
    assert (run["state"], run["trigger"], run["attempt"], run["server"]) == ("ok", "schedule", 1, "server1")
    assert json.loads(run["result"]) == {"done": True}
    assert run["planned_at"] < run["started_at"] < run["ended_at"]


def test_the_hooks_of_jobs_are_called_around_the_service_in_the_published_order(cluster: Cluster) -> None:
    path = cluster.file("hooks")
    cluster.add_job("hooks", job_type="interval_based", service="test.hooks", seconds=1, repeats=1, extra=str(path))
    eventually(lambda: [run["state"] for run in cluster.runs("hooks")] == ["ok"], timeout_s=20)
    assert path.read_text().splitlines() == [
        "before_job",
        "before_interval_based_job",
        "before_handle",
        "handle interval_based",
        "after_handle",
        "after_job",
        "after_interval_based_job",
    ]


def test_a_one_time_job_that_is_over_already_runs_at_once(cluster: Cluster) -> None:
    path = cluster.file("past")
    cluster.add_job("past", job_type="one_time", service="test.count", start_date=in_seconds(-3600), extra=str(path))
    eventually(lambda: sum(cluster.written("past").values()) == 1, timeout_s=20)


def test_a_service_has_another_one_run_later(cluster: Cluster) -> None:
    planned = cluster.admin("test.plan", file=str(cluster.file("planned")))
    eventually(lambda: len(cluster.written("planned")) == 1, timeout_s=20)
    job = cluster.admin("zato.scheduler.job.get-by-id", id=planned["id"])
    assert job["name"].startswith("test.plan.test.count.")
    eventually(lambda: [run["state"] for run in cluster.runs(job["name"])] == ["ok"], timeout_s=20)


def test_a_job_with_repeats_runs_so_often(cluster: Cluster) -> None:
    path = cluster.file("three")
    cluster.add_job("three", job_type="interval_based", service="test.count", seconds=1, repeats=3, extra=str(path))
    eventually(lambda: len(cluster.written("three")) == 3, timeout_s=20)
    assert cluster.schedulers[0].call("GetNextFires", job="three").fires == []
    assert [run["state"] for run in cluster.runs("three")] == ["ok", "ok", "ok"]


def test_a_job_that_fails_is_tried_again(cluster: Cluster) -> None:
    path = str(cluster.file("fails"))
    options: dict[str, Any] = {"retries": 2, "retry_after_s": 0.2, "start_date": in_seconds(0.5)}
    cluster.add_job("fails", job_type="one_time", service="test.fail", extra=path, **options)
    eventually(lambda: [run["state"] for run in cluster.runs("fails")] == ["failed"] * 3, timeout_s=30)
    runs = cluster.runs("fails")
    assert [(run["attempt"], run["trigger"]) for run in runs] == [(1, "schedule"), (2, "retry"), (3, "retry")]
    assert {run["error"] for run in runs} == {"ValueError: the reason"}
    assert cluster.written("fails") == dict.fromkeys((run["cid"] for run in runs), 1)
    eventually(lambda: not cluster.admin("zato.scheduler.job.get-by-name", name="fails")["is_active"], timeout_s=10)


def test_a_callback_is_told_how_a_run_ended(cluster: Cluster) -> None:
    path = cluster.file("told")
    options = {"service": "test.echo", "extra": str(path), "callback": "test.told", "start_date": in_seconds(0.5)}
    cluster.add_job("tells", job_type="one_time", **options)
    eventually(path.exists, timeout_s=30, what="the callback")
    told = json.loads(eventually(path.read_text, timeout_s=10))
    (run,) = cluster.runs("tells")
    assert told == {"run": run, "in_reply_to": run["cid"], "channel": "invoke-async-callback"}


def test_runs_are_counted_in_the_servers_metrics(cluster: Cluster) -> None:
    path = str(cluster.file("counted"))
    cluster.add_job("counted", job_type="interval_based", service="test.count", seconds=1, repeats=2, extra=path)
    eventually(lambda: len(cluster.written("counted")) == 2, timeout_s=20)
    wanted = 'zato_job_runs_total{job="counted",state="ok"} 2.0'
    eventually(lambda: wanted in cluster.servers[0].metrics(), timeout_s=10, what=wanted)
    assert "zato_job_drift_seconds_count" in cluster.servers[0].metrics()


def test_a_run_that_takes_too_long_is_cut(cluster: Cluster) -> None:
    extra = f"60 {cluster.file('late')}"
    start = in_seconds(0.2)
    cluster.add_job("late", job_type="one_time", service="test.slow", start_date=start, extra=extra, deadline_s=0.5)
    eventually(lambda: [run["state"] for run in cluster.runs("late")] == ["failed"], timeout_s=20)
    assert "took longer than its 0.5 s" in cluster.runs("late")[0]["error"]


def test_runs_of_a_job_beside_each_other_one_after_the_other_or_left_out(cluster: Cluster) -> None:
    for overlap in ("allow", "queue", "skip"):
        extra = f"1.6 {cluster.file(overlap)}"
        options: dict[str, Any] = {"overlap": overlap, "on_missed": "run_all", "repeats": 3, "seconds": 1}
        cluster.add_job(overlap, job_type="interval_based", service="test.slow", extra=extra, **options)

    def ended(job: str) -> bool:
        runs = cluster.runs(job)
        return len(runs) == 3 and all(run["ended_at"] for run in runs)

    for overlap in ("allow", "queue", "skip"):
        eventually(lambda job=overlap: ended(job), timeout_s=40, what=overlap)  # type: ignore[misc]

    def lines(name: str) -> list[str]:
        return [line.split()[0] for line in cluster.file(name).read_text().splitlines()]

    assert [run["state"] for run in cluster.runs("allow")] == ["ok"] * 3
    assert lines("allow")[:2] == ["begin", "begin"]
    assert [run["state"] for run in cluster.runs("queue")] == ["ok"] * 3
    assert lines("queue") == ["begin", "end"] * 3
    states = [run["state"] for run in cluster.runs("skip")]
    assert states[0] == "ok"
    assert "skipped" in states
    assert lines("skip") == ["begin", "end"] * states.count("ok")


def test_a_job_is_executed_by_hand_active_or_not(cluster: Cluster) -> None:
    path = cluster.file("by-hand")
    cluster.add_job("by-hand", job_type="cron_style", cron_definition="0 0 1 1 *", service="test.count", extra=str(path))
    cluster.admin("zato.scheduler.job.set-active-status", name="by-hand", is_active=False)
    executed = cluster.schedulers[0].call("Execute", job="by-hand")
    eventually(lambda: cluster.written("by-hand") == {executed.cid: 1}, timeout_s=20)
    eventually(lambda: [run["state"] for run in cluster.runs("by-hand")] == ["ok"], timeout_s=10)
    (run,) = cluster.schedulers[0].call("GetRuns", job="by-hand").runs
    assert (run.id, run.trigger, run.cid) == (executed.run_id, "manual", executed.cid)
    with pytest.raises(NotFound):
        cluster.schedulers[0].call("Execute", job="nobody")


def test_paused_jobs_fire_no_more_until_they_are_resumed(cluster: Cluster) -> None:
    scheduler, path = cluster.schedulers[0], cluster.file("paused")
    cluster.add_job("paused", job_type="interval_based", service="test.count", seconds=1, extra=str(path))
    cluster.await_runs("paused", 1)
    scheduler.call("Pause")
    eventually(lambda: scheduler.call("GetStatus").is_paused, timeout_s=10)
    before = cluster.runs("paused")[-1]["planned_at"]
    executed = scheduler.call("Execute", job="paused")  # by hand it runs still
    eventually(lambda: executed.cid in cluster.written("paused"), timeout_s=20)
    scheduler.call("Resume")
    eventually(lambda: [run for run in cluster.runs("paused", state="ok") if run["planned_at"] > before], timeout_s=20)
    planned = {run["planned_at"] for run in cluster.runs("paused") if run["trigger"] != "manual"}
    cluster.stop_job("paused")
    assert len(planned) == len([run for run in cluster.runs("paused") if run["planned_at"] in planned])


def test_next_fires_are_told_in_the_job_s_zone(cluster: Cluster) -> None:
    options = {"cron_definition": "30 2 * * *", "time_zone": "Europe/Berlin"}
    cluster.add_job("berlin", job_type="cron_style", service="test.count", **options)

    def fires() -> Any:
        with contextlib.suppress(NotFound):  # the scheduler hears of it in a moment
            return cluster.schedulers[0].call("GetNextFires", job="berlin", count=3).fires

    times = [datetime.fromisoformat(fire.at) for fire in eventually(fires)]
    assert len(times) == 3
    assert all(time.utcoffset() in (timedelta(hours=1), timedelta(hours=2)) for time in times)
    assert "berlin" in [fire.job for fire in cluster.schedulers[0].call("GetNextFires", count=100).fires]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"job_type": "cron_style", "cron_definition": "61 * * * *"}, "minute"),
        ({"job_type": "cron_style", "cron_definition": "0 25 * * *"}, "hour"),
        ({"job_type": "cron_style", "cron_definition": "0 0 31 2 *"}, "day-of-month"),
        ({"job_type": "cron_style", "cron_definition": "0 0 * 13 *"}, "month"),
        ({"job_type": "cron_style", "cron_definition": "0 0 * * 8"}, "day-of-week"),
        ({"job_type": "cron_style", "cron_definition": "* * * *"}, "4 fields"),
        ({"job_type": "cron_style"}, "'cron_definition' is required when 'job_type' is cron_style"),
        ({"job_type": "one_time"}, "'start_date' is required"),
        ({"job_type": "one_time", "start_date": "2027-02-30T10:00"}, "'start_date'.*day is out of range"),
        ({"job_type": "one_time", "start_date": "tomorrow"}, "'start_date'"),
        ({"job_type": "interval_based"}, "'seconds' has to be more than zero"),
        ({"job_type": "interval_based", "seconds": 0, "minutes": 0}, "'seconds' has to be more than zero"),
        ({"job_type": "interval_based", "seconds": -1}, "'seconds'"),
        ({"job_type": "interval_based", "weeks": 10**9}, "'weeks'"),
        ({"job_type": "interval_based", "hours": "many"}, "'hours'"),
        (
            {"job_type": "interval_based", "hours": 1, "start_date": "2027-01-02", "end_date": "2027-01-01"},
            "'end_date' has to be later than 'start_date'",
        ),
        ({"job_type": "interval_based", "hours": 1, "time_zone": "Europe/Atlantis"}, "'time_zone'"),
        ({"job_type": "interval_based", "hours": 1, "extra": "x" * 1_000_000}, "'extra'.*500,000 characters.*1,000,000"),
        ({"job_type": "sometimes"}, "'job_type'"),
        ({"job_type": "interval_based", "hours": 1, "service": ""}, "'service' is required"),
    ],
    ids=str,
)
def test_a_bad_schedule_is_refused_with_the_field_s_name(cluster: Cluster, options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOptions, match=named):
        cluster.add_job("bad", **{"service": "test.count", **options})
    with pytest.raises(NotFound):
        cluster.admin("zato.scheduler.job.get-by-name", name="bad")


def test_a_job_is_edited_renamed_listed_and_deleted_by_its_documented_services(cluster: Cluster) -> None:
    path = cluster.file("edited")
    created = cluster.add_job("edited", cluster_id=1, job_type="interval_based", service="test.count", hours=1, extra=str(path))
    values = {"job_type": "interval_based", "service": "test.count", "seconds": 1, "hours": 0, "repeats": None}
    edited = cluster.admin("zato.scheduler.job.edit", id=created["id"], name="renamed", is_active=True, **values)
    assert (edited["id"], edited["name"]) == (created["id"], "renamed")
    eventually(lambda: cluster.written("edited"), timeout_s=20)
    found = cluster.admin("zato.scheduler.job.get-by-name", cluster_id=1, name="renamed")
    assert (found["seconds"], found["service_name"], found["extra"]) == (1, "test.count", str(path))
    assert created["id"] in [job["id"] for job in cluster.admin("zato.scheduler.job.get-list", cluster_id=1)]
    cluster.admin("zato.scheduler.job.delete", id=created["id"])
    eventually(lambda: not cluster.schedulers[0].call("GetRuns", job="renamed", state="claimed").runs)
    with pytest.raises(NotFound):
        cluster.admin("zato.scheduler.job.get-by-id", id=created["id"])
    assert cluster.runs("renamed"), "what ran stays known"
