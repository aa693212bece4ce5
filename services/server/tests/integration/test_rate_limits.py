"""Rate limits: how they are counted, and that they are over all workers of all servers."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from zato.common.testing.processes import free_port
from zato.server.http.rate_limits import LocalCounter, Ticket
from zato.server.http.redis_counter import RedisCounter

from .conftest import Server, StartServer

SERVICE = """
import os

from zato.server.service import Service


class Where(Service):
    def handle(self):
        self.response.payload = {"pid": os.getpid()}
"""


def counters(redis_url: str) -> dict[str, Any]:
    return {"local": LocalCounter(), "redis": RedisCounter(redis_url, "test", None)}


@pytest.mark.parametrize("kind", ["local", "redis"])
def test_a_window_takes_as_many_as_it_was_told_and_says_how_long_it_lasts(redis_url: str, kind: str) -> None:
    counter = counters(redis_url)[kind]
    # The end of a day would have to come between two lines.
    ticket = Ticket("key", 5, 86_400)
    answers = [counter.take([ticket]) for _ in range(8)]
    assert answers[:5] == [0] * 5
    assert all(0 < answer <= 86_400 for answer in answers[5:])
    assert counter.take([Ticket("other", 1, 86_400)]) == 0


@pytest.mark.parametrize("kind", ["local", "redis"])
def test_a_request_that_one_limit_refuses_uses_up_no_other(redis_url: str, kind: str) -> None:
    counter = counters(redis_url)[kind]
    wide, narrow = Ticket("wide", 3, 86_400), Ticket("narrow", 1, 86_400)
    assert [counter.take([wide, narrow]) > 0 for _ in range(4)] == [False, True, True, True]
    assert [counter.take([wide]) > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("kind", ["local", "redis"])
def test_the_next_window_begins_at_nought(redis_url: str, kind: str) -> None:
    counter = counters(redis_url)[kind]
    ticket = Ticket("key", 1, 1)
    deadline = time.monotonic() + 20
    taken = 0
    while taken < 3 and time.monotonic() < deadline:
        taken += counter.take([ticket]) == 0
    assert taken == 3


def test_counts_in_redis_go_away_with_their_window(redis_url: str) -> None:
    RedisCounter(redis_url, "test", None).take([Ticket("key", 5, 60)])
    with redis.Redis.from_url(redis_url) as client:
        (name,) = client.keys("test:*")
        assert 0 < client.ttl(name) <= 61


# Over workers and servers

EXACTLY = 300
APPROXIMATELY = 40


@pytest.fixture(scope="module")
def servers(
    start_server: StartServer, new_redis_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> list[Server]:
    shared = {
        "odb_url": f"sqlite:///{tmp_path_factory.mktemp('odb')}/odb.db",
        "redis_url": new_redis_url(),
        "cluster": f"limits{time.monotonic_ns()}",
    }
    servers = [start_server(workers=2, **shared) for _ in range(2)]
    first = servers[0]
    first.deploy("limited.py", SERVICE)
    limited = {"username": "user", "password": "the-right-one", "is_rate_limit_active": True, "rate_limit_type": "EXACT"}
    first.admin("zato.security-basic-auth.create", name="user", rate_limit_def="* = 10/d", **limited)
    definition = {"is_rate_limit_active": True, "rate_limit_type": "EXACT"}
    for name, options in {
        "exact": {**definition, "rate_limit_def": f"* = {EXACTLY}/d"},
        "approximate": {"is_rate_limit_active": True, "rate_limit_def": f"* = {APPROXIMATELY}/d"},
        "elsewhere": {**definition, "rate_limit_def": "10.0.0.0/8 = 10/d"},
        "empty": {**definition},
        "off": {"rate_limit_def": "* = 0/d"},
        "unlimited": {**definition, "rate_limit_def": "127.0.0.1 = *"},
        "of-user": {"security": "user"},
        "of-user-too": {"security": "user"},
        "own-only": {**definition, "security": "user", "rate_limit_def": "* = 5/d", "rate_limit_check_parent_def": False},
    }.items():
        first.add_channel(name, f"/{name}", "limited.where", **options)
    first.wait_until_applied()
    return servers


USER = {"Authorization": "Basic dXNlcjp0aGUtcmlnaHQtb25l"}


def statuses(servers: list[Server], path: str, count: int, **headers: str) -> Counter[int]:
    """Send `count` requests to each of the servers, all at the same time, over some connections to each."""
    counted: Counter[int] = Counter()

    def send(server: Server, share: int) -> None:
        own = Counter(server.request("GET", path, headers=headers).status for _ in range(share))
        with lock:
            counted.update(own)

    lock = threading.Lock()
    threads = [threading.Thread(target=send, args=(server, count // 4)) for server in servers for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counted


def test_an_exact_limit_is_exact_over_all_workers_and_servers(servers: list[Server]) -> None:
    assert statuses(servers, "/exact", EXACTLY) == {200: EXACTLY, 429: EXACTLY}


def test_an_approximate_limit_is_each_workers_own(servers: list[Server]) -> None:
    counted = statuses(servers, "/approximate", 8 * APPROXIMATELY)
    assert APPROXIMATELY <= counted[200] <= 4 * APPROXIMATELY
    assert counted[200] + counted[429] == 16 * APPROXIMATELY


def test_who_is_refused_is_told_when_to_come_again(servers: list[Server]) -> None:
    statuses(servers, "/exact", EXACTLY)
    answer = servers[0].request("GET", "/exact")
    assert answer.status == 429
    assert answer.json["result"] == "Error" and answer.json["cid"] == answer.cid
    assert 0 < int(answer.headers["retry-after"]) <= 86_400


def test_addresses_without_a_rule_are_refused(servers: list[Server]) -> None:
    assert servers[0].request("GET", "/elsewhere").status == 403
    assert servers[0].request("GET", "/empty").status == 403
    answer = servers[0].request("GET", "/elsewhere", headers={"X-Forwarded-For": "10.9.8.7"})
    assert answer.status == 200, "the address is the one that our load-balancer saw"


def test_what_has_no_limit_or_none_that_is_active_is_not_limited(servers: list[Server]) -> None:
    for path in ("/off", "/unlimited"):
        assert statuses(servers[:1], path, 20) == {200: 20}


def test_a_definition_limits_its_user_on_all_channels_together(servers: list[Server]) -> None:
    first = statuses(servers, "/of-user", 4, **USER)
    assert first == {200: 8}
    assert statuses(servers, "/of-user-too", 4, **USER) == {200: 2, 429: 6}
    assert statuses(servers[:1], "/of-user", 4) == {401: 4}, "strangers use up nothing, and learn nothing"
    assert statuses(servers[:1], "/own-only", 8, **USER) == {200: 5, 429: 3}


def test_a_changed_definition_counts_anew(servers: list[Server]) -> None:
    statuses(servers[:1], "/exact", EXACTLY)
    first = servers[0]
    first.admin("zato.channel-http.edit", name="exact", rate_limit_def="* = 7/d")
    first.wait_until_applied()
    assert statuses(servers, "/exact", 12) == {200: 7, 429: 17}


@pytest.mark.parametrize(("choice", "status"), [("allow", 200), ("refuse", 503)])
def test_without_redis_the_server_does_what_it_was_told(start_server: StartServer, choice: str, status: int) -> None:
    server = start_server(redis_url=f"redis://127.0.0.1:{free_port()}/0", rate_limits_without_redis=choice)
    server.deploy("limited.py", SERVICE)
    limited = {"is_rate_limit_active": True, "rate_limit_type": "EXACT", "rate_limit_def": "* = 3/d"}
    server.add_channel("exact", "/exact", "limited.where", **limited)
    server.wait_until_applied()
    assert [server.request("GET", "/exact").status for _ in range(3)] == [status] * 3
    assert server.request("GET", "/exact").status == (429 if choice == "allow" else 503)
