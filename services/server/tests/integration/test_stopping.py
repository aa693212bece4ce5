"""Servers and workers that stop, are told to reload, or are killed: what of it clients see, and what they do not."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from zato.common.errors import Unavailable
from zato.common.rpc.calls import call_metadata
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

from .conftest import TOKEN, RawConnection, Server, StartServer, deploy_samples, runs
from .long_clients import Load, Watcher

pytestmark = pytest.mark.redis

_CALLS_AT_A_TIME = 100


@pytest.fixture(scope="module")
def lasting_server(start_server: StartServer) -> Server:
    server = start_server(workers=2)
    deploy_samples(server)
    return server


@pytest.fixture
def own_server(lasting_server: Server) -> Server:
    """A server that the test may stop; started again, with a new log, for the next one."""
    if not lasting_server.is_ready():
        lasting_server.log_file.unlink()
        lasting_server.start()
        lasting_server.wait_until_grpc_serves()
    return lasting_server


@pytest.fixture
def watcher(own_server: Server) -> Iterator[Watcher]:
    watcher = Watcher(own_server)
    yield watcher
    watcher.close()


@contextlib.contextmanager
def running_request(server: Server, seconds: float) -> Iterator[RawConnection]:
    """A request that a worker has begun to read for certain: it has said so."""
    with server.connect() as connection:
        head = f"POST /slow?seconds={seconds} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        connection.send(head.encode())
        assert connection.read_head() == (100, {})
        yield connection


def test_sigterm_ends_running_requests_in_order_and_the_server_at_once_whoever_watches(
    own_server: Server, watcher: Watcher
) -> None:
    assert watcher.next_event().is_snapshot
    with running_request(own_server, 1.0) as connection:
        connection.send(b"{}")
        os.kill(own_server.pid, signal.SIGTERM)
        # It is told to go elsewhere, and not cut off when a grace period is over.
        assert watcher.wait_for_end().message == "This server stops: ask another one"
        answer = connection.read_answer()
        assert answer is not None and answer.status == 200
        assert connection.read_to_end() == b""
    assert own_server.wait_for_end(20) == 0
    # Nothing had to be waited for until its time was up.
    assert not own_server.log_lines("sidecar_killed")
    assert not own_server.log_lines("requests_cut_off")


def test_sigterm_closes_connections_that_wait_for_their_next_request(own_server: Server) -> None:
    with own_server.connect() as kept, own_server.connect() as fresh:
        kept.send(b"GET /where HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.read_answer() is not None
        os.kill(own_server.pid, signal.SIGTERM)
        assert kept.read_to_end() == b""
        assert fresh.read_to_end() == b""
    assert own_server.wait_for_end(20) == 0
    assert not own_server.log_lines("requests_cut_off")


def test_requests_that_do_not_end_are_cut_off_when_their_time_is_up(start_server: StartServer) -> None:
    server = start_server(graceful_timeout_s=1.0)
    deploy_samples(server)
    with running_request(server, 60.0) as connection:
        connection.send(b"{}")
        os.kill(server.pid, signal.SIGTERM)
        assert connection.read_answer() is None
    assert server.wait_for_end(20) == 0
    assert [line["count"] for line in server.log_lines("requests_cut_off")] == [1]


def test_nothing_of_a_stopped_server_is_left(own_server: Server) -> None:
    family = own_server.children()
    assert len(family) == 3, "two workers and the sidecar"
    own_server.stop()
    assert [process for process in family if runs(process)] == []


def test_sighup_replaces_the_workers_without_losing_a_request(own_server: Server, watcher: Watcher) -> None:
    before, sidecar = own_server.worker_pids(), own_server.sidecar_pid()
    with Load(own_server) as load:
        eventually(lambda: len(load.pids) > 100, timeout_s=20)
        os.kill(own_server.pid, signal.SIGHUP)
        eventually(lambda: not before & own_server.live_worker_pids(), timeout_s=30, what="the old workers to end")
        seen = len(load.pids)
        eventually(lambda: len(load.pids) > seen + 100, timeout_s=20)
        assert not before & set(load.pids[seen + 50 :])
    assert load.failures == []
    assert own_server.sidecar_pid() == sidecar
    own_server.add_channel("after-reload", "/after-reload", "samples.where")
    watcher.wait_for_object("after-reload")
    assert not watcher.has_ended


def test_a_watch_goes_on_over_the_death_of_all_workers(own_server: Server, watcher: Watcher) -> None:
    assert watcher.next_event().is_snapshot
    before = own_server.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    own_server.wait_until_grpc_serves()
    own_server.add_channel("after-death", "/after-death", "samples.where")
    event = watcher.wait_for_object("after-death")
    assert [each.name for each in event.objects] == ["after-death"], "what came later, and nothing twice"
    assert not watcher.has_ended


def test_nobody_waits_for_workers_that_were_killed(own_server: Server) -> None:
    victim, *others = own_server.worker_pids()
    os.kill(victim, signal.SIGKILL)

    def is_told_truly() -> bool:
        try:
            told = own_server.worker_pids()
        except Unavailable:  # it was the killed one that was asked
            return False
        return len(told) == 2 and told == own_server.live_worker_pids()

    eventually(is_told_truly, what="the status to tell of those that live")
    assert set(others) < own_server.worker_pids()
    deployed = own_server.deploy("after_death.py", "VALUE = 1\n")
    assert {each.pid for each in deployed.workers} == own_server.worker_pids()
    assert not deployed.missing


def test_a_watch_goes_on_where_it_was_when_the_server_was_killed_and_is_back(own_server: Server, watcher: Watcher) -> None:
    version = watcher.next_event().version
    family = own_server.children()
    own_server.kill()
    assert isinstance(watcher.wait_for_end(), Unavailable)
    eventually(lambda: not any(runs(process) for process in family), what="its children to end")
    own_server.start()
    own_server.wait_until_grpc_serves()
    own_server.add_channel("after-restart", "/after-restart", "samples.where")
    again = Watcher(own_server, from_version=version)
    try:
        event = again.wait_for_object("after-restart")
        assert not event.is_snapshot
        assert [each.name for each in event.objects] == ["after-restart"]
    finally:
        again.close()


def test_a_sidecar_that_dies_is_started_again(own_server: Server) -> None:
    sidecar = own_server.sidecar_pid()
    os.kill(sidecar, signal.SIGKILL)
    eventually(lambda: own_server.sidecar_pid() not in (0, sidecar), what="another sidecar")
    own_server.wait_until_grpc_serves()
    assert own_server.request("GET", "/where").status == 200


def test_more_calls_than_the_sidecar_forwards_at_a_time_are_all_answered_and_the_server_stays_in_service(
    own_server: Server,
) -> None:
    health = health_pb2_grpc.HealthStub(own_server.client.channel)
    statuses: list[int] = []
    stream = health.Watch(health_pb2.HealthCheckRequest(), timeout=100)

    def follow() -> None:
        with contextlib.suppress(grpc.RpcError):
            statuses.extend(response.status for response in stream)

    thread = threading.Thread(target=follow)
    thread.start()
    eventually(lambda: statuses, what="the health check to answer")
    invoke = InvokerStub(own_server.client.channel).Invoke
    # All of them wait for the others: no worker has its hands free for long.
    request = InvokeRequest(service="samples.slow", payload=b'{"seconds": 1.5}')
    metadata = call_metadata(TOKEN, "many")
    calls = [invoke.future(request, metadata=metadata, timeout=60) for _ in range(_CALLS_AT_A_TIME)]
    assert [bool(call.result().payload) for call in calls] == [True] * _CALLS_AT_A_TIME
    stream.cancel()
    thread.join()
    assert set(statuses) == {health_pb2.HealthCheckResponse.SERVING}
    assert not own_server.log_lines("server_not_ready")
