"""Ports, and asking whether somebody answers there."""

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zato.common.errors import InvalidOptions, Unavailable
from zato.common.lifecycle.ports import holder, is_free, next_free, split_address
from zato.common.lifecycle.probes import http_status

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_where_somebody_listens_is_not_free_and_we_know_who(taken: int) -> None:
    assert not is_free(HOST, taken)
    assert f"(pid {os.getpid()})" in holder(taken)


def test_a_port_that_somebody_takes_on_all_addresses_is_not_free_on_ours() -> None:
    with socket.create_server(("", 0)) as listening:
        assert not is_free(HOST, listening.getsockname()[1])


def test_a_port_is_free_again_right_after_its_server_ended() -> None:
    listening = socket.create_server((HOST, 0))
    port = listening.getsockname()[1]
    with socket.create_connection((HOST, port)) as client:
        server_side, _ = listening.accept()
        server_side.close()  # closes first: its side of the connection lingers
        client.recv(1)
    listening.close()
    assert is_free(HOST, port)


def test_an_address_of_another_machine_is_not_ours_to_judge() -> None:
    assert is_free("192.0.2.1", 80)


def test_the_next_port_is_free_and_nobody_s(taken: int) -> None:
    assert next_free(HOST, taken, ()) > taken
    first = next_free(HOST, taken, ())
    assert next_free(HOST, taken, {first}) > first


def test_when_no_port_is_left_this_is_said() -> None:
    with pytest.raises(Unavailable, match="No port from 65535 on is free"):
        next_free(HOST, 65535, {65535})


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:17010", ("127.0.0.1", 17010)), ("[::1]:80", ("::1", 80)), ("localhost:0", ("localhost", 0))],
)
def test_addresses_are_split(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize("address", ["", "127.0.0.1", ":80", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidOptions, match="write host:port"):
        split_address(address)


def test_the_status_of_an_answer_is_returned_and_zero_when_nobody_answers(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204 if self.headers["X-Who"] == "me" else 401)
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    # A proxy in the environment is for other addresses than ours.
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    server = HTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"{HOST}:{server.server_port}"
    assert http_status(address, "/", {"X-Who": "me"}) == 204
    assert http_status(address, "/") == 401
    server.shutdown()
    server.server_close()
    assert http_status(address, "/") == 0
