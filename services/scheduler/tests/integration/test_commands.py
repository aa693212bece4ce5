"""`zato scheduler` and the life of the scheduler's folder, as people type it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from running_cluster import TOKEN, Cluster

from zato.common.cli.main import main
from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def zato(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def scheduler(cluster: Cluster, zato: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """`zato scheduler`, told of it by its address."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    return lambda *arguments: zato("scheduler", *arguments, "--address", cluster.schedulers[0].address, "--token-file", token)


def test_jobs_their_next_fires_and_their_runs_are_shown(cluster: Cluster, scheduler: Callable[..., Result]) -> None:
    cluster.add_job("shown", job_type="cron_style", cron_definition="30 2 * * *", service="test.count", time_zone="Asia/Tokyo")
    cluster.add_job("quick", job_type="interval_based", seconds=1, service="test.count", extra=str(cluster.file("quick")))
    cluster.await_runs("quick", 1)
    status = scheduler("status")
    assert status.code == 0
    assert "leads, epoch 1" in status.out
    assert json.loads(scheduler("status", "--json").out)["is_leader"]
    following = scheduler("next")
    assert "every second" in following.out
    assert "T02:30:00+09:00" in following.out
    # Where no terminal shows it, it is shown once.
    assert "T02:30:00+09:00" in scheduler("next", "--watch").out
    assert len(json.loads(scheduler("next", "shown", "--count", "4", "--json").out)) == 4
    eventually(lambda: "ok" in scheduler("runs", "quick").out, timeout_s=20)
    assert "There is no such run" in scheduler("runs", "quick", "--state", "failed").out
    assert scheduler("next", "nobody").code == 1


def test_a_job_is_executed_paused_and_resumed(cluster: Cluster, scheduler: Callable[..., Result]) -> None:
    cluster.add_job(
        "yearly", job_type="cron_style", cron_definition="@yearly", service="test.count", extra=str(cluster.file("y"))
    )
    executed = json.loads(scheduler("execute", "yearly", "--json").out)
    eventually(lambda: cluster.written("y") == {executed["cid"]: 1}, timeout_s=20)
    assert "zato scheduler resume yearly" in scheduler("pause", "yearly").out
    assert not cluster.admin("zato.scheduler.job.get-by-name", name="yearly")["is_active"]
    assert scheduler("resume", "yearly").code == 0
    assert cluster.admin("zato.scheduler.job.get-by-name", name="yearly")["is_active"]
    assert scheduler("pause").code == 0
    assert cluster.admin("zato.scheduler.get-status")["is_paused"]
    eventually(lambda: "all paused" in scheduler("status").out, timeout_s=10)
    assert scheduler("resume").code == 0
    nobody = scheduler("execute", "nobody")
    assert (nobody.code, "no scheduler-job named 'nobody'" in nobody.err) == (1, True)


def test_created_started_stopped(zato: Callable[..., Result], tmp_path: Path, free_port: Callable[[], int]) -> None:
    """It starts, and answers, though no server is there."""
    folder = tmp_path / "scheduler"
    addresses = ("--grpc-address", f"127.0.0.1:{free_port()}", "--server-addresses", f"127.0.0.1:{free_port()}")
    created = zato("create", "scheduler", folder, *addresses)
    assert created.code == 0, created.err
    try:
        started = zato("start", folder)
        assert started.code == 0, started.err
        status = json.loads(zato("scheduler", "status", "--folder", folder, "--json").out)
        assert (status["is_leader"], status["is_connected"]) == (False, False)
    finally:
        stopped = json.loads(zato("stop", folder, "--json").out)
    assert stopped == {"name": "scheduler", "part": "scheduler", "was_running": True, "was_killed": False}
