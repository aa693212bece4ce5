"""The proxy misbehaves in the ways that it says, and stops when it is told."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.waiting import eventually


class Echo:
    """Sends back what it gets, and counts who is connected."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connected = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread that waits in accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self.connected += 1
        with connection, contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                connection.sendall(chunk)
        self.connected -= 1


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        assert asked(client, b"hello") == b"hello"
        yield client


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=5)


def asked(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    answer = b""
    while len(answer) < len(question) and (chunk := client.recv(65536)):
        answer += chunk
    return answer


def test_it_passes_on_what_comes_whole_and_in_order(client: socket.socket) -> None:
    large = bytes(range(256)) * 4096
    sender = threading.Thread(target=client.sendall, args=[large])
    sender.start()
    answer = b""
    while len(answer) < len(large):
        answer += client.recv(65536)
    sender.join()
    assert answer == large


def test_an_end_is_passed_on_and_what_was_said_before_it(client: socket.socket, echo: Echo, proxy: FaultProxy) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    with client.makefile("rb") as answer:
        assert answer.read() == b"last words"
    eventually(lambda: echo.connected == 0 and proxy.connections == 0)


def test_delayed_answers_come_late_then_in_time_again(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.delay(0.3)
    began = time.monotonic()
    assert asked(client, b"slow") == b"slow"
    assert time.monotonic() - began >= 0.3
    proxy.restore()
    assert asked(client, b"quick") == b"quick"


def test_answers_that_are_delayed_together_keep_their_order(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.delay(0.2)
    client.sendall(b"1")
    time.sleep(0.05)
    proxy.delay(0.0)
    client.sendall(b"2")
    assert client.recv(1) + client.recv(1) == b"12"


def test_a_cut_resets_clients_and_refuses_new_ones_until_it_is_restored(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    eventually(lambda: echo.connected == 0)
    proxy.restore()
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


def test_connections_can_be_cut_once(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.cut_connections()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


def test_a_half_open_connection_loses_its_server_and_does_not_notice(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    proxy.half_open()
    eventually(lambda: echo.connected == 0)
    assert is_silent(client)
    with connected(proxy) as new:
        assert is_silent(new)
        proxy.restore()
        for either in (client, new):
            with pytest.raises(ConnectionResetError):
                either.recv(1)
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


def test_a_frozen_connection_says_nothing_and_loses_nothing(client: socket.socket, proxy: FaultProxy, echo: Echo) -> None:
    proxy.freeze()
    assert is_silent(client)
    assert echo.connected == 1
    proxy.restore()
    assert client.recv(16) == b"anybody?"


def test_a_server_that_is_not_there_shows_as_a_broken_connection(proxy: FaultProxy, echo: Echo) -> None:
    echo.close()
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_a_url_leads_through_the_proxy(proxy: FaultProxy) -> None:
    assert proxy.in_url("postgresql://me:p%40@db:5432/crm?x=1") == f"postgresql://me:p%40@127.0.0.1:{proxy.port}/crm?x=1"


def is_silent(client: socket.socket) -> bool:
    client.sendall(b"anybody?")
    client.settimeout(0.3)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False
