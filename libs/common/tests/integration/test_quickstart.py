"""`zato quickstart` with a real Redis and stand-ins for the other parts."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from zato.common.cli.main import main
from zato.common.errors import NotFound
from zato.common.quickstart.redis_server import find_redis_server

FAKES = Path(__file__).parents[1] / "fakes"

pytestmark = pytest.mark.redis


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Quickstart:
    """`zato quickstart <action> PATH`."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def __call__(self, action: str, *flags: object) -> Result:
        self._capsys.readouterr()
        # Whatever else is installed: the parts of these tests know no certificates.
        clear = ["--clear-text"] if action == "create" else []
        code = main(["quickstart", action, str(self.path), *clear, *map(str, flags)])
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)

    @property
    def toml(self) -> dict[str, Any]:
        return tomllib.loads((self.path / "cluster.toml").read_text())

    @property
    def secrets(self) -> dict[str, str]:
        return tomllib.loads((self.path / "secrets.toml").read_text())

    def settings(self, name: str) -> dict[str, Any]:
        folder = self.path / name
        return tomllib.loads((folder / "settings.toml").read_text()) | tomllib.loads((folder / "secrets.toml").read_text())

    def pids(self) -> dict[str, int]:
        return {part["name"]: part["pid"] for part in self("status", "--json").json["parts"]}


@pytest.fixture
def quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Quickstart]:
    try:
        find_redis_server()
    except NotFound as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(exc))
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    path = tmp_path / "cluster"
    yield Quickstart(path, capsys)
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(tmp_path):
                process.kill()
        except psutil.Error:
            continue


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_a_cluster_is_created_started_used_stopped_and_destroyed(quickstart: Quickstart) -> None:
    created = quickstart("create")
    assert created.code == 0, created.err
    assert "redis, lb-agent, server1, server2, scheduler" in created.out
    assert f"zato quickstart start {quickstart.path}" in created.out

    started = quickstart("start")
    assert started.code == 0, started.err
    password = quickstart.secrets["pubapi_password"]
    curl = next(line for line in started.out.splitlines() if "curl" in line)
    assert f"-u pubapi:{password} http://127.0.0.1:" in curl
    assert curl.endswith("/zato/api/invoke/zato.ping")

    status = quickstart("status")
    assert status.code == 0
    assert status.out.count("ready") == 5

    stopped = quickstart("stop")
    assert stopped.code == 0
    assert stopped.out.count("stopped") == 5
    assert quickstart("status").code == 3

    destroyed = quickstart("destroy", "--yes")
    assert destroyed.code == 0
    assert not quickstart.path.exists()


def test_each_step_may_be_repeated(quickstart: Quickstart) -> None:
    quickstart("create")
    again = quickstart("create")
    assert again.code == 0
    assert "already" in again.out

    first = quickstart("start", "--json").json
    assert first["created"] == ["pubapi", "zato.api.invoke"]
    pids = quickstart.pids()
    second = quickstart("start")
    assert second.code == 0, second.err
    assert second.out.count("already running") == 5
    assert quickstart.pids() == pids
    assert quickstart("start", "--json").json["created"] == []

    quickstart("stop")
    assert quickstart("stop").out.count("not running") == 5


def test_the_first_administrator_s_password_is_made_shown_once_and_kept_for_its_owner(quickstart: Quickstart) -> None:
    quickstart("create")
    started = quickstart("start")
    file = quickstart.path / "admin_password"
    password = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(password) > 15 and started.out.count(password) == 1
    account = json.loads((quickstart.path / "odb.json").read_text())["account/admin"]
    assert account == {"name": "admin", "role": "admin", "password": password, "must_change_password": True}

    file.unlink()
    again = quickstart("start")
    assert password not in again.out and not file.exists()
    assert quickstart("start", "--json").json["first_admin"] is None


def test_a_start_that_was_interrupted_before_the_account_was_made_goes_on_with_the_password_that_is_kept(
    quickstart: Quickstart,
) -> None:
    quickstart("create")
    (quickstart.path / "admin_password").write_text("kept-before-it-was-used")
    first_admin = quickstart("start", "--json").json["first_admin"]
    assert first_admin == {
        "name": "admin",
        "password": "kept-before-it-was-used",
        "password_file": str(quickstart.path / "admin_password"),
    }


def test_what_is_secret_is_generated_and_readable_by_its_owner_only(quickstart: Quickstart) -> None:
    quickstart("create")
    assert stat.S_IMODE(quickstart.path.stat().st_mode) == 0o700
    files = list(quickstart.path.rglob("secrets.toml"))
    assert len(files) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(set(quickstart.secrets.values())) == 5
    for name in ("lb-agent", "server1", "server2", "scheduler"):
        assert quickstart.settings(name)["token"] == quickstart.secrets["token"]


def test_redis_takes_no_calls_without_the_password_and_keeps_what_it_was_told(quickstart: Quickstart) -> None:
    quickstart("create")
    quickstart("start")
    settings = quickstart.settings("redis")

    def ask(*lines: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port_of(settings["address"])), timeout=2) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))

    assert ask("PING").startswith(b"-NOAUTH")
    assert ask(f"AUTH {settings['password']}", "SET colour green") == b"+OK\r\n+OK\r\n"
    assert stat.S_IMODE((quickstart.path / "redis" / "redis.conf").stat().st_mode) == 0o600
    quickstart("stop")
    quickstart("start")
    assert ask(f"AUTH {settings['password']}", "GET colour") == b"+OK\r\n$5\r\ngreen\r\n"


def test_other_options_for_an_existing_cluster_are_refused(quickstart: Quickstart) -> None:
    quickstart("create", "--servers", 1)
    assert quickstart("create", "--servers", 1).code == 0
    refused = quickstart("create", "--servers", 3)
    assert refused.code == 1
    assert "with --servers 1, not 3" in refused.err


def test_ports_that_are_taken_are_stepped_around_at_creation(quickstart: Quickstart) -> None:
    with contextlib.ExitStack() as stack:
        # When it is taken already, by a cluster of somebody who works here, all the better.
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 17010)))
        created = quickstart("create")
    assert created.code == 0
    assert "Port 17010 is taken by" in created.out
    assert "(pid " in created.out
    servers = [part["http_address"] for part in quickstart.toml["parts"] if part["part"] == "server"]
    assert "127.0.0.1:17010" not in servers
    assert len(set(servers)) == 2


def test_a_port_that_was_taken_since_moves_and_whoever_needs_it_is_told(quickstart: Quickstart) -> None:
    quickstart("create")
    old = port_of(quickstart.settings("redis")["address"])
    with socket.create_server(("127.0.0.1", old)):
        started = quickstart("start")
        assert started.code == 0, started.err
        assert f"Port {old} is taken by" in started.out
    new = port_of(quickstart.settings("redis")["address"])
    assert new != old
    assert f":{new}/0" in quickstart.settings("server1")["redis_url"]
    assert f":{new}/0" in quickstart.settings("server2")["redis_url"]


def test_a_part_whose_settings_a_move_changed_starts_anew(quickstart: Quickstart) -> None:
    quickstart("create")
    quickstart("start")
    before = quickstart.pids()
    old = port_of(quickstart.settings("redis")["address"])
    psutil.Process(before["redis"]).kill()
    psutil.wait_procs([psutil.Process(before["redis"])], timeout=3)
    with socket.create_server(("127.0.0.1", old)):
        started = quickstart("start")
    assert started.code == 0, started.err
    assert "server1 starts anew" in started.out
    after = quickstart.pids()
    assert after["server1"] != before["server1"]
    assert after["lb-agent"] == before["lb-agent"]


def test_what_the_user_changed_in_the_settings_stays(quickstart: Quickstart) -> None:
    quickstart("create")
    file = quickstart.path / "server1" / "settings.toml"
    file.write_text(file.read_text().replace("# workers = 2", "workers = 4"))
    quickstart("start")
    assert quickstart.settings("server1")["workers"] == 4
    assert "# Worker processes" in file.read_text()


def test_a_folder_that_was_moved_still_starts(quickstart: Quickstart) -> None:
    quickstart("create")
    moved = quickstart.path.with_name("elsewhere")
    quickstart.path.rename(moved)
    quickstart.path = moved
    started = quickstart("start")
    assert started.code == 0, started.err
    assert quickstart.settings("server1")["odb_url"] == f"sqlite:///{moved}/odb.db"


def test_one_part_that_fails_does_not_keep_the_others_from_starting_and_is_explained(quickstart: Quickstart) -> None:
    quickstart("create")
    file = quickstart.path / "server2" / "secrets.toml"
    file.write_text(file.read_text() + 'colour = "green"\n')
    started = quickstart("start")
    assert started.code == 1
    assert "✗ server2" in started.out
    assert "✓ server1" in started.out
    assert "error: server2: settings of server: 'colour' there is no such option" in started.err


def test_an_interruption_is_heard_at_once_and_says_what_goes_on(quickstart: Quickstart) -> None:
    quickstart("create", "--servers", 1)
    file = quickstart.path / "server1" / "settings.toml"
    file.write_text(file.read_text() + "\nis_slow = true\n")
    command = [sys.executable, "-m", "zato.common.cli.main", "quickstart", "start", str(quickstart.path)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pid_file = quickstart.path / "server1" / "run" / "server.pid"
    while not pid_file.exists():
        assert started.poll() is None
        time.sleep(0.02)
    interrupted_at = time.monotonic()
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=20)
    assert time.monotonic() - interrupted_at < 5
    assert started.returncode == 130
    assert f"zato quickstart stop {quickstart.path}" in err
    assert psutil.pid_exists(quickstart.pids()["server1"])


def test_destroying_asks_for_yes_when_nobody_can_be_asked(quickstart: Quickstart) -> None:
    quickstart("create")
    refused = quickstart("destroy")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert quickstart.path.exists()


def test_a_folder_that_is_no_cluster_is_never_destroyed(quickstart: Quickstart) -> None:
    quickstart.path.mkdir()
    (quickstart.path / "thesis.txt").write_text("years of work")
    refused = quickstart("destroy", "--yes")
    assert refused.code == 1
    assert "is not a quickstart cluster" in refused.err
    assert (quickstart.path / "thesis.txt").exists()


def test_a_folder_with_other_things_in_it_is_not_used(quickstart: Quickstart) -> None:
    quickstart.path.mkdir()
    (quickstart.path / "thesis.txt").write_text("years of work")
    refused = quickstart("create")
    assert refused.code == 1
    assert "is not empty" in refused.err
    assert [entry.name for entry in quickstart.path.iterdir()] == ["thesis.txt"]


def test_status_as_json_has_what_a_monitor_wants(quickstart: Quickstart) -> None:
    quickstart("create")
    quickstart("start")
    found = quickstart("status", "--json").json
    assert found["is_ready"] is True
    assert [part["state"] for part in found["parts"]] == ["ready"] * 5
    assert found["memory"] == sum(part["memory"] for part in found["parts"])
    assert found["load_balancer"].startswith("http://127.0.0.1:")
