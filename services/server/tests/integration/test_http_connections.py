"""Connections as clients of all sorts hold them: fast, slow, pipelined, huge, silent."""

import json
import socket
import time

import psutil
import pytest

from zato.common.testing.waiting import eventually

from .conftest import RawConnection, Server, StartServer, deploy_samples, fetch

pytestmark = pytest.mark.redis

_SLOW_CLIENTS = 300
_PING = b"GET /zato/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post_echo(body: bytes, *headers: bytes) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(body)
    return head + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


@pytest.fixture(scope="module")
def impatient(start_server: StartServer) -> Server:
    """A server that waits for nobody for more than a second or so."""
    server = start_server(header_timeout_s=0.6, body_timeout_s=0.6, idle_timeout_s=1.5, write_timeout_s=0.5)
    deploy_samples(server)
    return server


def test_many_requests_go_over_one_connection(server: Server) -> None:
    with server.connect() as connection:
        for number in range(20):
            connection.send(post_echo(b"%d" % number))
            answer = connection.read_answer()
            assert answer is not None
            assert answer.json == {"got": number}
            assert "connection" not in answer.headers


def test_pipelined_requests_are_all_answered_in_their_order(server: Server) -> None:
    with server.connect() as connection:
        connection.send(b"".join(post_echo(b"%d" % number) for number in range(200)) + _PING)
        answers = [connection.read_answer() for _ in range(201)]
        assert [answer.json.get("got") for answer in answers if answer is not None] == [*range(200), None]


def test_of_pipelined_requests_those_before_a_bad_one_are_answered(server: Server) -> None:
    with server.connect() as connection:
        connection.send(post_echo(b"1") + post_echo(b"2") + b"GET /echo HTTP/9.9\r\n\r\n" + post_echo(b"3"))
        answers = [connection.read_answer() for _ in range(3)]
        assert [answer.status for answer in answers if answer is not None] == [200, 200, 400]
        assert connection.read_to_end() == b"", "where the next request begins nobody can know"


def test_a_request_arrives_byte_by_byte(server: Server) -> None:
    with server.connect() as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_echo(b'{"a": [1, 2]}'):
            connection.send(bytes([byte]))
        answer = connection.read_answer()
        assert answer is not None
        assert answer.json == {"got": {"a": [1, 2]}}


def test_a_body_comes_in_chunks_with_extensions_and_trailers(server: Server) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection:
        connection.send(head + b"3;name=value\r\n[1,\r\n2\r\n2]\r\n0\r\nX-Trailer: yes\r\n\r\n" + _PING)
        answer, next_answer = connection.read_answer(), connection.read_answer()
    assert answer is not None and answer.json == {"got": [1, 2]}
    assert next_answer is not None and next_answer.status == 200, "the next request is found behind the trailers"


def test_who_expects_100_continue_gets_it_before_it_sends_the_body(server: Server) -> None:
    with server.connect() as connection:
        head, body = post_echo(b'{"a": 1}', b"Expect: 100-continue").split(b"\r\n\r\n")
        connection.send(head + b"\r\n\r\n")
        assert connection.read_head() == (100, {})
        connection.send(body)
        answer = connection.read_answer()
        assert answer is not None and answer.json == {"got": {"a": 1}}


def test_who_sends_the_body_at_once_is_not_told_to_continue(server: Server) -> None:
    answer = fetch(server.http_port, post_echo(b'{"a": 1}', b"Expect: 100-continue"))
    assert answer is not None and answer.status == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\nExpect: 100-continue\r\n\r\n")
        answer = connection.read_answer()
        assert answer is not None and answer.status == 413


def test_http_1_0_closes_unless_it_asks_to_be_kept(server: Server) -> None:
    with server.connect() as connection:
        connection.send(b"GET /zato/ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = connection.read_answer()
        assert answer is not None and answer.status == 200
        assert answer.headers["connection"] == "keep-alive"
        connection.send(b"GET /zato/ping HTTP/1.0\r\n\r\n")
        answer = connection.read_answer()
        assert answer is not None and answer.status == 200
        assert answer.headers["connection"] == "close"
        assert connection.read_to_end() == b""


def test_who_asks_to_close_is_answered_and_closed(server: Server) -> None:
    with server.connect() as connection:
        connection.send(post_echo(b"1", b"Connection: close"))
        answer = connection.read_answer()
        assert answer is not None and answer.json == {"got": 1}
        assert answer.headers["connection"] == "close"
        assert connection.read_to_end() == b""


@pytest.mark.parametrize("path", ["/zato/ping", "/verbs", "/health/ready", "/metrics"])
def test_head_is_get_without_the_body(server: Server, path: str) -> None:
    answer = server.request("GET", path)
    with server.connect() as connection:
        connection.send(b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode() + _PING)
        head = connection.read_answer(is_head=True)
        assert head is not None
        assert head.status == answer.status == 200
        assert head.headers["content-type"] == answer.headers["content-type"]
        if path != "/metrics":  # which counts, and so changes
            assert head.headers["content-length"] == answer.headers["content-length"]
        after = connection.read_answer()
        assert after is not None and after.json == {"pong": "zato"}


def test_the_absolute_form_of_a_target_is_its_path(server: Server) -> None:
    for target in (b"http://localhost:1234/zato/ping", b"http://localhost/zato/ping?a=b"):
        answer = fetch(server.http_port, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer is not None and answer.json == {"pong": "zato"}


def test_bodies_of_megabytes_go_both_ways(server: Server) -> None:
    body = b"y" * 8_000_000
    answer = server.request("POST", "/raw?size=9000000", body)
    assert answer.status == 200
    assert answer.headers["x-received"] == "8000000"
    assert answer.body == b"x" * 9_000_000


def test_integers_of_any_size_come_back_exactly(server: Server) -> None:
    number = 2**200 + 1
    answer = server.request("POST", "/echo", b'{"number": %d}' % number)
    assert answer.json == {"got": {"number": number}}


def test_path_parameters_and_query_become_input(server: Server) -> None:
    answer = server.request("GET", "/customers/za%C5%BC%2F%20%C3%B3?limit=5&tag=a&tag=b")
    assert answer.json == {"customer_id": "zaż/ ó", "limit": "5", "tag": ["a", "b"]}


def test_slow_headers_are_cut(impatient: Server) -> None:
    with impatient.connect() as connection:
        connection.send(b"GET /zato/ping HTTP/1.1\r\nHost: loc")
        answer = connection.read_answer()
        assert answer is not None and answer.status == 408
        assert answer.json["cid"] == answer.cid
        assert connection.read_to_end() == b""


def test_headers_that_trickle_in_are_cut_too(impatient: Server) -> None:
    with impatient.connect() as connection:
        connection.send(b"GET /zato/ping HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(60):  # a header every 50 ms would never come to an end by itself
            connection.send(b"X-More: 1\r\n")
            if connection.peek(0.05):
                break
        answer = connection.read_answer()
        assert answer is not None and answer.status == 408


@pytest.mark.parametrize("head", [b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_slow_body_is_cut(impatient: Server, head: bytes) -> None:
    with impatient.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\n" + head + b'\r\n5\r\n{"a"')
        answer = connection.read_answer()
        assert answer is not None and answer.status == 408
        assert "body" in answer.json["details"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x8f" * 60,
        b"\x00" * 50,
        b"SSH-2.0-client",
        b"PRI * HTTP/2.0\r\n\r\nSM",
    ],
    ids=["tls", "zeros", "ssh", "http-2"],
)
def test_garbage_is_refused_at_the_latest_when_its_time_is_up(impatient: Server, garbage: bytes) -> None:
    answer = fetch(impatient.http_port, garbage)
    assert answer is not None
    assert answer.status in (400, 408)
    assert answer.json["cid"] == answer.cid


def test_a_silent_connection_is_closed_without_a_word(impatient: Server) -> None:
    with impatient.connect() as connection:
        assert connection.read_to_end() == b""


def test_a_connection_that_waits_too_long_for_its_next_request_is_closed(impatient: Server) -> None:
    with impatient.connect() as connection:
        connection.send(_PING)
        assert connection.read_answer() is not None
        started = time.monotonic()
        assert connection.read_to_end() == b""
        assert time.monotonic() - started > 0.7, "longer than a first request's headers may take"


def test_a_client_that_does_not_take_its_answer_is_cut(impatient: Server) -> None:
    with narrow_connection(impatient) as client:
        client.sendall(b"POST /raw?size=100000 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        assert client.recv(1) == b"H"
        eventually(lambda: open_connections(impatient) == 0, timeout_s=15, what="the server to cut it")


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(impatient: Server) -> None:
    with narrow_connection(impatient) as client:
        client.sendall(b"POST /raw?size=100000 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        received, started = 0, time.monotonic()
        while time.monotonic() - started < 1.0:  # beyond the time-out: a slow line is no attack
            received += len(client.recv(1000))
            time.sleep(0.01)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            received += len(data)
        assert received > 100_000


def narrow_connection(server: Server) -> socket.socket:
    """Connect so that only a few kilobytes are on their way at a time: the rest waits at the server."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)
    client.settimeout(20)
    client.connect(("127.0.0.1", server.http_port))
    return client


def open_connections(server: Server) -> int:
    connections = []
    for pid in server.live_worker_pids():
        connections += psutil.Process(pid).net_connections("tcp")
    return len([each for each in connections if each.laddr.port == server.http_port and each.status != "LISTEN"])


def test_slow_clients_keep_nobody_from_being_answered(server: Server) -> None:
    slow: list[RawConnection] = []
    try:
        for number in range(_SLOW_CLIENTS):
            connection = server.connect()
            slow.append(connection)
            if number % 3 == 0:
                connection.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
            elif number % 3 == 1:
                connection.send(b"GET /zato/ping HTTP/1.1\r\nHost: ")
        answered = [server.request("POST", "/echo", json.dumps(number).encode()) for number in range(50)]
        assert [answer.json["got"] for answer in answered] == list(range(50))
        # They are still there, and get their answers when they go on.
        slow[1].send(b"localhost\r\n\r\n")
        answer = slow[1].read_answer()
        assert answer is not None and answer.json == {"pong": "zato"}
    finally:
        for connection in slow:
            connection.close()


def test_a_service_that_waits_keeps_no_other_request_waiting(server: Server) -> None:
    waiting = [server.connect() for _ in range(20)]
    for connection in waiting:
        connection.send(b"POST /slow?seconds=3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    done = [server.request("POST", "/echo", b"1").status for _ in range(20)]
    assert done == [200] * 20
    early = [connection for connection in waiting if connection.peek(0.001)]
    assert early == [], "the slow ones had not ended when the quick ones had"
    for connection in waiting:
        answer = connection.read_answer()
        assert answer is not None and answer.status == 200
        connection.close()
