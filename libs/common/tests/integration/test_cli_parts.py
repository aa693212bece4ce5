"""`zato create`, `start`, `stop` and `info`, with real processes of stand-in parts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from zato.common.cli.main import main
from zato.common.cli.parts import load_parts
from zato.common.lifecycle.folders import create_folder
from zato.common.testing.processes import free_port

FAKES = Path(__file__).parents[1] / "fakes"


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


class Zato:
    """Runs the command as its console script does, in this process since starting Python takes longer than most tests."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the stand-ins for this process and those that it starts."""
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv("PYTHONPATH", str(FAKES))


@pytest.fixture
def zato(capsys: pytest.CaptureFixture[str]) -> Zato:
    return Zato(capsys)


class Folder:
    """The folder of a stand-in."""

    def __init__(self, path: Path, zato: Zato, **values: object) -> None:
        self.path = path
        self.address = free_address()
        self._zato = zato
        create_folder(
            load_parts().get("plain"), path, {"address": self.address, "greeting": "good morning", **values}, version="1"
        )

    def start(self, *flags: object) -> Result:
        return self._zato("start", self.path, *flags)

    def stop(self, *flags: object) -> Result:
        return self._zato("stop", self.path, *flags)

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._zato("info", self.path, "--json").out)
        return found

    @property
    def log(self) -> str:
        return (self.path / "logs" / "plain.log").read_text()

    @property
    def pid_file(self) -> Path:
        return self.path / "run" / "plain.pid"

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text().split()[0])


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where a test makes its folder. Whatever still runs from it afterwards is ended."""
    path = tmp_path / "part"
    yield path
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(tmp_path):
                process.kill()
        except psutil.Error:
            continue


def ended(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_part_is_started_looked_at_and_stopped(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    assert folder.info()["state"] == "stopped"

    started = folder.start()
    assert started.code == 0, started.err
    info = folder.info()
    assert info["state"] == "ready"
    assert info["version"] == "1.2.3"
    assert info["addresses"] == {"http": folder.address}
    assert info["memory"] > 5_000_000
    assert psutil.pid_exists(info["pid"])

    stopped = folder.stop()
    assert stopped.code == 0, stopped.err
    assert ended(info["pid"])
    assert not folder.pid_file.exists()
    assert folder.log.splitlines()[-1] == "ended by itself"


def test_starting_twice_changes_nothing(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    folder.start()
    pid = folder.pid
    again = folder.start()
    assert again.code == 0
    assert "already running" in again.out
    assert folder.pid == pid


def test_two_starts_at_the_same_moment_make_one_process(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    command = [sys.executable, "-m", "zato.common.cli.main", "--json", "start", str(path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=30)[0]) for process in started]
    assert len({answer["pid"] for answer in answers}) == 1
    assert sorted(answer["was_running"] for answer in answers) == [False, True, True]
    assert folder.log.count("good morning") == 1


def test_stopping_what_does_not_run_is_no_error(path: Path, zato: Zato) -> None:
    stopped = Folder(path, zato).stop()
    assert stopped.code == 0
    assert "not running" in stopped.out


def test_info_of_a_stopped_part_has_an_exit_code_of_its_own_and_says_how_to_start_it(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    info = zato("info", path)
    assert info.code == 3
    assert f"zato start {folder.path}" in info.out


def test_a_part_that_dies_at_its_start_shows_the_end_of_its_log_and_the_reason(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="dies")
    started = folder.start()
    assert started.code == 1
    assert "│ good morning" in started.err
    assert started.err.splitlines()[-1] == "error: part ended with code 1 while it started: ValueError: cannot find the moon"
    assert not folder.pid_file.exists()


def test_only_the_log_of_this_start_is_shown(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="dies")
    folder.start()
    assert folder.start().err.count("good morning") == 1
    assert folder.log.count("good morning") == 2


def test_a_large_log_is_put_aside_at_the_next_start_and_not_while_it_runs(path: Path, zato: Zato) -> None:
    part = Folder(path, zato)
    log = path / "logs" / "plain.log"
    log.touch()
    os.truncate(log, 100 * 1024 * 1024)
    assert part.start().code == 0
    assert [file.name for file in sorted(log.parent.iterdir())] == ["plain.log", "plain.log.1"]
    assert 0 < log.stat().st_size < 1024 * 1024
    os.truncate(log, 100 * 1024 * 1024)
    assert part.start().code == 0, "it runs already"
    assert not (log.parent / "plain.log.2").exists()
    part.stop()


def test_a_part_that_is_not_ready_in_time_is_left_running(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="never-ready")
    started = folder.start("--wait", "1.5")
    assert started.code == 4
    assert "was not ready after 1.5 s" in started.err
    info = folder.info()
    assert info["state"] == "not ready"
    assert folder.stop().code == 0


def test_without_waiting_start_returns_at_once(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="never-ready")
    assert folder.start("--wait", "0").code == 0
    assert folder.info()["pid"] == folder.pid


def test_a_part_that_ignores_sigterm_is_killed_and_this_is_said(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="ignores-sigterm")
    folder.start()
    pid = folder.pid
    stopped = folder.stop("--timeout", "0.3")
    assert stopped.code == 0
    assert "killed" in stopped.out
    assert ended(pid)


def test_its_workers_end_with_it(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="has-workers", workers=3)
    folder.start()
    workers = psutil.Process(folder.pid).children()
    assert len(workers) == 3
    assert folder.info()["processes"] == 4
    folder.stop()
    assert all(ended(worker.pid) for worker in workers)


def test_workers_that_survived_a_killed_part_are_ended_before_it_starts_again(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato, habit="has-workers")
    folder.start()
    workers = psutil.Process(folder.pid).children()
    os.kill(folder.pid, signal.SIGKILL)
    assert ended(folder.pid)
    assert folder.info()["state"] == "stopped"
    assert not any(ended(worker.pid) for worker in workers[:1])

    started = folder.start()
    assert started.code == 0, started.err
    assert all(ended(worker.pid) for worker in workers)
    folder.stop()


def test_a_stale_pid_file_is_no_running_part(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    folder.start()
    os.kill(folder.pid, signal.SIGKILL)
    assert ended(folder.pid)
    assert folder.info()["pid"] == 0
    assert "already running" not in folder.start().out


def test_a_pid_that_belongs_to_another_program_by_now_is_never_signalled(path: Path, tmp_path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    # It even works in the part's folder, as a shell of somebody who looks around there does.
    other = subprocess.Popen(["sleep", "60"], cwd=folder.path)
    try:
        folder.pid_file.write_text(f"{other.pid}\n12.34\n")
        assert folder.info()["pid"] == 0
        assert "not running" in folder.stop().out
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_process_of_the_right_age_elsewhere_is_not_ours(path: Path, tmp_path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    other = subprocess.Popen(["sleep", "60"], cwd=tmp_path.parent)
    try:
        moment = psutil.Process(other.pid).create_time() - psutil.boot_time()
        folder.pid_file.write_text(f"{other.pid}\n{moment}\n")
        assert "not running" in folder.stop().out
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_taken_port_is_said_with_who_has_it_and_what_to_change(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    host, port = folder.address.split(":")
    with socket.create_server((host, int(port))):
        started = folder.start()
    assert started.code == 1
    assert f"cannot listen at {folder.address}" in started.err
    assert f"(pid {os.getpid()})" in started.err
    assert f"change 'address' in {folder.path / 'settings.toml'}" in started.err
    assert not folder.pid_file.exists()


def test_it_outlives_the_command_that_started_it(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    subprocess.run([sys.executable, "-m", "zato.common.cli.main", "start", str(path)], check=True, capture_output=True)
    assert folder.info()["state"] == "ready"
    process = psutil.Process(folder.pid)
    assert os.getsid(process.pid) == process.pid
    assert os.readlink(f"/proc/{process.pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{process.pid}/fd/1") == str(folder.path / "logs" / "plain.log")
    assert process.cwd() == str(folder.path)
    assert folder.stop().code == 0
    assert ended(process.pid)


def test_in_the_foreground_it_logs_to_the_terminal_and_ctrl_c_ends_it(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    running = subprocess.Popen(
        [sys.executable, "-m", "zato.common.cli.main", "start", str(path), "--fg"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "good morning\n"
    assert running.stdout.readline() == f"running, pid {running.pid}\n"
    assert folder.info()["pid"] == running.pid
    assert "already runs" in folder.start("--fg").err
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=10)[0] == "ended by itself\n"
    assert folder.info()["state"] == "stopped"


def test_the_environment_comes_before_the_file(path: Path, zato: Zato, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(path, zato)
    address = free_address()
    monkeypatch.setenv("ZATO_PLAIN_ADDRESS", address)
    started = folder.start()
    assert started.code == 0, started.err
    assert f"http {address}" in started.out
    folder.stop()


def test_a_setting_that_does_not_fit_is_named_before_anything_starts(path: Path, zato: Zato) -> None:
    folder = Folder(path, zato)
    settings = folder.path / "settings.toml"
    settings.write_text(settings.read_text().replace("# workers = 2", "workers = 0"))
    started = folder.start()
    assert started.code == 1
    said = f"error: settings of plain: 'workers' takes a whole number of at least 1, not 0. See {settings}"
    assert started.err.splitlines()[-1] == said
    assert not (folder.path / "logs" / "plain.log").exists()


def test_a_cluster_s_folder_is_no_part_and_the_message_says_what_to_use(path: Path, zato: Zato) -> None:
    path.mkdir()
    (path / "cluster.toml").write_text("")
    started = zato("start", path)
    assert started.code == 1
    assert "zato quickstart start" in started.err
