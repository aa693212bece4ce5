"""The release before this one, installed, and clusters that it begins and this one takes over."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.testing.processes import free_port, give_free_ports
from zato.common.testing.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "var" / "test" / "previous-release"
WANTED = ("proto", "libs", "services", "requirements")
OURS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def previous() -> Path:
    """The folder with the programs of the release before this one, in an environment of its own."""
    lines = (Path(__file__).parent / "previous-release").read_text().splitlines()
    (commit,) = (line for line in lines if line and not line.startswith("#"))
    folder = INSTALLED / commit
    if not (folder / "is-installed").exists():
        shutil.rmtree(INSTALLED, ignore_errors=True)
        _unpack(commit, folder / "source")
        _install(folder / "source", folder / "venv")
        (folder / "is-installed").touch()
    return folder / "venv" / "bin"


def _unpack(commit: str, target: Path) -> None:
    if not _git_knows(commit):
        # A shallow clone has not got it, and where it was cloned from has.
        try:
            _run("git", "fetch", "--quiet", "--depth", "1", "--no-tags", "origin", commit)
        except AssertionError as exc:
            pytest.skip(f"This checkout has not got the release before, {commit[:12]}, nor has where it came from: {exc}")
    target.mkdir(parents=True)
    archive = target.with_suffix(".tar")
    _run("git", "archive", "--output", str(archive), commit, *WANTED)
    _run("tar", "--extract", "--file", str(archive), "--directory", str(target))
    archive.unlink()


def _install(source: Path, environment: Path) -> None:
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    python = str(environment / "bin" / "python")
    parts = [source / "proto", source / "libs" / "common", *sorted((source / "services").iterdir())]
    install = (uv, "pip", "install", "--quiet", "--python", python)
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(environment))
    _run(*install, "--require-hashes", "--requirement", str(source / "requirements" / "lock.txt"))
    # As each release says which versions it runs with, so may this: ours are not wanted here.
    _run(*install, "--no-deps", "--no-build-isolation", *(word for part in parts for word in ("--editable", str(part))))


def _git_knows(commit: str) -> bool:
    return subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True).returncode == 0


def _run(*command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT")}
    done = subprocess.run(command, cwd=ROOT, env={**environ, "UV_SYSTEM_CERTS": "true"}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command[:4])} … failed:\n{done.stdout}{done.stderr}"


class Cluster:
    """
    Two servers and all that belongs to them, as the release before this one makes them; certificates between all parts.

    Args:
        old, new: The folders with the programs of both releases.
    """

    def __init__(self, folder: Path, old: Path, new: Path) -> None:
        self.folder = folder
        self.old, self.new = old, new
        self.connector_address = f"127.0.0.1:{free_port()}"
        self._environ = {
            **os.environ,
            "ZATO_CLUSTER": str(folder),
            "ZATO_SERVER_CONNECTOR_ZMQ_ADDRESSES": self.connector_address,
            "NO_COLOR": "1",
        }

    def create(self) -> None:
        self.zato(self.old, "quickstart", "create", str(self.folder))
        # Other clusters of this machine begin with the same ports; each start takes them from this file.
        give_free_ports(self.folder / "cluster.toml")
        # Of servers that start together one makes the tables, and on a slow machine others of that release gave up.
        eventually(lambda: self.zato(self.old, "quickstart", "start", str(self.folder)), timeout_s=60, what="it to start")
        # Settings are read when a server starts, and the connector's address is not among those of a quickstart.
        self._create_connector()
        self.zato(self.old, "start", str(self.folder / "connector-zmq"))

    def _create_connector(self) -> None:
        token = self.folder / "connector.enrolment"
        names = ("--purpose", "connector", "--san", "127.0.0.1", "--san", "localhost")
        self.zato(self.old, "ca", "token", "connector-zmq", *names, "--out", str(token))
        shared = self.folder / "connector.token"
        shared.write_text(tomllib.loads((self.folder / "server1" / "secrets.toml").read_text())["token"])
        redis = self.folder / "connector.redis"
        redis.write_text(tomllib.loads((self.folder / "server1" / "secrets.toml").read_text())["redis_url"])
        self.zato(
            self.old,
            *("create", "connector-zmq", str(self.folder / "connector-zmq")),
            *("--grpc-address", self.connector_address),
            *("--server-addresses", ",".join(self.part(name)["grpc_address"] for name in ("server1", "server2"))),
            *("--identity-folder", str(self.folder / "connector-zmq-identity"), "--enrolment-token-file", str(token)),
            *("--token-file", str(shared), "--redis-url-file", str(redis)),
        )

    def replace(self, *parts: str) -> None:
        """Stop these parts of the release before, and start ours in their folders."""
        for part in parts:
            self.zato(self.old, "stop", str(self.folder / part))
            self.zato(self.new, "start", str(self.folder / part))

    def zato(self, release: Path, *arguments: str) -> str:
        command = [str(release / "zato"), *arguments]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=110, cwd="/")
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def zato_json(self, release: Path, *arguments: str) -> Any:
        return json.loads(self.zato(release, "--json", *arguments))

    def part(self, name: str) -> dict[str, str]:
        parts: list[dict[str, str]] = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return next(part for part in parts if part["name"] == name)

    @property
    def address(self) -> str:
        return "http://" + self.part("lb-agent")["frontend_address"]

    def end(self) -> None:
        if (self.folder / "connector-zmq").exists():
            self.zato(self.new, "stop", str(self.folder / "connector-zmq"))
        self.zato(self.new, "quickstart", "stop", str(self.folder))


@pytest.fixture
def start_cluster(
    previous: Path, tmp_path_factory: pytest.TempPathFactory, haproxy_program: str
) -> Iterator[Callable[[], Cluster]]:
    """Start a cluster of the release before this one; it ends with the test."""
    made: list[Cluster] = []

    def start() -> Cluster:
        made.append(Cluster(tmp_path_factory.mktemp("cluster") / "c", previous, OURS))
        made[-1].create()
        return made[-1]

    yield start
    for cluster in made:
        cluster.end()
