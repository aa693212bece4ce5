"""Two servers with two workers each, on one ODB and one Redis: what is changed through one is live on all of them."""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from zato.common.errors import Unauthorized
from zato.common.rpc.client import Client
from zato.common.testing.plugin import require_program
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

from .conftest import Server, StartServer, deploy_samples

pytestmark = pytest.mark.redis

# Whatever reaches a server that looks for changes only once an hour, a nudge brought.
_NEVER_S = 3600.0


@dataclass(frozen=True)
class Pair:
    """
    Args:
        nudged: A server that learns of changes by nudges alone.
        polling: One that also looks for them by itself.
    """

    nudged: Server
    polling: Server
    redis: RedisServer

    @property
    def servers(self) -> tuple[Server, Server]:
        return self.nudged, self.polling

    def is_live_everywhere(self, path: str) -> bool:
        """Whether each worker of both servers has answered on `path`; once all say that they know it, none may not."""
        self.nudged.wait_until_applied()
        return all(is_live_on_all_workers(server, path) for server in self.servers)

    def versions(self, server: Server) -> set[int]:
        """The configuration versions that the server's workers run."""
        status = server.admin("zato.cluster.get-status")
        return {worker["config_version"] for worker in status["workers"] if worker["server"] == server.name}

    def newest_version(self) -> int:
        return int(self.polling.admin("zato.cluster.get-status")["config_version"])


def is_live_on_all_workers(server: Server, path: str) -> bool:
    workers, answered = server.worker_pids(), set()

    def has_answered() -> bool:
        answer = server.request("GET", path)
        assert answer.status == 200, answer
        answered.add(answer.json["pid"])
        return answered == workers

    return len(workers) == 2 and eventually(has_answered, what=f"all of {workers} to answer on {path}")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(require_program("redis-server"), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def pair(start_server: StartServer, new_odb_url: Callable[[], str], redis: RedisServer) -> Pair:
    odb_url = new_odb_url()
    shared = {
        "odb_url": odb_url,
        "redis_url": redis.url,
        "cluster": f"pair{os.getpid()}-{odb_url.partition(':')[0]}",
        "workers": 2,
    }
    nudged = start_server(poll_interval_s=_NEVER_S, **shared)
    pair = Pair(nudged, start_server(poll_interval_s=0.2, **shared), redis)
    deploy_samples(nudged)
    return pair


def test_a_channel_made_on_either_server_is_live_on_all_workers_of_both(pair: Pair) -> None:
    for number, server in enumerate(pair.servers):
        server.add_channel(f"made-{number}", f"/made/{number}", "samples.where")
        assert pair.is_live_everywhere(f"/made/{number}")


def test_a_channel_that_is_changed_or_deleted_is_so_on_all_workers_of_both(pair: Pair) -> None:
    pair.nudged.add_channel("moving", "/before", "samples.where")
    pair.polling.admin("zato.channel-http.edit", name="moving", url_path="/after")
    assert pair.is_live_everywhere("/after")
    assert {server.request("GET", "/before").status for server in pair.servers for _ in range(10)} == {404}
    pair.nudged.admin("zato.channel-http.delete", name="moving")
    pair.nudged.wait_until_applied()
    assert {server.request("GET", "/after").status for server in pair.servers for _ in range(10)} == {404}


def test_how_late_a_change_came_to_each_worker_is_counted_and_logged(pair: Pair) -> None:
    def counted(server: Server) -> int:
        text = server.request("GET", "/metrics").body.decode()
        return int(float(re.findall(r"^zato_config_lag_seconds_count (\S+)$", text, re.MULTILINE)[0]))

    before = [counted(server) for server in pair.servers]
    pair.nudged.add_channel("late", "/late", "samples.where")
    assert pair.is_live_everywhere("/late")
    assert [counted(server) for server in pair.servers] == [count + 2 for count in before]
    version = pair.newest_version()
    for server in pair.servers:
        logged = [json.loads(line) for line in server.log_text().splitlines() if '"configuration_applied"' in line]
        lags_s = [line["lag_s"] for line in logged if line["version"] == version]
        assert len(lags_s) == 2 and all(0 <= lag_s < 30 for lag_s in lags_s), logged


def test_without_redis_a_change_arrives_by_the_poll_and_with_redis_back_at_once_again(pair: Pair) -> None:
    before = pair.versions(pair.nudged)
    pair.redis.stop()
    try:
        pair.nudged.add_channel("polled", "/polled", "samples.where")
        newest = pair.newest_version()
        eventually(lambda: pair.versions(pair.polling) == {newest}, what="the poll to find the change")
        assert is_live_on_all_workers(pair.polling, "/polled")
        assert pair.versions(pair.nudged) == before, "the one that never looks was not nudged, so it was the poll"
        assert {pair.nudged.request("GET", "/polled").status for _ in range(10)} == {404}
    finally:
        pair.redis.start()
    # Who reconnects looks what it missed: the nudge of this change was never delivered to anybody.
    assert pair.is_live_everywhere("/polled")
    pair.polling.add_channel("nudged", "/nudged", "samples.where")
    assert pair.is_live_everywhere("/nudged")


def test_a_deployment_through_one_server_is_reported_by_all_workers_of_both(pair: Pair) -> None:
    source = "from zato.server.service import Service\nclass Both(Service):\n    def handle(self):\n        pass\n"
    deployed = pair.polling.deploy("both.py", source)
    workers = {(server.name, pid) for server in pair.servers for pid in server.worker_pids()}
    assert {(each.server, each.pid) for each in deployed.workers} == workers
    assert {(each.version_running, each.is_ok) for each in deployed.workers} == {(deployed.version, True)}
    assert not deployed.missing


def test_one_file_deployed_through_both_servers_at_a_time_is_one_version(pair: Pair) -> None:
    source = "from zato.server.service import Service\nclass Same(Service):\n    def handle(self):\n        pass\n"
    with ThreadPoolExecutor() as threads:
        deployments = [threads.submit(server.deploy, "same.py", source) for server in pair.servers]
    assert {deployment.result().version for deployment in deployments} == {1}


def test_a_call_without_the_clusters_token_is_refused(pair: Pair) -> None:
    client = Client(f"127.0.0.1:{pair.nudged.grpc_port}", token="another-token")
    try:
        with pytest.raises(Unauthorized):
            client.call(InvokerStub(client.channel).Invoke, InvokeRequest(service="zato.ping"), timeout_s=10)
    finally:
        client.close()
