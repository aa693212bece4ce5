"""The whole system, as `zato quickstart` starts it: nothing that a client repeats without harm may fail."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from zato.common.rpc.calls import call_metadata
from zato.common.testing.load import Load
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

ZATO = [str(Path(sys.executable).parent / "zato")]
SLOW = """
import time
from zato.server.service import Service
class Slow(Service):
    name = "slow"
    def handle(self):
        time.sleep(1.5)
        self.response.payload = {"size": len(self.request.raw_request)}
class Size(Service):
    name = "size"
    def handle(self):
        self.response.payload = {"size": len(self.request.raw_request)}
"""
SLOW_CLIENTS = 300
# More than HAProxy waits for before it passes a request on, so that the servers have these to wait for as well.
SLOW_BODY_BYTES, FIRST_BYTES = 100_000, 40_000
CALLS_AT_A_TIME = 100


def test_a_killed_server_costs_no_request_and_comes_back(cluster):
    with Load(f"{cluster.address}/version") as load:
        load.wait_for_more(50)
        os.kill(cluster.master_of("server1"), signal.SIGKILL)
        load.wait_for_more(100)
        cluster.zato("quickstart", "start", str(cluster.folder))
        load.wait_for_more(100)
    assert load.failures == []


def test_twenty_deployments_under_load_answer_wholly_old_or_wholly_new(cluster):
    with Load(f"{cluster.address}/version") as load:
        for version in range(1, 21):
            cluster.deploy(version)
    assert load.failures == []
    answers = [json.loads(answer) for answer in load.answers]
    assert all(answer["first"] == answer["second"] for answer in answers)
    assert answers[-1]["first"] == 20


def test_reloads_of_the_load_balancer_cost_no_request(cluster):
    with Load(f"{cluster.address}/version") as load:
        for _ in range(5):
            cluster.zato("lb", "reload")
        load.wait_for_more(20)
    assert load.failures == []


def test_servers_that_leave_and_come_back_during_reloads_cost_no_request(cluster):
    with Load(f"{cluster.address}/version") as load:
        for name in ("server1", "server2"):
            cluster.zato("stop", str(cluster.folder / name))
            cluster.zato("lb", "reload")
            assert name not in cluster.states()
            load.wait_for_more(50)
            cluster.zato("start", str(cluster.folder / name))
            cluster.zato("lb", "reload")
            eventually(lambda: cluster.states() == {"server1": "up", "server2": "up"}, what="both servers to take part")
    assert load.failures == []


def test_the_first_administrator_changes_the_password_before_anything_else(cluster, tmp_path, monkeypatch):
    made, new = cluster.folder / "admin_password", tmp_path / "new"
    new.write_text("correct horse battery")
    monkeypatch.setitem(cluster.environ, "XDG_CONFIG_HOME", str(tmp_path))
    assert "has to be changed" in refused(cluster, "account", "list", password=made)
    cluster.zato("account", "password", "--old-password-file", str(made), "--new-password-file", str(new))
    assert [account["name"] for account in cluster.zato_json("account", "list")] == ["admin"]
    assert "Name, password or code is wrong" in refused(cluster, "whoami", password=made)
    cluster.zato("login", "admin", "--password-file", str(new))
    cluster.zato("logout")


def refused(cluster, *words, password) -> str:
    """What the first of these two says that fails: signing in, or the command as the one who has."""
    for command in (("login", "admin", "--password-file", str(password)), words):
        done = subprocess.run([*ZATO, *command], env=cluster.environ, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return done.stderr
    raise AssertionError(f"{words} was let through")


@pytest.fixture(scope="module")
def slow_services(cluster):
    file = cluster.folder / "slow.py"
    file.write_text(SLOW)
    cluster.zato("service", "deploy", str(file))
    cluster.zato("object", "create", "channel-http", "size", "url_path=/size", "service=size", "data_format=")
    cluster.zato("wait", "--timeout", "20")


def connect(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def slow_clients(addresses: list[str], stack: ExitStack) -> Iterator[tuple[socket.socket, bool]]:
    """Clients that have sent a part of a request and no more; whether it was a part of the body."""
    for number in range(SLOW_CLIENTS):
        client = stack.enter_context(connect(addresses[number % len(addresses)]))
        is_body = number % 2 == 1
        head = f"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SLOW_BODY_BYTES}\r\n"
        client.sendall(head.encode() + (b"\r\n" + b"x" * FIRST_BYTES if is_body else b"X-Slow: "))
        yield client, is_body


def test_300_slow_connections_lock_nobody_out_of_load_balancer_or_server(cluster, slow_services):
    servers = [cluster.part(name)["http_address"] for name in ("server1", "server2")]
    # An odd number of addresses, so that each of them has slow heads and slow bodies.
    with ExitStack() as stack:
        clients = list(slow_clients([cluster.address, cluster.address, *servers, cluster.address], stack))
        for address in (cluster.address, *(f"http://{server}" for server in servers)):
            with Load(f"{address}/version") as load:
                load.wait_for_more(100)
            assert load.failures == []
        # They are all there still: who goes on is answered.
        for client, is_body in clients[-20:]:
            rest = b"x" * (SLOW_BODY_BYTES - FIRST_BYTES) if is_body else b"yes\r\n\r\n" + b"x" * SLOW_BODY_BYTES
            client.sendall(rest)
            answer = b""
            while not answer.endswith(b"}"):
                data = client.recv(65536)
                assert data, f"closed after {answer!r}"
                answer += data
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"size":%d}' % SLOW_BODY_BYTES)


def test_many_calls_at_a_time_take_no_server_out_of_the_load_balancer(cluster, slow_services):
    client, token = cluster.client_of("server1")
    try:
        with Load(f"{cluster.address}/version") as load:
            invoke = InvokerStub(client.channel).Invoke
            metadata = call_metadata(token, "many")
            calls = [
                invoke.future(InvokeRequest(service="slow"), metadata=metadata, timeout=60) for _ in range(CALLS_AT_A_TIME)
            ]
            while not all(call.done() for call in calls):
                assert cluster.states() == {"server1": "up", "server2": "up"}
            assert [bool(call.result().payload) for call in calls] == [True] * CALLS_AT_A_TIME
        assert load.failures == []
    finally:
        client.close()
    log = "".join(file.read_text() for file in (cluster.folder / "server1").rglob("*.log"))
    assert "load_balancer_joined" in log, "it is the right log"
    assert "server_not_ready" not in log


def test_a_change_is_live_on_every_worker_of_both_servers(cluster):
    cluster.zato("object", "create", "channel-http", "other", "url_path=/other", "service=version")

    def is_live_everywhere() -> bool:
        status = json.loads(cluster.zato("--json", "service", "invoke", "zato.cluster.get-status"))
        versions = {worker["config_version"] for worker in status["workers"]}
        return len({worker["server"] for worker in status["workers"]}) == 2 and versions == {status["config_version"]}

    eventually(is_live_everywhere)
    with urllib.request.urlopen(f"{cluster.address}/other", timeout=5) as response:
        assert response.status == 200
        assert len(response.headers["X-Zato-CID"]) == 24
