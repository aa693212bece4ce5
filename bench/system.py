"""
What is measured of the system as a whole, beside requests a second: `python -m bench.system`, about a minute and a half.

A server with two workers, HAProxy before it: memory and start, hot deployment, calls by gRPC, what the load-balancer adds.
The other part of the machine's work is the client here, written in Python: its share is in these numbers.
"""

import argparse
import http.client
import itertools
import re
import socket
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from bench.cluster import Cluster, running_cluster
from bench.figures import Figure, keep, show
from zato.common.lifecycle.probes import http_status, is_listening
from zato.common.rpc.client import Client
from zato.common.testing.waiting import eventually
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeManyRequest, InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.server.config import read_settings

_SETTLING_S = 5.0
_CALLERS = 16
_IN_ONE_MESSAGE, _MESSAGES = 16, 20
_ROUNDS = 5
_WARM_UP = 3
_PACED_PER_S = 300
_ORDER = b'{"order_id": 12345, "amount": 1815.12}'
_SERVICE = """
from zato.server.service import Service
class Version(Service):
    name = "bench.version"
    def handle(self):
        self.response.payload = {{"version": {}}}
"""


def measure_system(*, is_short: bool = False) -> list[Figure]:
    with running_cluster() as cluster:
        figures = _start(cluster)
        figures += _memory(cluster, 20_000 if is_short else 184_000)
        figures += _deployment(cluster, 3 if is_short else 15)
        figures += _balancer(cluster, 3.0 if is_short else 10.0)
        with cluster.client() as client:
            figures += _calls(cluster, client, 2.0 if is_short else 10.0)
    return figures


def _start(cluster: Cluster) -> list[Figure]:
    cluster.zato("stop", str(cluster.server_folder))
    command = [sys.executable, "-m", "zato.server", "--folder", str(cluster.server_folder)]
    started = time.monotonic()
    process = psutil.Popen(command, cwd="/", stdout=-3, stderr=-3)
    grpc_address = cluster.part("server1")["grpc_address"]

    def is_ready() -> bool:
        return http_status(cluster.server, "/health/ready") == 200 and is_listening(grpc_address)

    try:
        eventually(is_ready, timeout_s=60, what="the server to be ready")
        elapsed_s = time.monotonic() - started
    finally:
        process.terminate()
        process.wait(60)
    cluster.zato("start", str(cluster.server_folder))
    return [Figure("ready after its start", elapsed_s, "s", "≤ 1.5")]


def _memory(cluster: Cluster, requests: int) -> list[Figure]:
    time.sleep(_SETTLING_S)
    idle = _pss_mib(cluster)
    _send(cluster.server, requests // 10)
    warm = _pss_mib(cluster)
    _send(cluster.server, requests)
    time.sleep(_SETTLING_S)
    growth = (_pss_mib(cluster) / warm - 1) * 100
    return [
        Figure("idle server, two workers and the sidecar", idle, "MiB PSS", "≤ 110"),
        Figure(f"its growth over {requests:,} requests", growth, "%", "≤ 3"),
    ]


def _pss_mib(cluster: Cluster) -> float:
    texts = [Path(f"/proc/{process.pid}/smaps_rollup").read_text() for process in cluster.processes()]
    return sum(int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) for text in texts) / 1024


def _send(address: str, count: int) -> None:
    def send(share: int) -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        for _ in range(share):
            connection.request("POST", "/plain", _ORDER, {"Content-Type": "application/json"})
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [count // 4] * 4))


def _deployment(cluster: Cluster, rounds: int) -> list[Figure]:
    elapsed: list[float] = []
    with cluster.client() as client:
        deploy = ControlPlaneStub(client.channel).Deploy
        for number in range(rounds):
            request = DeployRequest(file_name="bench_version.py", source=_SERVICE.format(number).encode(), wait_s=20)
            started = time.perf_counter()
            response = client.call(deploy, request, timeout_s=30)
            elapsed.append((time.perf_counter() - started) * 1000)
            if response.missing or not all(worker.is_ok for worker in response.workers):
                raise RuntimeError(f"A version was not taken up: {response}")
    return [
        Figure("a new version of a service runs in all workers after (p50)", statistics.median(elapsed), "ms"),
        Figure("the same at the longest", max(elapsed), "ms"),
    ]


def _balancer(cluster: Cluster, seconds: float) -> list[Figure]:
    """Requests at a steady pace, in turns directly and through the load-balancer, so that both have the same machine."""
    connections = {name: http.client.HTTPConnection(name, timeout=10) for name in (cluster.server, cluster.balancer)}
    elapsed: dict[str, list[float]] = {name: [] for name in connections}
    started, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) - started < seconds:
        if now < started + sent / _PACED_PER_S:
            time.sleep(0.0005)
            continue
        name = list(connections)[sent % 2]
        connection, began = connections[name], time.perf_counter()
        connection.request("POST", "/plain", _ORDER, {"Content-Type": "application/json"})
        connection.getresponse().read()
        elapsed[name].append((time.perf_counter() - began) * 1000)
        sent += 1
    direct, through = (statistics.median(elapsed[name]) for name in connections)
    for connection in connections.values():
        connection.close()
    return [Figure(f"the load-balancer adds, at {_PACED_PER_S} requests a second (p50)", through - direct, "ms", "≤ 0.4")]


def _calls(cluster: Cluster, client: Client, seconds: float) -> list[Figure]:
    """Calls of each sort in turns, so that all have the same machine; what one takes less a part of it is the rest's share."""
    stub, health = InvokerStub(client.channel), HealthStub(client.channel)
    invocation = InvokeRequest(service="bench.plain", payload=_ORDER)
    many = InvokeManyRequest(invocations=[invocation] * _IN_ONE_MESSAGE)
    with _WorkerClient(cluster) as worker:
        sorts = {
            "call": _Sort(lambda: client.call(stub.Invoke, invocation, timeout_s=10)),
            "sidecar": _Sort(lambda: client.call(health.Check, HealthCheckRequest(), timeout_s=10)),
            "worker": _Sort(lambda: worker.invoke(invocation)),
            "calls": _Sort(lambda: client.call(stub.Invoke, invocation, timeout_s=10), callers=_CALLERS),
            "many": _Sort(lambda: _stream(client, stub, many), calls=_IN_ONE_MESSAGE * _MESSAGES),
        }
        for _ in range(_ROUNDS):
            for sort in sorts.values():
                sort.measure(cluster, seconds / _ROUNDS)
    p50 = {name: statistics.median(sort.durations) * 1000 for name, sort in sorts.items()}
    rate = {name: statistics.median(sort.rates) for name, sort in sorts.items()}
    cpu = {name: sort.cpu_s / sort.count * 1e6 for name, sort in sorts.items()}
    return [
        Figure("Invoke by gRPC, one caller (p50)", p50["call"], "ms", "≤ 0.8"),
        Figure("of that: gRPC to the sidecar and back (p50 of a health check)", p50["sidecar"], "ms"),
        Figure("of that: a worker over its Unix socket (p50)", p50["worker"], "ms"),
        Figure(f"Invoke by gRPC, {_CALLERS} callers", rate["calls"], "/s", "≥ 2,500"),
        Figure("the same: processor time of the server, sidecar included, a call", cpu["calls"], "µs"),
        Figure(f"InvokeMany by gRPC, {_IN_ONE_MESSAGE} invocations a message, one stream", rate["many"], "/s", "≥ 6,000"),
        Figure("the same: processor time of the server, sidecar included, an invocation", cpu["many"], "µs"),
    ]


class _Sort:
    """
    One sort of calls.

    Args:
        calls: How many `call` makes.
    """

    def __init__(self, call: Callable[[], object], *, callers: int = 1, calls: int = 1) -> None:
        self._call = call
        self._callers = callers
        self._calls = calls
        self.durations: list[float] = []
        self.rates: list[float] = []
        self.count = 0
        self.cpu_s = 0.0

    def measure(self, cluster: Cluster, seconds: float) -> None:
        for _ in range(_WARM_UP):
            self._call()
        before_s = cluster.cpu_s()
        durations = _durations(self._call, self._callers, seconds)
        self.cpu_s += cluster.cpu_s() - before_s
        self.durations += durations
        self.count += len(durations) * self._calls
        # Each caller ends after the time is up, with the call that it has begun.
        self.rates.append(self._calls * self._callers / statistics.fmean(durations))


class _WorkerClient:
    """Does what the sidecar does, without gRPC."""

    def __init__(self, cluster: Cluster) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(read_settings(cluster.server_folder, {}).rpc_socket))

    def invoke(self, request: InvokeRequest) -> None:
        message = request.SerializeToString()
        head = f"POST /__rpc/Invoker/Invoke HTTP/1.1\r\nHost: worker\r\nContent-Length: {len(message)}\r\n\r\n"
        self._socket.sendall(head.encode() + message)
        if not self._socket.recv(65536).startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("A worker did not do what it was asked to")

    def __enter__(self) -> "_WorkerClient":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()


def _stream(client: Client, stub: InvokerStub, message: InvokeManyRequest) -> None:
    for answer in client.stream(stub.InvokeMany, itertools.repeat(message, _MESSAGES), timeout_s=30):
        if any(result.HasField("error") for result in answer.results):
            raise RuntimeError(f"An invocation of many failed: {answer}")


def _durations(call: Callable[[], object], callers: int, seconds: float) -> list[float]:
    """Each caller calls at least once."""
    ends_at = time.perf_counter() + seconds

    def run(_number: int) -> list[float]:
        durations: list[float] = []
        while not durations or time.perf_counter() < ends_at:
            began = time.perf_counter()
            call()
            durations.append(time.perf_counter() - began)
        return durations

    with ThreadPoolExecutor(callers) as pool:
        return [duration for durations in pool.map(run, range(callers)) for duration in durations]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.system", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less exact, about half a minute")
    figures = measure_system(is_short=parser.parse_args().short)
    keep("system", figures)
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
