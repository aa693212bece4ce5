"""One cluster of containers for all tests of this folder, as docker-compose.yml describes it; its images built first."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
# The older program where it is installed, the engine's plugin otherwise: the file suits both. ZATO_TEST_COMPOSE names one.
INSTALLED = "docker-compose" if shutil.which("docker-compose") else "docker compose"
COMPOSE = shlex.split(os.environ.get("ZATO_TEST_COMPOSE", INSTALLED))
LABEL = "com.docker.compose.project"
# From within, so that nobody has to be root of this machine.
KILL_CHILD_OF_INIT = """
import os, pathlib
os.kill(int(pathlib.Path("/proc/1/task/1/children").read_text().split()[0]), 9)
"""


def command(*arguments: str, stdin: str | None = None, **environ: str) -> str:
    """Run a program and return what it prints; what it says when it fails is the test's failure."""
    done = subprocess.run(
        arguments, cwd=ROOT, env={**os.environ, **environ}, input=stdin or "", capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


class Project:
    """The containers of one run, which share a name that nobody else uses."""

    def __init__(self) -> None:
        self.name = f"zatotest{secrets.token_hex(4)}"
        self.address = f"http://127.0.0.1:{free_port()}"
        self._environ = {"COMPOSE_PROJECT_NAME": self.name, "ZATO_LB_PORT": self.address.rpartition(":")[2], "NO_COLOR": "1"}

    def compose(self, *arguments: str, stdin: str | None = None) -> str:
        return command(*COMPOSE, *arguments, stdin=stdin, **self._environ)

    def up(self, servers: int = 1) -> None:
        """Start what does not run, and wait until the examples are deployed."""
        self.compose("up", "-d", "--scale", f"server={servers}")
        eventually(self._is_loaded, timeout_s=120, what="the examples are deployed")

    def _is_loaded(self) -> bool:
        state = self.inspect("examples")[0]["State"]
        return state["Status"] == "exited" and state["ExitCode"] == 0

    def ids(self, *services: str) -> list[str]:
        """Return the containers of these services, of all without a name; those that have ended included."""
        return self.compose("ps", "-a", "-q", *services).split()

    def inspect(self, *services: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(command("docker", "inspect", *self.ids(*services)))
        return found

    def started_at(self, service: str) -> str:
        started: str = self.inspect(service)[0]["State"]["StartedAt"]
        return started

    def kill(self, service: str) -> None:
        """Kill what a service's container runs, as a crash would; `docker kill` would count as a wish to end it."""
        # Detached, since it ends with the container.
        command("docker", "exec", "-d", self.ids(service)[0], "python", "-c", KILL_CHILD_OF_INIT)

    def zato(self, *arguments: str, stdin: str | None = None) -> str:
        return self.compose("exec", "-T", "server", "zato", *arguments, stdin=stdin)

    def file(self, name: str) -> str:
        """Return a file of the cluster's folder that servers may read."""
        return self.compose("exec", "-T", "server", "cat", f"/cluster/{name}").strip()

    @property
    def secrets(self) -> dict[str, str]:
        return tomllib.loads(self.file("secrets.toml"))

    def servers_up(self) -> int:
        state = json.loads(self.compose("exec", "-T", "lb-agent", "zato", "--json", "lb", "state"))
        return sum(backend["state"] == "up" for backend in state["backends"])

    def certificates(self) -> list[dict[str, Any]]:
        """Return those that the authority issued and that are valid."""
        where = ("--address", "127.0.0.1:20160", "--admin-token-file", "/cluster/ca/token", "--identity", "work/identity")
        listed = json.loads(self.compose("exec", "-T", "ca", "zato", "--json", "ca", "list", *where))
        found: list[dict[str, Any]] = listed["certificates"]
        return found

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Return status and body of a request through the load-balancer; status 0 when there was no answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address + path, headers=named), timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()
        except OSError as exc:
            return 0, repr(exc)

    def left(self) -> list[str]:
        """Return the containers, volumes and networks that exist, whatever their state."""
        of_us = ["--filter", f"label={LABEL}={self.name}", "-q"]
        lists = (["ps", "-a"], ["volume", "ls"], ["network", "ls"])
        return [name for kind in lists for name in command("docker", *kind, *of_us).split()]


@pytest.fixture(scope="session")
def project() -> Iterator[Project]:
    made = Project()
    try:
        made.compose("build")
        made.up()
        yield made
    finally:
        made.compose("down", "-v", "--remove-orphans")


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    """Run the engine's command."""
    return lambda *arguments: command("docker", *arguments)
