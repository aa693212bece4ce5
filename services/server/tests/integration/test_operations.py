"""What runs, rather than what is configured: queues, caches, rate limits, servers, sources. Through real servers."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from zato.common.errors import BadRequest, Conflict, NotFound, Unavailable, ZatoError
from zato.common.testing.waiting import eventually
from zato.server.admin.async_queue import AsyncQueue
from zato.server.admin.queues import DEAD, DELAYED, RUNNING, WAITING
from zato.server.services.caches import Cache, Caches
from zato.server.services.tasks import FIELD, GROUP, Task, Tasks, TaskSettings, encode

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis


# Queues, without workers that would empty them


@pytest.fixture
def tasks(redis_url: str) -> Tasks:
    return Tasks(redis_url, "q", TaskSettings(needs_persistence=False))


def bury(tasks: Tasks, number: int) -> str:
    blob = encode(Task(f"service-{number}", f"cid-{number}", b"{}", attempt=3))
    id: Any = tasks.conn.xadd(tasks.dead, {FIELD: blob, "reason": "it broke", "failed_at": 1000.0 + number})
    return str(id.decode())


def counts(queue: AsyncQueue) -> tuple[int, int, int, int]:
    status = queue.status()
    return status.waiting, status.running, status.delayed, status.dead


def test_messages_are_seen_in_their_states(tasks: Tasks) -> None:
    queue = AsyncQueue(tasks)
    assert (counts(queue), queue.status().oldest_s, queue.messages(WAITING)) == ((0, 0, 0, 0), None, [])
    tasks.publish([Task("first", "cid-1", b'{"a": 1}'), Task("second", "cid-2")])
    tasks.publish([Task("later", "cid-3")], delay_s=60)
    bury(tasks, 4)
    tasks.conn.xgroup_create(tasks.stream, GROUP, id="0")
    tasks.conn.xreadgroup(GROUP, "worker", {tasks.stream: ">"}, count=1)
    assert counts(queue) == (1, 1, 1, 1)
    assert [[message.target for message in queue.messages(state)] for state in (RUNNING, WAITING, DELAYED, DEAD)] == [
        ["first"],
        ["second"],
        ["later"],
        ["service-4"],
    ]
    (running,) = queue.messages(RUNNING)
    assert (running.payload, running.cid) == ('{"a": 1}', "cid-1")
    assert queue.messages(DELAYED)[0].at == pytest.approx(time.time() + 60, abs=10)
    (dead,) = queue.messages(DEAD)
    assert (dead.reason, dead.at, dead.attempts) == ("it broke", 1004.0, 3)
    assert queue.status().oldest_s is not None


def test_a_dead_letter_is_redriven_once_and_as_if_for_the_first_time(tasks: Tasks) -> None:
    queue = AsyncQueue(tasks)
    ids = [bury(tasks, number) for number in range(3)]
    assert (queue.redrive([ids[1]]), queue.redrive([ids[1]]), queue.redrive(["nonsense"])) == (1, 0, 0)
    assert [(message.target, message.attempts) for message in queue.messages(WAITING)] == [("service-1", 1)]
    assert (queue.redrive(None), counts(queue)) == (2, (3, 0, 0, 0))


def test_people_who_redrive_at_the_same_time_redrive_each_once(tasks: Tasks) -> None:
    for number in range(50):
        bury(tasks, number)
    counted: list[int] = []
    threads = [threading.Thread(target=lambda: counted.append(AsyncQueue(tasks).redrive(None))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(counted), counts(AsyncQueue(tasks))) == (50, (50, 0, 0, 0))


def test_what_cannot_be_read_is_seen_and_purged_but_not_redriven(tasks: Tasks) -> None:
    queue = AsyncQueue(tasks)
    tasks.conn.xadd(tasks.dead, {FIELD: b"\xc1", "reason": "no task"})
    assert (queue.messages(DEAD)[0].reason, queue.redrive(None), queue.purge(DEAD, None)) == ("no task", 0, 1)


def test_messages_are_purged_and_one_that_runs_is_left_to_its_worker(tasks: Tasks) -> None:
    queue = AsyncQueue(tasks)
    tasks.publish([Task(f"s{number}", "cid") for number in range(5)])
    tasks.publish([Task("later", "cid"), Task("later too", "cid")], delay_s=60)
    ids = [message.id for message in queue.messages(WAITING)]
    assert queue.purge(WAITING, [ids[4]]) == 1, "no worker has been there ever"
    tasks.conn.xgroup_create(tasks.stream, GROUP, id="0")
    tasks.conn.xreadgroup(GROUP, "worker", {tasks.stream: ">"}, count=2)
    assert (queue.purge(WAITING, ids), counts(queue)) == (2, (0, 2, 2, 0))
    assert queue.purge(DELAYED, [queue.messages(DELAYED)[0].id]) == 1
    assert (queue.purge(DELAYED, None), queue.purge(DEAD, ["nonsense"]), counts(queue)) == (1, 0, (0, 2, 0, 0))


def test_a_redis_that_is_away_is_said_to_be(redis_server: Any) -> None:
    tasks = Tasks(redis_server.url, "q", TaskSettings(needs_persistence=False))
    tasks.conn = redis.Redis.from_url(redis_server.url, retry=None)
    redis_server.stop()
    for work in (
        AsyncQueue(tasks).status,
        lambda: AsyncQueue(tasks).redrive(None),
        lambda: AsyncQueue(tasks).purge(DEAD, None),
    ):
        with pytest.raises(Unavailable):
            work()


# Caches


def test_to_look_at_a_cache_is_not_to_use_it(redis_url: str) -> None:
    caches = Caches(redis.Redis.from_url(redis_url), "cache", b"k" * 32)
    cache: Cache = caches.get_cache("builtin", "rates")
    assert caches.names() == []
    cache.set("old", "v" * 100)
    cache.set(7, {"a": 1}, expiry=60)
    before = cache.look_over()
    assert [each.key for each in before] == [7, "old"]
    found = cache.look("old")
    assert found is not None
    assert (found.value, cache.look("nothing")) == ("v" * 100, None)
    assert [(each.key, each.last_use) for each in cache.look_over()] == [(each.key, each.last_use) for each in before]
    assert before[1].size_bytes > 100
    assert before[1].expires_in_s is None
    assert before[0].expires_in_s == pytest.approx(60, abs=5)
    assert caches.names() == ["rates"]


# Servers

SERVICES = """
from zato.server.service import Service


class Fail(Service):
    def handle(self):
        raise ValueError("it broke")


class Begin(Service):
    def handle(self):
        self.invoke_async("ops.fail", self.request.payload)


class Fill(Service):
    def handle(self):
        self.cache.default.set("customer-1", {"name": "Ann"})
        self.cache.get_cache("builtin", "rates").set(7, 1.5)
        self.response.payload = self.cache.default.get("given")


class Limited(Service):
    def handle(self):
        self.response.payload = {"is_ok": True}
"""


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    made = start_server(odb_url=new_odb_url(), async_max_attempts=1, workers=2)
    made.deploy("ops.py", SERVICES)
    made.wait_until_applied()
    return made


def test_dead_letters_are_found_redriven_and_purged(server: Server) -> None:
    server.invoke("ops.begin", {"number": 1})

    def dead() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = server.admin("zato.queue.get-messages", queue="async", query="ops.fail")["data"]
        return found

    (letter,) = eventually(dead, what="the dead letter")
    assert (letter["state"], "it broke" in letter["reason"], "payload" in letter) == ("dead", True, False)
    whole = server.admin("zato.queue.get-message", queue="async", id=letter["id"])
    assert json.loads(whole["payload"]) == {"number": 1}
    assert server.admin("zato.queue.redrive", queue="async", ids=[letter["id"]]) == {"redriven": 1}
    (again,) = eventually(dead, what="its failing once more")
    assert again["id"] != letter["id"]
    assert server.admin("zato.queue.purge", queue="async", state="dead", all=True) == {"deleted": 1}
    (status,) = server.admin("zato.queue.get-list")
    assert (status["name"], status["dead"]) == ("async", 0)
    noted = server.admin("zato.audit-log.get-list", kind="queue")["data"]
    assert [(each["action"], each["name"], each["result"]) for each in noted] == [
        ("purge", "async", "begun"),
        ("redrive", "async", "begun"),
    ]


@pytest.mark.parametrize(
    ("service", "values", "error"),
    [
        ("zato.queue.redrive", {"queue": "async"}, BadRequest),
        ("zato.queue.redrive", {"queue": "async", "ids": []}, BadRequest),
        ("zato.queue.purge", {"queue": "async", "state": "running", "all": True}, BadRequest),
        ("zato.queue.get-messages", {"queue": "other"}, NotFound),
        ("zato.queue.get-message", {"queue": "async", "id": "1-1"}, NotFound),
        ("zato.cache.builtin.entry.get", {"key": "nothing"}, NotFound),
        ("zato.cache.builtin.entry.delete", {"key": "nothing"}, NotFound),
        ("zato.cache.builtin.entry.set", {"key": "a"}, BadRequest),
        ("zato.cache.builtin.entry.set", {"key": "a", "value": 1, "expiry": -1}, BadRequest),
        ("zato.cache.builtin.entry.set", {"key": 1.5, "value": 1}, BadRequest),
        ("zato.rate-limit.reset", {"kind": "channel-http", "name": "nothing"}, NotFound),
        ("zato.rate-limit.reset", {}, BadRequest),
        ("zato.server.get-by-id", {"id": 1}, NotFound),
        ("zato.server.edit", {"id": 1, "name": "x"}, BadRequest),
        ("zato.service.get-source-info", {"name": "zato.ping"}, NotFound),
    ],
)
def test_what_makes_no_sense_is_refused(server: Server, service: str, values: dict[str, Any], error: type[ZatoError]) -> None:
    with pytest.raises(error):
        server.admin(service, **values)


def test_caches_are_looked_into_and_changed(server: Server) -> None:
    server.admin("zato.cache.builtin.entry.set", key="given", value={"by": "hand"}, expiry=60)
    assert json.loads(server.invoke("ops.fill").payload) == {"by": "hand"}
    caches = {each["name"]: each for each in server.admin("zato.cache.builtin.get-list")}
    assert {name: each["entries"] for name, each in caches.items()} == {"default": 2, "rates": 1}
    assert (caches["default"]["is_default"], caches["default"]["expiring"]) == (True, 1)
    entries = server.admin("zato.cache.builtin.entry.get-list", query="customer")
    assert [each["key"] for each in entries["data"]] == ["customer-1"]
    found = server.admin("zato.cache.builtin.entry.get", key="customer-1")
    assert (json.loads(found["value"]), found["type"]) == ({"name": "Ann"}, "dict")
    assert server.admin("zato.cache.builtin.entry.get", name="rates", key=7)["value"] == "1.5"
    server.admin("zato.cache.builtin.entry.delete", name="rates", key=7)
    assert server.admin("zato.cache.builtin.clear") == {"deleted": 2}
    assert server.admin("zato.cache.builtin.get")["entries"] == 0
    assert "hand" not in json.dumps(server.admin("zato.audit-log.get-list", query="cache")), "values are not noted"


@pytest.mark.parametrize("limit_type", ["EXACT", "APPROXIMATE"])
def test_rate_limits_are_looked_at_and_counted_anew(server: Server, limit_type: str) -> None:
    name = f"limited-{limit_type.lower()}"
    limit = {"is_rate_limit_active": True, "rate_limit_type": limit_type, "rate_limit_def": "* = 3/d"}
    server.add_channel(name, f"/{name}", "ops.limited", **limit)
    server.wait_until_applied()

    def refused() -> bool:
        return server.request("GET", f"/{name}").status == 429

    # Each of two workers counts by itself what is APPROXIMATE, and which of them is asked is chance.
    eventually(lambda: all(refused() for _ in range(8)), what="the limit to be used up")

    def used_up() -> list[dict[str, Any]]:
        # Nor have all of those many to have come to the one that tells of it.
        refused()
        return [each for each in server.admin("zato.rate-limit.get-list", query=name)["data"] if each["used"] == 3]

    (row,) = eventually(used_up, what="a worker that tells of a limit that is used up")
    assert (row["limit"], row["window_s"], row["source"]) == (3, 86_400, "*")
    assert row["counted_by"].startswith("cluster" if limit_type == "EXACT" else f"{server.name}/")
    server.admin("zato.rate-limit.reset", kind="channel-http", name=name)
    eventually(lambda: not refused(), what="a request that is let through again")


def test_servers_and_the_cluster_are_told_of(server: Server) -> None:
    (cluster,) = server.admin("zato.cluster.get-list")
    assert (cluster["servers"], cluster["servers_running"], cluster["is_up_to_date"]) == (1, 1, True)
    (told,) = server.admin("zato.server.get-list")
    assert (told["name"], told["up_status"], set(told["workers"])) == (server.name, "running", server.worker_pids())
    assert server.admin("zato.server.get-by-id", id=told["id"])["name"] == server.name
    assert set(server.admin("zato.info.get-worker-pids")["pids"]) == server.worker_pids()
    assert server.admin("zato.info.get-server-info")["server"] == server.name
    with pytest.raises(Conflict, match="runs"):
        server.admin("zato.server.delete", id=told["id"])


def test_a_service_tells_its_source_its_channels_and_who_runs_it(server: Server) -> None:
    server.add_channel("limited", "/ops/limited", "ops.limited")
    server.wait_until_applied()
    info = server.admin("zato.service.get-source-info", name="ops.limited")
    assert (info["source"], info["source_path"], info["version"]) == (SERVICES, "ops.py", 1)
    assert (info["source_hash_method"], len(info["source_hash"])) == ("SHA-256", 64)
    channels = server.admin("zato.service.get-channel-list", name="ops.limited", channel_type="http")
    assert "limited" in [each["name"] for each in channels]
    assert server.admin("zato.service.get-channel-list", name="ops.limited", channel_type="soap") == []
    told = server.admin("zato.service.get-deployment-info-list", name="ops.limited")
    assert {(each["server_name"], each["version"], each["is_ok"]) for each in told} == {(server.name, 1, True)}
    page = server.admin("zato.service.get-list", name_filter="OPS.", cur_page=1, page_size=3)
    assert (len(page["data"]), page["_meta"]["total"]) == (3, 4)
