"""Parts are upgraded one at a time: each works with its neighbours of the release before this one, and they with it."""

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from zato.common.testing.load import Load
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

pytestmark = pytest.mark.haproxy

SERVICES = """
from zato.server.service import Service


class Note(Service):
    def handle(self):
        with open("@FOLDER@/notes", "a") as file:
            file.write(self.request.raw_request.decode() + chr(10))


class Tick(Service):
    def handle(self):
        with open("@FOLDER@/ticks", "a") as file:
            file.write(self.cid + chr(10))


class Where(Service):
    def handle(self):
        self.response.payload = {"server": self.server.name}


class Send(Service):
    def handle(self):
        self.out.zmq.send(self.request.raw_request.decode(), "outgoing")
"""


class Watched:
    """A cluster with services, a job that fires each second and ZeroMQ in both directions, and whether all of that works."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self._inbound, self._outbound = f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{free_port()}"
        source = cluster.folder / "upgrade.py"
        source.write_text(SERVICES.replace("@FOLDER@", str(cluster.folder)))
        old = cluster.old
        cluster.zato(old, "service", "deploy", str(source), "--wait", "30")
        self.create(old, "channel-http", "where", "url_path=/where", "service=upgrade.where", "method=GET")
        self.create(old, "channel-http", "send", "url_path=/send", "service=upgrade.send")
        self.create(old, "scheduler-job", "tick", "job_type=interval_based", "service=upgrade.tick", "seconds=1")
        eventually(self._create_inbound, timeout_s=30, what="the connector to have brought its kinds")
        self.create(old, "outgoing-zmq", "outgoing", f"address={self._outbound}")
        cluster.zato(old, "wait", "--timeout", "30")

    def _create_inbound(self) -> bool:
        self.create(self.cluster.old, "channel-zmq", "inbound", f"address={self._inbound}", "service=upgrade.note")
        return True

    def create(self, release: Path, kind: str, name: str, *options: str) -> None:
        self.cluster.zato(release, "object", "create", kind, name, *options)

    def check(self, release: Path, word: str) -> None:
        """Everything works, by that release's command. `word` is another one each time."""
        ticks = self._lines("ticks")
        self._check_servers(release, word)
        self._check_messages(word)
        eventually(lambda: self._lines("ticks") >= ticks + 2, timeout_s=20, what="jobs to fire")
        runs = self.cluster.zato_json(release, "scheduler", "runs", "tick")
        assert {run["state"] for run in runs} <= {"ok", "claimed", "running"}

    def _check_servers(self, release: Path, word: str) -> None:
        """An object that is made is live on both servers, and the load-balancer follows what it is told of them."""
        self.create(release, "channel-http", word, f"url_path=/{word}", "service=upgrade.where", "method=GET")
        self.cluster.zato(release, "wait", "--timeout", "30")
        self.cluster.zato(release, "lb", "drain", "server1")
        self.await_state(release, "server1", "drain")
        assert {self._get(f"/{word}") for _ in range(5)} == {'{"server":"server2"}'}
        self.cluster.zato(release, "lb", "resume", "server1")
        self.await_state(release, "server1", "up")

    def _check_messages(self, word: str) -> None:
        with zmq.Context() as context:
            with context.socket(zmq.PUSH) as push:
                push.connect(self._inbound)
                push.send_string(word)
                eventually(lambda: self._lines("notes", word) == 1, timeout_s=20, what="the message to be delivered")
            with context.socket(zmq.PULL) as pull:
                pull.bind(self._outbound)
                self._get("/send", word.encode())
                assert pull.poll(20_000), "no message came out"
                assert pull.recv_string() == word

    def await_state(self, release: Path, server: str, state: str) -> None:
        """Wait until the load-balancer sees that server so."""

        def is_so() -> bool:
            backends = self.cluster.zato_json(release, "lb", "state")["backends"]
            states = {backend["name"]: backend["state"] for backend in backends}
            assert states.get(server) == state, states
            return True

        eventually(is_so, timeout_s=20, what=f"{server} to be {state}")

    def _get(self, path: str, body: bytes | None = None) -> str:
        with urllib.request.urlopen(f"{self.cluster.address}{path}", body, timeout=20) as response:
            return str(response.read().decode())

    def _lines(self, file: str, word: str = "") -> int:
        path = self.cluster.folder / file
        lines = path.read_text().splitlines() if path.exists() else []
        return sum(not word or line == word for line in lines)


def test_servers_first_while_requests_run(start_cluster: Callable[[], Any]) -> None:
    """Servers of two releases share the configuration, and all others are of the release before."""
    cluster = start_cluster()
    watched = Watched(cluster)
    with Load(f"{cluster.address}/where") as load:
        load.wait_for_more(20)
        cluster.replace("server1")
        watched.await_state(cluster.old, "server1", "up")
        load.wait_for_more(50)
    assert load.failures == []
    watched.check(cluster.old, "both")
    with Load(f"{cluster.address}/where") as load:
        cluster.replace("server2")
        watched.await_state(cluster.old, "server2", "up")
        load.wait_for_more(50)
    assert load.failures == []
    watched.check(cluster.old, "servers")


def test_servers_last(start_cluster: Callable[[], Any]) -> None:
    """Scheduler, connector, load-balancer, authority and command are ours, the servers of the release before."""
    cluster = start_cluster()
    watched = Watched(cluster)
    cluster.replace("ca", "scheduler", "connector-zmq", "lb-agent")
    watched.check(cluster.new, "others")
