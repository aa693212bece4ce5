"""Channels that answer from a cache, over HTTP and on two workers."""

import base64
from typing import Any

import pytest

from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

from .conftest import Answer, Server, StartServer

pytestmark = pytest.mark.redis

SERVICES = """
from zato.server.service import Service


class Count(Service):
    '''No two of its answers are alike.'''

    def handle(self):
        number = self.kvdb.conn.incr("count")
        self.response.status_code = 201
        self.response.content_type = "application/vnd.count+json"
        self.response.headers["X-Number"] = number
        self.response.payload = {"number": number, "who": self.channel.security.username}


class Says(Service):
    '''Answers with the headers and the status that it is told.'''

    def handle(self):
        number = self.kvdb.conn.incr("count")
        for name in ("Cache-Control", "Set-Cookie", "Vary"):
            if name.lower() in self.request.http.GET:
                self.response.headers[name] = self.request.http.GET[name.lower()]
        self.response.status_code = int(self.request.http.GET.get("status", 200))
        self.response.payload = {"number": number}


class Hashed(Service):
    def get_request_hash(self, ctx):
        assert ctx.http.method == "POST" and ctx.cid and ctx.channel.name == "hashed"
        return ctx.payload.get("id")

    def handle(self):
        self.response.payload = {"number": self.kvdb.conn.incr("count")}


class Large(Service):
    def handle(self):
        self.response.payload = str(self.kvdb.conn.incr("count")) + "x" * 2_000_000


class Forget(Service):
    def handle(self):
        self.cache.default.delete_by_prefix("http-channel-")


class WhoCalls(Service):
    def handle(self):
        security = self.channel.security
        self.response.payload = {
            "name": security.name, "type": security.type, "username": security.username, "has_id": security.id > 0,
            "channel_id": self.channel.id > 0, "same": self.channel.sec is security, "cid": self.cid,
        }
"""


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(workers=2)
    server.deploy("cached.py", SERVICES)
    for user in ("jane", "joe"):
        server.admin("zato.security-basic-auth.create", name=user, username=user, password="the-right-one")
    cached: dict[str, Any] = {"cache_id": "default", "cache_expiry": 10}
    for name, options in {
        "count": cached,
        "other": {"service": "cached.count", **cached},
        "not-cached": {"service": "cached.count"},
        "short": {"service": "cached.count", "cache_id": "default", "cache_expiry": 0.005},
        "secured": {"service": "cached.count", "security": "jane", **cached},
        "says": cached,
        "hashed": cached,
        "large": {"data_format": "", **cached},
        "forget": {},
        "who-calls": {"security": "jane"},
        "who-calls-nobody": {"service": "cached.who-calls"},
    }.items():
        server.add_channel(name, f"/{name}", **{"service": f"cached.{name}", **options})
    server.wait_until_applied()
    return server


@pytest.fixture(autouse=True)
def _nothing_cached(server: Server) -> None:
    assert server.request("GET", "/forget").status == 200


def number(answer: Answer) -> int:
    assert answer.status < 300, answer
    return int(answer.json["number"])


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:the-right-one".encode()).decode()}


def test_an_answer_that_is_cached_is_the_same_in_all_its_parts(server: Server) -> None:
    first = server.request("GET", "/count")
    assert (first.status, first.headers["content-type"]) == (201, "application/vnd.count+json")
    for _ in range(10):
        again = server.request("GET", "/count")
        assert (again.status, again.body) == (first.status, first.body)
        for name in ("content-type", "x-number", "content-length"):
            assert again.headers[name] == first.headers[name]
        assert again.cid != first.cid
    assert number(server.request("GET", "/not-cached")) != number(server.request("GET", "/not-cached"))


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/count", None, {}),
        ("GET", "/count?a=1", None, {}),
        ("GET", "/count?a=1&a=2", None, {}),
        ("GET", "/count?a=2&a=1", None, {}),
        ("GET", "/count", None, {"Accept": "application/xml"}),
        ("GET", "/count", None, {"Content-Type": "text/plain"}),
        ("POST", "/count", b'{"a": 1}', {}),
        ("POST", "/count", b'{"a": 2}', {}),
        ("GET", "/other", None, {}),
        ("GET", "/count", None, {"Authorization": "Bearer a"}),
        ("GET", "/count", None, {"Cookie": "session=a"}),
        ("GET", "/count", None, {"X-API-Key": "a"}),
    ],
)
def test_another_request_has_an_answer_of_its_own(
    server: Server, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> None:
    plain = number(server.request("GET", "/count"))
    other = number(server.request(method, path, body, headers))
    assert other != plain
    assert number(server.request(method, path, body, headers)) == other
    assert number(server.request("GET", "/count")) == plain


def test_parameters_in_another_order_are_the_same_request(server: Server) -> None:
    assert number(server.request("GET", "/count?a=1&b=2")) == number(server.request("GET", "/count?b=2&a=1"))


def test_what_one_was_answered_no_other_gets_unless_the_channel_says_so(server: Server) -> None:
    janes = server.request("GET", "/secured", headers=basic("jane"))
    assert janes.json["who"] == "jane"
    assert server.request("GET", "/secured").status == 401
    server.admin("zato.channel-http.edit", name="secured", security="joe")
    server.wait_until_applied()
    joes = server.request("GET", "/secured", headers=basic("joe"))
    assert (joes.json["who"], joes.status) == ("joe", 201)
    assert server.request("GET", "/secured", headers=basic("jane")).status == 401


def test_callers_share_answers_where_the_channel_says_so(server: Server) -> None:
    server.admin("zato.channel-http.edit", name="other", cache_per_identity=False)
    server.wait_until_applied()
    first = number(server.request("GET", "/other", headers={"Cookie": "session=a"}))
    assert number(server.request("GET", "/other")) == first


@pytest.mark.parametrize(
    "query", ["status=404", "cache-control=no-store", "cache-control=private,max-age=9", "set-cookie=a", "vary=Cookie"]
)
def test_what_is_not_for_others_is_not_cached(server: Server, query: str) -> None:
    path = f"/says?{query}"
    assert server.request("GET", path).json["number"] != server.request("GET", path).json["number"]


def test_what_varies_by_what_is_in_the_key_is_cached(server: Server) -> None:
    assert number(server.request("GET", "/says?vary=Accept")) == number(server.request("GET", "/says?vary=Accept"))


def test_a_service_says_itself_which_requests_are_alike(server: Server) -> None:
    first = number(server.request("POST", "/hashed", b'{"id": 1, "at": "noon"}'))
    assert number(server.request("POST", "/hashed?x=1", b'{"id": 1, "at": "night"}')) == first
    assert number(server.request("POST", "/hashed", b'{"id": 2}')) != first
    none_first = number(server.request("POST", "/hashed", b"{}"))
    assert number(server.request("POST", "/hashed", b"{}")) != none_first, "without a hash it is not cached"


def test_what_is_too_large_to_be_cached_is_answered_all_the_same(server: Server) -> None:
    bodies = {server.request("GET", "/large").body for _ in range(2)}
    assert len(bodies) == 2


def test_an_answer_is_forgotten_after_its_time(server: Server) -> None:
    first = number(server.request("GET", "/short"))
    eventually(lambda: number(server.request("GET", "/short")) != first, what="the answer to expire")


def test_a_new_version_of_a_service_answers_itself(server: Server) -> None:
    first = number(server.request("GET", "/count"))
    server.deploy("cached.py", SERVICES + "\n# changed\n")
    server.wait_until_applied()
    assert number(server.request("GET", "/count")) != first


def test_a_service_sees_who_has_called(server: Server) -> None:
    answer = server.request("GET", "/who-calls", headers=basic("jane"))
    seen = answer.json
    assert seen.pop("cid") == answer.cid
    assert seen == {
        "name": "jane", "type": "basic_auth", "username": "jane", "has_id": True, "channel_id": True, "same": True,
    }  # fmt: skip
    nobody = server.request("GET", "/who-calls-nobody").json
    assert (nobody["name"], nobody["type"], nobody["username"], nobody["has_id"]) == ("", "", "", False)


def test_without_redis_the_service_is_called(start_server: StartServer) -> None:
    server = start_server(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    server.deploy("alone.py", ALONE)
    server.add_channel("alone", "/alone", "alone.alone", cache_id="default", cache_expiry=10)
    server.wait_until_applied()
    answers = [server.request("GET", "/alone") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json != answers[1].json


ALONE = """
import uuid

from zato.server.service import Service


class Alone(Service):
    def handle(self):
        self.response.payload = {"id": uuid.uuid4().hex}
"""
