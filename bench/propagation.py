"""
How soon a change is live everywhere: `make bench-propagation`, about one minute for each database.

Four servers with two workers each, on a PostgreSQL and a Redis of their own:

    change     objects are edited one after the other: from when a change is written until each worker runs with it
    redis      Redis restarts while objects are edited: from its return until all workers run the same
    deploy     a file of services is deployed: from the call until each worker has said that the new version runs there

Times are by the servers' own clock, which is one here, from what they log.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure, keep
from zato.common.errors import Unavailable
from zato.common.rpc.client import Client
from zato.common.secrets import generate_key
from zato.common.testing.postgresql_server import PostgreSQLServer
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.programs import find_program
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

TOKEN = generate_key()
SECRET_KEY = generate_key()
EDITS_A_SECOND = 10.0
SOURCE = """
from zato.server.service import Service


class Deployed(Service):
    name = "bench.deployed"

    def handle(self):
        self.response.payload = {}
"""


class Server(ServerProcess):
    def __init__(self, folder: Path, name: str, odb_url: str, redis_url: str) -> None:
        folder.mkdir()
        self.name = name
        self._http_port = free_port()
        self.grpc_address = f"127.0.0.1:{free_port()}"
        settings = {
            "name": name,
            "http_address": f"127.0.0.1:{self._http_port}",
            "grpc_address": self.grpc_address,
            "odb_url": odb_url,
            "redis_url": redis_url,
            "token": TOKEN,
            "secret_key": SECRET_KEY,
            "pickup_folder": str(folder / "pickup"),
            "work_folder": str(folder / "work"),
            "services_folder": str(folder / "services"),
            "log_format": "json",
            "workers": 2,
        }
        (folder / "settings.toml").write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items()))
        self.log = folder / "server.log"
        command = [sys.executable, "-m", "zato.server", "--folder", str(folder)]
        super().__init__(command, log=self.log, is_ready=self._answers)
        self._client = Client(self.grpc_address, token=TOKEN)

    def admin(self, service: str, /, **values: Any) -> Any:
        request = InvokeRequest(service=service, payload=json.dumps(values).encode())
        return json.loads(self._client.call(InvokerStub(self._client.channel).Invoke, request, timeout_s=30).payload)

    def deploy(self, source: str) -> bool:
        """Return whether all workers run it."""
        request = DeployRequest(file_name="deployed.py", source=source.encode(), wait_s=20)
        response = self._client.call(ControlPlaneStub(self._client.channel).Deploy, request, timeout_s=30)
        return not response.missing and all(worker.is_ok for worker in response.workers)

    def applied(self) -> Iterator[dict[str, Any]]:
        """Yield what its workers have logged of the versions that they took up."""
        for line in self.log.read_text().splitlines():
            if '"configuration_applied"' in line:
                yield json.loads(line)

    def close(self) -> None:
        self._client.close()
        self.stop(40)

    def answers_calls(self) -> bool:
        try:
            return bool(self.admin("zato.ping"))
        except Unavailable:
            return False

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/health/ready", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False


class Cluster:
    def __init__(self, servers: list[Server], redis: RedisServer) -> None:
        self.servers = servers
        self.redis = redis
        self.names = itertools.count(1)

    @property
    def workers(self) -> int:
        return 2 * len(self.servers)

    def edit(self) -> int:
        """Make an object at one server after the other, and return the version of the configuration with it."""
        number = next(self.names)
        server = self.servers[number % len(self.servers)]
        made = server.admin("zato.channel-http.create", name=f"c{number}", url_path=f"/c/{number}", service="zato.ping")
        return int(made["version"])

    def wait_until_live(self, version: int) -> None:
        eventually(lambda: self.versions() == {version}, timeout_s=60, what=f"all workers at {version}")

    def versions(self) -> set[int]:
        workers = self.servers[0].admin("zato.cluster.get-status")["workers"]
        return {worker["config_version"] for worker in workers} if len(workers) == self.workers else set()

    def live_after_s(self, since: int) -> list[float]:
        """Return, of each version after `since`, how long it took until the last worker ran with it or a later one."""
        lags: dict[int, list[float]] = {}
        for server in self.servers:
            for line in server.applied():
                if line["version"] > since:
                    lags.setdefault(line["version"], []).append(line["lag_s"])
        return [max(each) for each in lags.values()]

    def applied_at(self, version: int) -> float:
        """Return when the last worker took up a version, in seconds since 1970."""
        times = [line["timestamp"] for server in self.servers for line in server.applied() if line["version"] == version]
        return max(datetime.fromisoformat(each).timestamp() for each in times)


@contextmanager
def cluster(database: str, servers: int) -> Iterator[Cluster]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zato-bench-")))
        folder.chmod(0o755)
        (folder / "redis").mkdir()
        redis = RedisServer(_program("redis-server"), folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        odb_url = f"sqlite:///{folder}/odb.db"
        if database == "postgresql":
            (folder / "postgresql").mkdir()
            postgresql = PostgreSQLServer(_program("postgres"), folder / "postgresql")
            postgresql.start()
            stack.callback(postgresql.stop)
            odb_url = postgresql.url
        started = []
        for number in range(1, servers + 1):
            started.append(Server(folder / f"server{number}", f"server{number}", odb_url, redis.url))
            started[-1].start(60)
            stack.callback(started[-1].close)
        for server in started:
            eventually(server.answers_calls, timeout_s=30, what=f"{server.name} to take calls")
        made = Cluster(started, redis)
        eventually(lambda: made.versions(), timeout_s=30, what="all workers to report")
        yield made


def _program(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise SystemExit(f"{name} is missing: scripts/system-packages test")
    return path


def measure_changes(made: Cluster, count: int) -> dict[str, float]:
    first = made.edit()
    made.wait_until_live(first)
    latest = first
    for _ in range(count):
        began_at = time.monotonic()
        latest = made.edit()
        time.sleep(max(0.0, 1 / EDITS_A_SECOND - (time.monotonic() - began_at)))
    made.wait_until_live(latest)
    return {"changes": count, **_percentiles(made.live_after_s(first))}


def measure_redis(made: Cluster, count: int) -> dict[str, float]:
    seconds = []
    for _ in range(count):
        made.redis.stop()
        latest = made.edit()
        made.redis.start()
        back_at = time.time()
        made.wait_until_live(latest)
        seconds.append(max(0.0, made.applied_at(latest) - back_at))
    return {"restarts": count, "equal_after_max_ms": round(1000 * max(seconds), 1)}


def measure_deployments(made: Cluster, count: int) -> dict[str, float]:
    seconds, failed = [], 0
    for number in range(count):
        began_at = time.monotonic()
        failed += not made.servers[number % len(made.servers)].deploy(f"{SOURCE}\n# {number}\n")
        seconds.append(time.monotonic() - began_at)
    return {"deployments": count, "failed": failed, **_percentiles(seconds)}


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    found = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))], 1) for name, part in found.items()}


def figures_of(results: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    wanted = {
        ("change", "p50_ms"): ("a change is live on all workers after (p50)", ""),
        ("change", "p99_ms"): ("the same (p99)", "≤ 250"),
        ("redis", "equal_after_max_ms"): ("all workers are equal again after Redis came back, at the longest", "≤ 2,000"),
        ("deploy", "p50_ms"): ("a deployed file runs on all workers after (p50)", ""),
        ("deploy", "max_ms"): ("the same at the longest", ""),
    }
    return [
        Figure(f"{database}: {name}", results[row][key], "ms", target)
        for row in results
        for measurement, database in [row.split()]
        for (measured, key), (name, target) in wanted.items()
        if measured == measurement
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.propagation", description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), help="only on this one (default: on both)")
    parser.add_argument("--servers", type=int, default=4, help="each has two workers (default: 4)")
    parser.add_argument("--changes", type=int, default=200, help="how many objects are made (default: 200)")
    arguments = parser.parse_args()
    measurements: dict[str, Callable[[Cluster], dict[str, float]]] = {
        "change": lambda made: measure_changes(made, arguments.changes),
        "redis": lambda made: measure_redis(made, 5),
        "deploy": lambda made: measure_deployments(made, 20),
    }
    results: dict[str, dict[str, float]] = {}
    for database in (arguments.database,) if arguments.database else ("postgresql", "sqlite"):
        with cluster(database, arguments.servers) as made:
            for name, measure in measurements.items():
                row = f"{name} {database}"
                results[row] = measure(made)
                print(row.ljust(20), "  ".join(f"{key} {value:,}" for key, value in results[row].items()), flush=True)
    keep("propagation", figures_of(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
