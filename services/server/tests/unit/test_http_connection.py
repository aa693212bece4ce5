"""A connection over a pair of sockets, with a pipeline of the test's own."""

import fcntl
import termios
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest
from gevent import socket

from zato.server.http.body_budget import BodyBudget
from zato.server.http.connection import Connection, ConnectionSettings, Timeouts
from zato.server.http.request import Request, Response
from zato.server.http.streams import Stream
from zato.server.http.tokenizer import ParserLimits
from zato.server.http.wire import HeadWriter

_ROUNDS = 20
_LONGEST_ROUNDS = 1000
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Client:
    """The client's end, and what stands behind the server's."""

    handle: Callable[[Request], Response] = lambda request: Response(200, request.path.encode())
    is_stopping: bool = False
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(header_s=10, body_s=20, idle_s=30, write_s=40))

    def __post_init__(self) -> None:
        limits = ParserLimits(8190, 100, 8190, 10**6)
        self.budget = BodyBudget(10**6)
        self.refused: list[int] = []
        self.now = 1000.0
        settings = ConnectionSettings(
            limits,
            self.timeouts,
            lambda request: self.handle(request),
            HeadWriter(),
            lambda: self.is_stopping,
            self.budget,
            self.refused.append,
            clock=lambda: self.now,
        )
        self.socket, server = socket.socketpair()
        self.socket.settimeout(5)
        self.connection = Connection(server, "192.0.2.1", settings)
        self._server = server
        self._greenlet = gevent.spawn(self._serve)

    def _serve(self) -> None:
        try:
            self.connection.serve()
        finally:
            self._server.close()

    def send(self, data: bytes) -> None:
        """Send, and let the other end do what it does about it. One that reads no more is not waited for."""
        self.socket.sendall(data)
        for _ in range(_LONGEST_ROUNDS):
            if not self._has_unread():
                break
            gevent.sleep(0.001)
        # What was read is worked on in turns of the same loop, one for each request.
        for _ in range(_ROUNDS):
            gevent.sleep(0)

    def _has_unread(self) -> bool:
        if self._server.fileno() < 0:
            return False
        unread = array("i", [0])
        fcntl.ioctl(self._server.fileno(), termios.FIONREAD, unread)
        return unread[0] > 0

    def read_to_end(self) -> bytes:
        data = b""
        while part := self.socket.recv(65536):
            data += part
        return data

    def remaining_s(self) -> float:
        return self.connection.deadline - self.now

    def has_ended(self) -> bool:
        self._greenlet.join(2)
        return bool(self._greenlet.dead)

    def close(self) -> None:
        self._greenlet.kill()
        self.socket.close()


def wait_until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.005)


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def test_each_state_has_its_own_deadline(client: Client) -> None:
    gevent.sleep(0)
    assert client.remaining_s() == 10, "a new connection has the time of headers"
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    assert client.remaining_s() == 20, "then the time of a body"
    client.send(b"hello")
    assert client.remaining_s() == 30, "then that of waiting for the next request"


def test_more_of_a_body_buys_more_time_but_more_of_the_headers_does_not(client: Client) -> None:
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\n")
    before = client.connection.deadline
    client.send(b"X-More: 1\r\n")
    assert client.connection.deadline == before
    client.send(b"Content-Length: 500000\r\n\r\n")
    before = client.connection.deadline
    client.send(b"x" * 100_000)
    wait_until(lambda: client.budget.taken_bytes == 100_000)
    assert client.connection.deadline == before + 2


def test_nothing_is_cut_while_a_service_runs(client: Client) -> None:
    deadlines: list[float] = []

    def handle(request: Request) -> Response:
        deadlines.append(client.connection.deadline)
        return Response()

    client.handle = handle
    client.send(GET)
    assert deadlines == [float("inf")]


def test_a_large_answer_has_more_time_and_is_cut_when_it_is_not_taken(client: Client) -> None:
    client.handle = lambda request: Response(200, b"x" * 5_000_000)
    client.send(GET)
    assert client.remaining_s() == pytest.approx(40 + 100, abs=0.1)
    client.connection.expire()
    assert client.has_ended()


@pytest.mark.parametrize(
    ("sent", "says"),
    [(b"GET / HTTP/1.1\r\n", b"headers"), (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"body")],
)
def test_who_is_too_slow_is_told_with_what(client: Client, sent: bytes, says: bytes) -> None:
    client.send(sent)
    client.connection.expire()
    answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert says in answer
    assert b"Connection: close" in answer


def test_who_says_nothing_is_told_nothing(client: Client) -> None:
    gevent.sleep(0)
    client.connection.expire()
    assert client.read_to_end() == b""
    assert client.has_ended()


def test_a_client_that_goes_away_is_no_event(client: Client) -> None:
    client.send(b"GET / HT")
    client.socket.close()
    assert client.has_ended()


def test_a_client_that_goes_away_before_its_answer_is_no_event(client: Client) -> None:
    def handle(request: Request) -> Response:
        client.socket.close()
        return Response(200, b"x" * 1_000_000)

    client.handle = handle
    client.socket.sendall(GET)
    assert client.has_ended()


def test_a_pipeline_that_breaks_is_a_500(client: Client) -> None:
    def handle(request: Request) -> Response:
        raise RuntimeError("secret")

    client.handle = handle
    client.send(GET + GET)
    client.socket.shutdown(socket.SHUT_WR)
    answers = client.read_to_end()
    assert answers.count(b"HTTP/1.1 500 ") == 2
    assert b"secret" not in answers


def test_a_response_that_cannot_be_sent_is_a_500(client: Client) -> None:
    client.handle = lambda request: Response(200, headers={"X-Own": "a\r\nInjected: yes"})
    client.send(GET)
    answer: Any = client.socket.recv(65536)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Injected" not in answer


def test_a_server_that_stops_says_so_with_its_last_answer(client: Client) -> None:
    client.is_stopping = True
    client.send(GET)
    answer = client.read_to_end()
    assert b"HTTP/1.1 200" in answer
    assert b"Connection: close" in answer
    assert client.has_ended()


def test_a_request_that_came_before_its_connection_was_closed_is_answered(client: Client) -> None:
    client.send(GET)
    assert client.socket.recv(65536).startswith(b"HTTP/1.1 200")
    # Both happen before the connection has its turn: the request is in the socket, and the server stops.
    client.is_stopping = True
    client.socket.sendall(GET)
    client.connection.close_if_idle()
    assert client.read_to_end().startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_closed_when_the_server_stops(client: Client) -> None:
    client.send(GET)
    client.socket.recv(65536)
    client.connection.close_if_idle()
    assert client.read_to_end() == b""
    assert client.has_ended()


def test_a_busy_connection_is_not(client: Client) -> None:
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    client.connection.close_if_idle()
    client.send(b"hello")
    assert client.socket.recv(65536).startswith(b"HTTP/1.1 200")


def test_what_could_not_be_read_is_counted(client: Client) -> None:
    client.send(GET + b"nonsense\r\n\r\n")
    assert b"HTTP/1.1 400 " in client.read_to_end()
    assert client.refused == [400]


def test_a_body_that_there_is_no_room_for_is_a_503_and_the_next_client_may_have_it(client: Client) -> None:
    client.budget.take(999_600)
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n190\r\n" + b"x" * 400 + b"\r\n1\r\nx")
    answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in answer
    assert client.budget.taken_bytes == 999_600
    assert client.refused == [503]


@pytest.mark.parametrize("rest", [b"", b"x" * 300], ids=["half a body", "all of it"])
def test_a_body_is_let_go_of_when_its_client_goes(client: Client, rest: bytes) -> None:
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + b"x" * 300)
    wait_until(lambda: client.budget.taken_bytes == 300)
    client.send(rest)
    client.socket.shutdown(socket.SHUT_WR)
    client.read_to_end()
    assert client.has_ended()
    assert client.budget.taken_bytes == 0


def streaming(source: Any) -> Callable[[Request], Response]:
    return lambda request: Response(200, stream=Stream(source))


def test_a_stream_goes_out_in_chunks_as_it_is_made_and_the_connection_lives_on(client: Client) -> None:
    client.handle = streaming(iter([b"one", "dwa ż", b"", b"x" * 70_000]))
    client.send(GET)
    answer = client.socket.recv(1024)
    assert b"Transfer-Encoding: chunked\r\n" in answer and b"Content-Length" not in answer
    client.handle = lambda request: Response(200, b"next")
    client.socket.sendall(GET)
    client.socket.shutdown(socket.SHUT_WR)
    answer += client.read_to_end()
    body = b"3\r\none\r\n6\r\ndwa \xc5\xbc\r\n11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n"
    _, _, rest = answer.partition(b"\r\n\r\n")
    assert rest.startswith(body)
    assert rest.endswith(b"\r\n\r\nnext")


def test_to_http_1_0_a_stream_ends_with_the_connection(client: Client) -> None:
    client.handle = streaming(iter([b"one", b"two"]))
    client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = client.read_to_end()
    assert b"Transfer-Encoding" not in answer and b"Connection: close" in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


def test_an_empty_stream_is_an_empty_body(client: Client) -> None:
    client.handle = streaming(iter([]))
    client.send(GET)
    assert client.socket.recv(1024).endswith(b"\r\n\r\n0\r\n\r\n")


def test_of_a_stream_no_more_is_made_than_its_client_takes_and_who_goes_away_ends_it(client: Client) -> None:
    made: list[int] = []
    is_closed = False

    def endless() -> Iterator[bytes]:
        nonlocal is_closed
        try:
            while True:
                made.append(1)
                yield b"x" * 65536
        finally:
            is_closed = True

    client.handle = streaming(endless())
    client.send(GET)
    wait_until(lambda: client.remaining_s() < 100)
    gevent.sleep(0.05)
    count = len(made)
    assert 0 < count < 100
    gevent.sleep(0.05)
    assert len(made) == count, "a client that takes nothing gets nothing more made"
    assert client.remaining_s() == pytest.approx(40, abs=2)
    client.socket.close()
    assert client.has_ended() and is_closed


def test_a_stream_that_breaks_ends_its_connection_before_the_body_is_complete(client: Client) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise SystemExit("secret")

    client.handle = streaming(broken())
    client.send(GET)
    answer = client.read_to_end()
    assert answer.endswith(b"3\r\none\r\n")
    assert client.has_ended()


def test_head_of_a_stream_makes_none_of_it(client: Client) -> None:
    ends: list[int] = []
    stream = Stream(iter([b"one"]))
    stream.on_end(lambda: ends.append(stream.sent_bytes))
    client.handle = lambda request: Response(200, stream=stream)
    client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.socket.recv(1024).endswith(b"\r\n\r\n")
    assert ends == [0]


def test_who_sends_small_requests_and_takes_no_answers_gets_them_all_in_the_end_in_their_order(client: Client) -> None:
    client.handle = lambda request: Response(200, request.path.encode() + b"=" * 10_000)
    count = 200
    for number in range(count):
        client.socket.sendall(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        gevent.sleep(0.001)
    client.socket.shutdown(socket.SHUT_WR)
    answers = client.read_to_end().split(b"HTTP/1.1 200 OK")[1:]
    assert [answer.split(b"\r\n\r\n")[1].partition(b"=")[0] for answer in answers] == [
        b"/%d" % number for number in range(count)
    ]
    assert all(answer.count(b"=") == 10_000 for answer in answers)
