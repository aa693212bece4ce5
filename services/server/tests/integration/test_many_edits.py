"""A thousand edits while Redis restarts five times: they end the same everywhere, and nobody ever sees one half made."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from zato.common.testing.plugin import require_program
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis

PASSWORD = "correct horse battery"
SETS, SINGLES, EDITORS = 40, 20, 2
# Of two kinds, so many of each: few edits of many objects take less time than the reverse, and show halves as well.
SET_NAMES = 12
SET_SIZE = SET_NAMES * 2
EDITS = SETS * SET_SIZE + SINGLES * EDITORS
RESTARTS = 5
SERVICES = """
import hashlib
import os

import gevent

from zato.common.options import option_values
from zato.server.service import Service


class Look(Service):
    name = "edits.look"

    def handle(self):
        seen = [self.security.basic_auth[f"set-{number}"].realm for number in range(@SET_NAMES@)]
        gevent.sleep(0.01)
        seen += [self.out.rest[f"set-{number}"].conn._options.url_path for number in range(@SET_NAMES@)]
        self.response.payload = {"seen": seen}


class Digest(Service):
    name = "edits.digest"

    def handle(self):
        configuration = self.server._configuration()
        objects = sorted(configuration.objects.values(), key=lambda each: each.id)
        told = repr([(each.id, each.version, each.name, sorted(option_values(each.options).items())) for each in objects])
        digest = hashlib.sha256(told.encode()).hexdigest()
        self.response.payload = {"pid": os.getpid(), "version": configuration.version, "digest": digest}
""".replace("@SET_NAMES@", str(SET_NAMES))


@dataclass
class Progress:
    """How many edits were made, and when Redis is to be restarted."""

    edits: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.edits += count


@dataclass
class Look:
    """What one client has seen: sets that were no set, and answers that were none."""

    halves: list[list[str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)

    def look_until(self, is_over: threading.Event, server: Server) -> None:
        while not is_over.wait(0.02):
            answer = server.request("GET", "/look")
            if answer.status != 200:
                self.failures.append(str(answer))
                continue
            seen = answer.json["seen"]
            if len({each.strip("/") for each in seen}) == 1:
                self.whole.add(seen[0])
            else:
                self.halves.append(seen)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(require_program("redis-server"), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def servers(start_server: StartServer, new_odb_url: Callable[[], str], redis: RedisServer) -> list[Server]:
    """Two of two workers; one of them learns of changes by nudges alone, so that none may be lost for ever."""
    odb_url = new_odb_url()
    shared = {"odb_url": odb_url, "redis_url": redis.url, "cluster": f"edits-{odb_url.partition(':')[0]}", "workers": 2}
    started = [start_server(poll_interval_s=3600.0, **shared), start_server(**shared)]
    deployed = started[0].deploy("edits.py", SERVICES)
    assert all(worker.is_ok for worker in deployed.workers), deployed
    apply_set(started[0], "first")
    for number in range(EDITORS):
        started[0].admin("zato.security-basic-auth.create", name=f"single-{number}", username=str(number), password=PASSWORD)
    for name in ("look", "digest"):
        started[0].add_channel(name, f"/{name}", f"edits.{name}")
    started[0].wait_until_applied()
    return started


def apply_set(server: Server, mark: str) -> None:
    """Change all objects of the set in one transaction."""
    objects: list[dict[str, Any]] = []
    for name in (f"set-{number}" for number in range(SET_NAMES)):
        objects += [
            {"kind": "security-basic-auth", "name": name, "username": name, "realm": mark, "password": PASSWORD},
            {"kind": "outgoing-http", "name": name, "host": "http://127.0.0.1:1", "url_path": f"/{mark}"},
        ]
    applied = server.admin("zato.enmasse.apply", objects=objects)
    assert applied["is_applied"], applied


def edit_sets(servers: list[Server], progress: Progress) -> None:
    for number in range(SETS):
        apply_set(servers[number % 2], f"mark-{number}")
        progress.add(SET_SIZE)


def edit_singles(servers: list[Server], progress: Progress, name: str) -> None:
    for number in range(SINGLES):
        server = servers[number % 2]
        server.admin("zato.security-basic-auth.edit", name=name, username=f"{name}-{number}")
        progress.add(1)


def digests(server: Server) -> dict[int, tuple[int, str]]:
    """What each worker runs: its version, and a digest of all objects."""
    workers, found = server.worker_pids(), {}

    def have_all_answered() -> bool:
        answer = server.request("GET", "/digest").json
        found[answer["pid"]] = (answer["version"], answer["digest"])
        return found.keys() == workers

    eventually(have_all_answered, what=f"all of {workers} to answer")
    return found


def test_a_thousand_edits_end_equal_everywhere_and_no_request_sees_half_of_one(
    servers: list[Server], redis: RedisServer
) -> None:
    progress, is_over = Progress(), threading.Event()
    looks = [(Look(), server) for server in servers for _ in range(2)]
    with ThreadPoolExecutor(len(looks) + EDITORS + 1) as threads:
        watching = [threads.submit(look.look_until, is_over, server) for look, server in looks]
        editing = [threads.submit(edit_sets, servers, progress)]
        editing += [threads.submit(edit_singles, servers, progress, f"single-{number}") for number in range(EDITORS)]
        try:
            for restart in range(RESTARTS):
                wanted = EDITS * (restart + 1) // (RESTARTS + 1)
                eventually(lambda wanted=wanted: progress.edits >= wanted or _failed(editing), timeout_s=60, what="more edits")
                redis.stop()
                redis.start()
            for editor in editing:
                editor.result()
            servers[0].wait_until_applied()
        finally:
            is_over.set()
        for watcher in watching:
            watcher.result()
    assert progress.edits == EDITS
    assert [half for look, _ in looks for half in look.halves] == []
    assert [failure for look, _ in looks for failure in look.failures] == []
    assert all(look.whole for look, _ in looks) and len(set().union(*(look.whole for look, _ in looks))) > 10, (
        "they have seen little of the edits"
    )
    found = {(server.name, pid): seen for server in servers for pid, seen in digests(server).items()}
    assert len(found) == 4 and len(set(found.values())) == 1, found
    last = f"mark-{SETS - 1}"
    assert servers[1].request("GET", "/look").json["seen"] == [last] * SET_NAMES + [f"/{last}"] * SET_NAMES
    for number in range(EDITORS):
        edited = servers[1].admin("zato.security-basic-auth.get", name=f"single-{number}")
        assert edited["username"] == f"single-{number}-{SINGLES - 1}"


def _failed(editing: list[Any]) -> bool:
    return any(editor.done() and editor.exception() is not None for editor in editing)
