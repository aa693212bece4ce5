"""A service's answer that is made while it is sent."""

import http.client

import pytest

from zato.common.testing.waiting import eventually

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis

SERVICES = """
import time

from zato.server.service import Service


class Yielding(Service):
    def handle(self):
        count = int(self.request.http.GET["count"])
        for number in range(count):
            if number == int(self.request.http.GET.get("fails_at", -1)):
                raise RuntimeError("the secret reason")
            yield f"line {number} of {self.cid}\\n"


class Given(Service):
    def handle(self):
        self.response.content_type = "application/x-numbers"
        self.response.headers["X-Own"] = "yes"
        self.response.payload = (b"%d" % number for number in range(3))


class File(Service):
    def handle(self):
        self.response.payload = open(self.request.http.GET["path"], "rb")


class Caller(Service):
    def handle(self):
        self.response.payload = {"got": list(self.invoke("streaming.given"))[0].decode()}
"""


@pytest.fixture(scope="module", params=["zato", "gevent"])
def server(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    server = start_server(http_worker=request.param)
    server.deploy("streaming.py", SERVICES)
    for name in ("yielding", "given", "file"):
        server.add_channel(name, f"/{name}", f"streaming.{name}", data_format="")
    server.add_channel("caller", "/caller", "streaming.caller", data_format="json")
    server.wait_until_applied()
    return server


def test_a_handler_that_yields_streams_and_is_logged_at_its_end(server: Server) -> None:
    answer = server.request("GET", "/yielding?count=1000")
    assert answer.status == 200
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.body.decode().splitlines() == [f"line {number} of {answer.cid}" for number in range(1000)]
    (line,) = eventually(lambda: [each for each in server.log_lines("http_request") if each["cid"] == answer.cid])
    assert line["bytes_out"] == len(answer.body)


def test_an_iterator_is_a_payload_too_and_the_connection_lives_on(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/given")
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/x-numbers" and response.headers["X-Own"] == "yes"
        assert response.read() == b"012"
    connection.close()


def test_a_file_goes_out_whole(server: Server) -> None:
    path = server.folder / "large"
    path.write_bytes(bytes(range(256)) * 40_000)
    answer = server.request("GET", f"/file?path={path}")
    assert answer.body == path.read_bytes()


def test_to_http_1_0_the_end_of_the_connection_is_the_end(server: Server) -> None:
    with server.connect() as connection:
        connection.send(b"GET /given HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head = connection.read_head()
        assert head is not None and "transfer-encoding" not in head[1]
        assert connection.read_to_end() == b"012"


def test_what_fails_before_the_first_piece_is_an_answer(server: Server) -> None:
    answer = server.request("GET", "/yielding?count=5&fails_at=0")
    assert answer.status == 500
    assert answer.cid.encode() in answer.body and b"secret" not in answer.body


def test_what_fails_later_is_seen_by_the_client_and_its_reason_by_the_log(server: Server) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        server.request("GET", "/yielding?count=5&fails_at=3")
    eventually(lambda: "the secret reason" in server.log_text())
    assert server.request("GET", "/given").body == b"012", "the worker lives on"


def test_services_may_take_the_pieces_themselves(server: Server) -> None:
    assert server.request("GET", "/caller").json == {"got": "0"}
