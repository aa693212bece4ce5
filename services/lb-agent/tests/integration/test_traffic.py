"""What clients get, through a real HAProxy."""

import base64
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from running_agent import PASSWORD, AgentProcess, Load, Server

from zato.common.errors import BadRequest
from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.haproxy, pytest.mark.timeout(60)]

CID = r"[0-9a-f]{24}"


@pytest.fixture
def balanced(agent: AgentProcess, servers: tuple[Server, Server]) -> AgentProcess:
    """An agent with two servers."""
    agent.join(*servers)
    return agent


def test_servers_that_joined_share_the_requests(balanced: AgentProcess) -> None:
    assert {balanced.get("/").server for _ in range(4)} == {"server1", "server2"}


def test_a_server_that_joined_is_sent_many_requests_over_one_connection(
    new_agent: Callable[..., AgentProcess], new_server: Callable[[str], Server]
) -> None:
    # Without health checks in between, which have a connection each.
    agent, server = new_agent(check_interval_s=600).start(), new_server("server1")
    agent.join(server)
    agent.get("/")
    before = server.ask("/_connections")
    kept = agent.keep()
    for _ in range(50):
        kept.request("POST", "/", b"{}")
        kept.getresponse().read()
    kept.close()
    assert server.ask("/_connections") - before < 25


def test_without_servers_clients_get_a_json_error_with_its_cid(agent: AgentProcess) -> None:
    answer = agent.get("/")
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/json"
    assert re.fullmatch(CID, answer.headers["X-Zato-CID"])
    assert answer.json == {"result": "Error", "cid": answer.headers["X-Zato-CID"], "details": "No server is available"}


def test_an_error_has_no_body_when_only_the_head_was_asked_for(agent: AgentProcess) -> None:
    assert agent.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")


def test_clients_cannot_say_where_they_come_from(balanced: AgentProcess) -> None:
    forged = {"X-Forwarded-For": "8.8.8.8", "Forwarded": "for=8.8.8.8", "X-Forwarded-Proto": "https", "X-Zato-TLS-CN": "admin"}
    seen = balanced.get("/", headers=forged).json["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert not {"forwarded", "x-forwarded-proto", "x-zato-tls-cn"} & seen.keys()


def test_a_trusted_proxy_says_where_clients_come_from(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(trusted_proxies=["127.0.0.0/8", "::1"]).start()
    agent.join(*servers)
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Zato-TLS-CN": "admin"}
    seen = agent.get("/", headers=headers).json["headers"]
    assert seen["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert "x-zato-tls-cn" not in seen


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/health/ready", "/health", "/__rpc/x", "//metrics", "/%6detrics", "/./metrics", "/__rpc%2fx", "/metrics?a=1"],
)
def test_paths_for_operators_are_not_reachable(balanced: AgentProcess, servers: tuple[Server, Server], path: str) -> None:
    answer = balanced.get(path)
    assert answer.status == 404
    assert answer.json["details"] == "Not found"
    assert not servers[0].seen()
    assert not servers[1].seen()


@pytest.mark.parametrize("path", ["/metrics-of-sales", "/orders/health/ready", "/healthy"])
def test_paths_that_only_look_like_them_are(balanced: AgentProcess, path: str) -> None:
    assert balanced.get(path).status == 200


def test_a_request_has_one_cid_from_here_to_the_server(balanced: AgentProcess) -> None:
    assert re.fullmatch(CID, balanced.get("/").json["headers"]["x-zato-cid"])
    assert balanced.get("/", headers={"X-Zato-CID": "a1b2c3d4e5f6"}).json["headers"]["x-zato-cid"] == "a1b2c3d4e5f6"
    forged = balanced.get("/", headers={"X-Zato-CID": 'a"} {"event": "forged'}).json["headers"]["x-zato-cid"]
    assert re.fullmatch(CID, forged)


def test_each_request_is_one_short_json_line_in_the_log(balanced: AgentProcess) -> None:
    def logged() -> str:
        text = balanced.access_log.read_text()[before:]
        return text if text.count("\n") == 3 else ""

    before = len(balanced.access_log.read_text())
    balanced.get("/plain", headers={"X-Zato-CID": "cid-of-the-test"})
    balanced.get("/" + "long%22%0a" * 800 + '?password="secret"')
    balanced.raw(b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n")
    text = eventually(logged)
    lines = text.splitlines()
    plain, long, bad = map(json.loads, lines)
    assert (plain["path"], plain["status"], plain["cid"]) == ("/plain", 200, "cid-of-the-test")
    assert (long["status"], bad["status"]) == (200, 400)
    assert max(map(len, lines)) < 2000
    assert "secret" not in text


def test_a_slow_request_is_cut_and_told_why(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent(request_timeout_s=0.5).start()
    agent.join(*servers)
    assert agent.raw(b"GET / HTTP/1.1\r\nHost: x\r\n").startswith(b"HTTP/1.1 408 ")
    answer = agent.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"details":"The request did not arrive in time"' in answer
    assert not servers[0].seen()
    assert not servers[1].seen()


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}, {"Transfer-Encoding": "chunked"}])
def test_bodies_larger_than_a_buffer_pass(balanced: AgentProcess, headers: dict[str, str]) -> None:
    body = b"x" * 1_000_000
    if "Transfer-Encoding" in headers:
        body = b"f4240\r\n" + body + b"\r\n0\r\n\r\n"
    answer = balanced.request("POST", "/", body, headers)
    assert answer.json["bytes"] == 1_000_000


def test_slow_clients_lock_nobody_out(balanced: AgentProcess) -> None:
    host, port = balanced.frontend.split(":")
    slow = [socket.create_connection((host, int(port)), timeout=5) for _ in range(300)]
    try:
        for number, connection in enumerate(slow):
            is_body = number % 2
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 1000\r\n\r\nx" if is_body else b"A: "))
        began_at = time.monotonic()
        assert [balanced.get("/").status for _ in range(20)] == [200] * 20
        assert time.monotonic() - began_at < 2
        with Load(balanced.frontend) as load:
            load.await_more(200)
        assert not load.failures
    finally:
        for connection in slow:
            connection.close()


def test_what_broke_off_is_sent_to_another_server_if_it_is_idempotent(
    balanced: AgentProcess, servers: tuple[Server, Server]
) -> None:
    balanced.get("/break")
    idempotent = servers[0].seen("/break") + servers[1].seen("/break")
    assert {len(server.seen("/break")) for server in servers} == {2}, "each server was asked in turn"
    assert len(idempotent) == 4, "the first attempt and three more"
    answer = balanced.request("POST", "/break", b"pay")
    assert answer.status == 502
    assert answer.json["details"] == "The server broke off instead of answering"
    posts = [each for server in servers for each in server.seen("/break") if each["method"] == "POST"]
    assert len(posts) == 1


def test_a_503_of_a_service_is_an_answer_and_not_repeated(balanced: AgentProcess, servers: tuple[Server, Server]) -> None:
    assert balanced.get("/status/503").status == 503
    assert sum(len(server.seen("/status/503")) for server in servers) == 1


def test_a_server_that_takes_too_long_gives_a_json_error(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(server_timeout_s=0.3).start()
    agent.join(*servers)
    answer = agent.get("/slow/5")
    assert answer.status == 504
    assert answer.json["details"] == "The server did not answer in time"
    assert answer.json["cid"] == answer.headers["X-Zato-CID"]


def test_the_statistics_take_a_password(agent: AgentProcess) -> None:
    assert agent.get("/zato-lb-stats").status == 401
    for password, status in (("wrong", 401), (PASSWORD, 200)):
        credentials = base64.b64encode(f"admin:{password}".encode()).decode()
        assert agent.get("/zato-lb-stats", headers={"Authorization": f"Basic {credentials}"}).status == status


def test_a_weight_that_was_given_decides_until_it_is_taken_back(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(balance="roundrobin").start()
    agent.join(*servers)
    eventually(lambda: set(agent.states().values()) == {"up"})
    agent.call("SetWeight", name="server1", weight=1)
    agent.call("SetWeight", name="server2", weight=256)
    # Renewals do not undo it.
    agent.join(*servers)
    assert {each.name: (each.weight, each.joined_weight) for each in agent.call("GetState").backends} == {
        "server1": (1, 100),
        "server2": (256, 100),
    }
    counted = Counter(agent.get("/").server for _ in range(100))
    assert counted["server2"] > 90
    for server in servers:
        agent.call("SetWeight", name=server.name, weight=0)
    assert {each.weight for each in agent.call("GetState").backends} == {100}
    assert Counter(agent.get("/").server for _ in range(20)) == {"server1": 10, "server2": 10}


def test_statistics_and_commands_tell_what_haproxy_did(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    def statistics() -> dict[tuple[str, str, str], Any]:
        return {(row.kind, row.proxy, row.server): row for row in agent.call("GetStatistics").rows}

    agent.join(servers[0])
    before = statistics()
    for _ in range(5):
        agent.get("/")
    agent.get("/metrics")
    rows = statistics()
    assert set(rows) == {("frontend", "http", ""), ("backend", "servers", ""), ("server", "servers", "server1")}
    frontend, server = rows["frontend", "http", ""], rows["server", "servers", "server1"]
    assert (server.requests, server.answers_2xx, server.state[:2]) == (5, 5, "UP")
    assert frontend.answers_4xx == before["frontend", "http", ""].answers_4xx + 1
    assert server.bytes_out > server.bytes_in > 0
    answer = agent.call("Execute", command="show info")
    assert f"Pid: {agent.call('GetState').haproxy_pid}" in answer.output
    assert not answer.is_truncated
    assert "show errors" in agent.call("GetState").commands
    with pytest.raises(BadRequest, match="no command that can be run here"):
        agent.call("Execute", command="disable server servers/server1")
    assert agent.states()["server1"] in ("up", "checking")
