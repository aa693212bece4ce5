"""One cluster of containers for all tests of this folder, as docker-compose.yml describes it; its images built first."""

import json
import os
import secrets
import shlex
import shutil
import ssl
import subprocess
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
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
# From within, so that nobody has to be root of this machine. The first process is an init in all of our containers.
KILL_CHILD_OF_INIT = "kill -9 $(cut -d ' ' -f 1 /proc/1/task/1/children)"


def command(*arguments: str, stdin: str | None = None, **environ: str) -> str:
    """Run a program and return what it prints; what it says when it fails is the test's failure."""
    done = subprocess.run(
        arguments, cwd=ROOT, env={**os.environ, **environ}, input=stdin or "", capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


class Project:
    """The containers of one run, which share a name that nobody else uses."""

    def __init__(self, vendors_client: Path) -> None:
        self.name = f"zatotest{secrets.token_hex(4)}"
        http, https, webadmin = free_port(), free_port(), free_port()
        self.address = f"http://127.0.0.1:{http}"
        self.https_address = f"https://localhost:{https}"
        self.webadmin_address = f"http://127.0.0.1:{webadmin}"
        self._environ = {
            "COMPOSE_PROJECT_NAME": self.name,
            "ZATO_LB_PORT": str(http),
            "ZATO_LB_HTTPS_PORT": str(https),
            "ZATO_WEBADMIN_PORT": str(webadmin),
            "ZATO_RELOAD_EVERY_S": "1",
            "ZATO_MQ_CLIENT": str(vendors_client),
            "NO_COLOR": "1",
        }

    def compose(self, *arguments: str, stdin: str | None = None) -> str:
        return command(*COMPOSE, *arguments, stdin=stdin, **self._environ)

    def up(self, servers: int = 2, profiles: Sequence[str] = ("full",)) -> None:
        """Start what does not run, and wait until all is healthy and the examples are deployed."""
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        self.compose(*chosen, "up", "-d", "--scale", f"server={servers}")
        eventually(self._is_loaded, timeout_s=240, what="the examples are deployed")
        eventually(lambda: not self.unhealthy(), timeout_s=120, what="all containers are healthy")

    def _is_loaded(self) -> bool:
        state = self.inspect("examples")[0]["State"]
        return state["Status"] == "exited" and state["ExitCode"] == 0

    def unhealthy(self) -> list[str]:
        """Return the containers that say of themselves that they are not well, or not yet."""
        states = {each["Name"]: each["State"].get("Health", {}).get("Status", "healthy") for each in self.inspect()}
        return [name for name, status in states.items() if status != "healthy"]

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
        self.kill_container(self.ids(service)[0])

    @staticmethod
    def kill_container(container: str) -> None:
        # Detached, since it ends with the container.
        command("docker", "exec", "-d", container, "sh", "-c", KILL_CHILD_OF_INIT)

    def kill_and_wait(self, service: str) -> None:
        """Kill it, and wait until its container has been started again."""
        before = self.started_at(service)
        self.kill(service)
        eventually(lambda: self.started_at(service) != before, timeout_s=60, what=f"{service} is started again")

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

    def python(self, service: str, program: str, *arguments: str) -> str:
        """Run a program in a container of a service, and return what it prints."""
        return self.compose("exec", "-T", service, "python", "-", *arguments, stdin=program)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Return status and body of a request through the load-balancer; status 0 when there was no answer."""
        return self._get(self.address + path, headers)

    def get_over_https(self, path: str) -> tuple[int, str]:
        """The same over TLS, trusting the cluster's authority and nobody else."""
        roots = self.compose("exec", "-T", "server", "cat", "/certificates/authorities.pem")
        return self._get(self.https_address + path, {}, ssl.create_default_context(cadata=roots))

    @staticmethod
    def _get(url: str, headers: dict[str, str], context: ssl.SSLContext | None = None) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            request = urllib.request.Request(url, headers=named)
            with urllib.request.urlopen(request, timeout=20, context=context) as response:
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
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    # AMQP 1.0 needs no client of a vendor's.
    made = Project(tmp_path_factory.mktemp("no-client"))
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
