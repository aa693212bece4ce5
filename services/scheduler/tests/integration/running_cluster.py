"""Servers and schedulers as child processes, each started as people start it; ended by their process ids."""

import contextlib
import json
import shutil
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from zato.common.errors import NotFound, ZatoError
from zato.common.rpc.client import Client
from zato.common.secrets import generate_key
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.waiting import eventually
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.proto.scheduler.v1 import scheduler_pb2 as messages
from zato.proto.scheduler.v1.scheduler_pb2_grpc import SchedulerStub

TOKEN = "token-that-no-log-may-show"
SECRET_KEY = generate_key()

# Each run writes one line, with its correlation id: more than one with the same would be a run that ran twice.
SERVICES = '''
import json
import os

import gevent

from zato.server.service import Service


class Count(Service):
    """Extra data is the file that the run is written to."""

    name = "test.count"

    def handle(self):
        with open(self.request.raw_request, "a") as file:
            file.write(self.cid + chr(10))


class Seen(Service):
    """Extra data is a JSON object with the file; what the service sees is written to it."""

    name = "test.seen"

    def handle(self):
        seen = {
            "channel": self.channel.type,
            "job_type": self.job_type,
            "raw_request": self.request.raw_request,
            "payload": self.request.payload,
            "pid": os.getpid(),
        }
        with open(self.request.payload["file"], "a") as file:
            file.write(json.dumps(seen) + chr(10))
        self.response.payload = {"done": True}


class Hooks(Service):
    """Extra data is the file that names of hooks are written to, in the order of their calls."""

    name = "test.hooks"

    def note(self, what):
        with open(self.request.raw_request, "a") as file:
            file.write(what + chr(10))

    def before_job(self):
        self.note("before_job")

    def before_interval_based_job(self):
        self.note("before_interval_based_job")

    def before_cron_style_job(self):
        self.note("wrong")

    def before_handle(self):
        self.note("before_handle")

    def handle(self):
        self.note("handle " + self.job_type)

    def after_handle(self):
        self.note("after_handle")

    def after_job(self):
        self.note("after_job")

    def after_interval_based_job(self):
        self.note("after_interval_based_job")


class Plan(Service):
    """Has the next one run a second later."""

    name = "test.plan"

    def handle(self):
        self.response.payload = {"id": self.schedule.onetime(self, Count, after_seconds=1, data=self.request.payload["file"])}


class Told(Service):
    """The callback of jobs: writes what it is told into the file that the service answered with."""

    name = "test.told"

    def handle(self):
        run = json.loads(self.request.raw_request) if isinstance(self.request.raw_request, str) else self.request.raw_request
        with open(run["result"], "a") as file:
            file.write(json.dumps({"run": run, "in_reply_to": self.in_reply_to, "channel": self.channel.type}) + chr(10))


class Echo(Service):
    name = "test.echo"

    def handle(self):
        self.response.payload = self.request.raw_request


class Fail(Service):
    name = "test.fail"

    def handle(self):
        with open(self.request.raw_request, "a") as file:
            file.write(self.cid + chr(10))
        raise ValueError("the reason")


class Slow(Service):
    """Extra data is "seconds file"."""

    name = "test.slow"

    def handle(self):
        seconds, path = self.request.raw_request.split(" ", 1)
        with open(path, "a") as file:
            file.write("begin " + self.cid + chr(10))
        gevent.sleep(float(seconds))
        with open(path, "a") as file:
            file.write("end " + self.cid + chr(10))
'''


class Part:
    """One process with a folder of its own."""

    def __init__(self, module: str, settings: dict[str, Any]) -> None:
        # Paths of Unix sockets are short, pytest's folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-"))
        self.name = str(settings["name"])
        self.address = str(settings["grpc_address"])
        # Relative ones would be the working folder's, and so everybody's.
        settings = {name: str(self.folder / value) if isinstance(value, Path) else value for name, value in settings.items()}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (self.folder / "settings.toml").write_text("\n".join(lines))
        self.log = self.folder / "log"
        self.process = ServerProcess(
            [sys.executable, "-m", module, "--folder", str(self.folder)], log=self.log, is_ready=self.is_ready
        )
        self.client = Client(self.address, token=TOKEN)

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.process.start(60)

    def restart(self) -> None:
        self.process.stop(40)
        self.start()

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error, AssertionError):
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log that have this event."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if f'"{event}"' in line]
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """At once: how parts stop in order is a test of its own."""
        self.client.close()
        self.process.kill_family()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server(Part):
    def __init__(self, name: str, odb_url: str, redis_url: str, cluster: str) -> None:
        settings = {
            "name": name,
            "cluster": cluster,
            "http_address": f"127.0.0.1:{free_port()}",
            "grpc_address": f"127.0.0.1:{free_port()}",
            "odb_url": odb_url,
            "redis_url": redis_url,
            "token": TOKEN,
            "secret_key": SECRET_KEY,
            "work_folder": Path("work"),
            "pickup_folder": Path("pickup"),
            "services_folder": Path("services"),
            "workers": 1,
            "log_format": "json",
        }
        self.http_address = str(settings["http_address"])
        super().__init__("zato.server", settings)

    def is_ready(self) -> bool:
        with contextlib.suppress(ZatoError):
            return bool(self.invoke("zato.ping", {}, timeout_s=2.0))
        return False

    def invoke(self, service: str, values: dict[str, Any], *, timeout_s: float = 20.0) -> Any:
        request = InvokeRequest(service=service, payload=json.dumps(values).encode())
        response = self.client.call(InvokerStub(self.client.channel).Invoke, request, timeout_s=timeout_s)
        return json.loads(response.payload) if response.payload else None

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self.http_address}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def knows_jobs(self) -> bool:
        """Whether it has heard of the kind that a scheduler registered."""
        with contextlib.suppress(NotFound):
            return self.invoke("zato.scheduler.job.get-list", {}) == []
        return False

    def deploy(self, file_name: str, source: str) -> None:
        request = DeployRequest(file_name=file_name, source=source.encode(), wait_s=15)
        response = self.client.call(ControlPlaneStub(self.client.channel).Deploy, request, timeout_s=30)
        assert response.workers and not response.missing, response
        assert all(worker.is_ok for worker in response.workers), response


class Scheduler(Part):
    def __init__(self, name: str, servers: list[Server], **settings: Any) -> None:
        everything = {
            "name": name,
            "grpc_address": f"127.0.0.1:{free_port()}",
            "server_addresses": [server.address for server in servers],
            "token": TOKEN,
            "log_format": "json",
            **settings,
        }
        super().__init__("zato.scheduler", everything)

    def is_ready(self) -> bool:
        with contextlib.suppress(ZatoError):
            return self.call("GetStatus", timeout_s=1.0).is_connected
        return False

    def call(self, method: str, *, timeout_s: float = 20.0, **fields: Any) -> Any:
        request = getattr(messages, f"{method}Request")(**fields)
        return self.client.call(getattr(SchedulerStub(self.client.channel), method), request, timeout_s=timeout_s)

    @property
    def leads(self) -> bool:
        return bool(self.call("GetStatus").is_leader)


class Cluster:
    """
    Args:
        settings: Of the schedulers.
    """

    def __init__(self, odb_url: str, redis_url: str, *, servers: int, schedulers: int, **settings: Any) -> None:
        name = f"test-{free_port()}"
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        self.stopped_at: dict[str, datetime] = {}
        self.servers = [Server(f"server{number}", odb_url, redis_url, name) for number in range(1, servers + 1)]
        self.schedulers = [Scheduler(f"scheduler{number}", self.servers, **settings) for number in range(1, schedulers + 1)]

    def start(self) -> "Cluster":
        for server in self.servers:
            server.start()
        self.servers[0].deploy("test_services.py", SERVICES)
        for scheduler in self.schedulers:
            scheduler.start()
        eventually(self.leader, timeout_s=30, what="a leader")
        for server in self.servers:
            eventually(lambda server=server: server.knows_jobs(), timeout_s=20, what="the kind")  # type: ignore[misc]
        return self

    def end(self) -> None:
        for part in (*self.schedulers, *self.servers):
            if part.log.exists():  # pytest shows it when the test failed
                print(f"--- {part.name}\n{part.log.read_text(errors='replace')[-4000:]}")
            part.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def admin(self, service: str, /, **values: Any) -> Any:
        """Invoke an admin service at whichever server answers."""
        failure: ZatoError | None = None
        for server in self.servers:
            try:
                return server.invoke(service, values, timeout_s=5.0)
            except ZatoError as exc:
                if exc.http_status not in (503, 504):
                    raise
                failure = exc
        assert failure is not None
        raise failure

    def add_job(self, name: str, **options: Any) -> Any:
        return self.admin("zato.scheduler.job.create", name=name, is_active=True, **options)

    def stop_job(self, name: str) -> None:
        """Let the job fire no more, and wait until all that it began has ended. Claimed runs that had not begun are skipped."""
        self.stopped_at[name] = datetime.now(UTC)
        eventually(lambda: self.admin("zato.scheduler.job.set-active-status", name=name, is_active=False), timeout_s=30)
        eventually(
            lambda: not any(run["state"] in ("claimed", "running") for run in self.runs(name)),
            timeout_s=60,
            what=f"the runs of {name} to end",
        )

    def runs(self, job: str, **filters: Any) -> list[dict[str, Any]]:
        """Return all runs of a job, the earliest planned first."""
        found: list[dict[str, Any]] = []
        while page := self.admin(
            "zato.scheduler.job.get-run-list", name=job, limit=1000, before_id=found[-1]["id"] if found else 0, **filters
        ):
            found += page
            if len(page) < 1000:
                break
        return sorted(found, key=lambda run: (run["planned_at"], run["attempt"]))

    def file(self, name: str) -> Path:
        return self.folder / name

    def written(self, name: str) -> Counter[str]:
        """Return how often each line was written to a file."""
        path = self.file(name)
        return Counter(path.read_text().split()) if path.exists() else Counter()

    def epoch(self) -> int:
        return int(self.admin("zato.scheduler.get-status")["epoch"])

    def leader(self) -> "Scheduler | None":
        """Return the scheduler that the ODB says leads."""
        name = self.admin("zato.scheduler.get-status")["leader"].partition("/")[0]
        return next((scheduler for scheduler in self.schedulers if scheduler.name == name), None)

    def await_runs(self, job: str, more: int) -> None:
        """Wait until so many more runs of a job have ended well."""
        wanted = self.count_of(job) + more
        eventually(lambda: self.count_of(job) >= wanted, timeout_s=60, what=f"{more} more runs of {job}")

    def count_of(self, job: str) -> int:
        with contextlib.suppress(ZatoError):
            return len(self.written(job))
        return 0

    def replace_leader(self, end: Callable[[Scheduler], None]) -> tuple[Scheduler, float]:
        """Do something to the leader, and return it with the seconds until another one leads."""
        leader, epoch = self.leader(), self.epoch()
        assert leader is not None
        end(leader)
        started = time.monotonic()
        eventually(lambda: self.epoch() > epoch, timeout_s=30, what="a new leader")
        return leader, time.monotonic() - started


def kill(scheduler: Scheduler) -> None:
    scheduler.process.kill()


def pause(scheduler: Scheduler) -> None:
    scheduler.process.pause()


def resume(scheduler: Scheduler) -> None:
    scheduler.process.resume()
