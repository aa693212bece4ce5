"""What comes before HTTP: TLS on the server's own port, and the PROXY protocol."""

import contextlib
import http.client
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from zato.common.lifecycle.probes import http_status
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.waiting import eventually

from .conftest import Server, StartServer, deploy_samples

pytestmark = pytest.mark.redis

WHO = """
from zato.server.service import Service
class Who(Service):
    def handle(self):
        self.response.payload = {"address": self.request.http.remote_address}
class Pieces(Service):
    def handle(self):
        for number in range(3):
            if number == int(self.request.http.GET.get("fails_at", 9)):
                raise RuntimeError("in the middle")
            yield b"x" * 100_000
"""
GET = b"GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# Every address of 127.0.0.0/8 is ours to call from.
BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"


def deploy(server: Server) -> Server:
    server.deploy("opening.py", WHO)
    server.add_channel("who", "/who", "opening.who")
    server.add_channel("pieces", "/pieces", "opening.pieces", data_format="")
    server.wait_until_applied()
    return server


@pytest.fixture(scope="module")
def proxied(start_server: StartServer) -> Server:
    return deploy(start_server(proxy_protocol_from=["127.0.0.2/32"], header_timeout_s=1.0))


def send_from(address: str, server: Server, data: bytes) -> bytes:
    with socket.socket() as client:
        client.bind((address, 0))
        client.settimeout(20)
        client.connect(("127.0.0.1", server.http_port))
        client.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(65536):
                received += part
        return received


def test_a_trusted_load_balancer_says_who_the_client_is(proxied: Server) -> None:
    answer = send_from(BALANCER, proxied, b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n" + GET)
    assert answer.endswith(b'{"address":"192.0.2.7"}')
    header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\x0a\x00\x00\x01\x9c\x40\x00\x50"
    assert send_from(BALANCER, proxied, header + GET).endswith(b'{"address":"192.0.2.8"}')
    assert send_from(BALANCER, proxied, b"PROXY UNKNOWN\r\n" + GET).endswith(b'{"address":"127.0.0.2"}')


def test_a_client_behind_it_cannot_make_up_another_address(proxied: Server) -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n")
    answer = send_from(BALANCER, proxied, b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n" + request)
    assert answer.endswith(b'{"address":"192.0.2.7"}')


@pytest.mark.parametrize(
    "begin", [b"", b"PROXY TCP4 192.0.2.7 nowhere 1 2\r\n", b"PROXY", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x01x"]
)
def test_without_a_header_it_gets_no_answer(proxied: Server, begin: bytes) -> None:
    assert send_from(BALANCER, proxied, begin + (GET if begin != b"PROXY" else b"")) == b""
    eventually(lambda: proxied.log_lines("connection_not_opened"))


def test_the_header_of_a_stranger_is_no_request(proxied: Server) -> None:
    answer = send_from(STRANGER, proxied, b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n" + GET)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert send_from(STRANGER, proxied, GET).endswith(b'{"address":"127.0.0.3"}')


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(start_server: StartServer, authority: CertificateAuthority) -> Server:
    files = authority.issue("http")
    server = start_server(
        is_awaited=False,
        http_tls_certificate=str(files.certificate),
        http_tls_key=str(files.key),
        proxy_protocol_from=["127.0.0.2/32"],
        header_timeout_s=1.0,
    )
    server.launch()
    eventually(lambda: http_status(f"127.0.0.1:{server.http_port}", "/health/ready", is_tls=True) == 200, timeout_s=60)
    server.wait_until_grpc_serves()
    deploy_samples(server)
    return deploy(server)


def connect(server: Server, authority: CertificateAuthority) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(authority.file))
    return http.client.HTTPSConnection("127.0.0.1", server.http_port, timeout=20, context=context)


def test_clients_speak_tls_on_the_servers_own_port(encrypted: Server, authority: CertificateAuthority) -> None:
    connection = connect(encrypted, authority)
    # Larger than what TLS encrypts at a time, so that more than one read finds something.
    for size in (1, 16384, 16385, 3_000_000):
        connection.request("POST", f"/raw?size={size}", b"y" * size)
        response = connection.getresponse()
        assert response.read() == b"x" * size
        assert response.headers["X-Received"] == str(size)
    connection.close()


def test_pipelined_requests_within_one_record_are_all_answered(encrypted: Server, authority: CertificateAuthority) -> None:
    connection = connect(encrypted, authority)
    connection.connect()
    request = b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.sock.sendall(request * 200 + GET)
    received = b""
    while part := connection.sock.recv(65536):
        received += part
    assert received.count(b"HTTP/1.1 200") == 201
    connection.close()


def test_a_stream_that_breaks_is_no_clean_end_for_http_1_0_either(encrypted: Server, authority: CertificateAuthority) -> None:
    def read(path: str) -> int:
        context = ssl.create_default_context(cafile=str(authority.file))
        raw = socket.create_connection(("127.0.0.1", encrypted.http_port), timeout=20)
        with context.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as client:
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            size = 0
            while part := client.recv(65536):
                size += len(part)
            return size

    assert read("/pieces") > 300_000
    with pytest.raises(OSError):
        read("/pieces?fails_at=2")


def test_who_speaks_no_tls_gets_nothing_and_keeps_nobody_waiting(encrypted: Server) -> None:
    assert not send_from(STRANGER, encrypted, GET).startswith(b"HTTP/")
    silent = [socket.create_connection(("127.0.0.1", encrypted.http_port), timeout=20) for _ in range(20)]
    assert http_status(f"127.0.0.1:{encrypted.http_port}", "/health/ready", is_tls=True) == 200
    for client in silent:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b"", "a handshake that does not come is not waited for"
        client.close()


def test_the_proxy_protocol_comes_before_tls(encrypted: Server, authority: CertificateAuthority) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    raw = socket.socket()
    raw.bind((BALANCER, 0))
    raw.settimeout(20)
    raw.connect(("127.0.0.1", encrypted.http_port))
    raw.sendall(b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n")
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
        client.sendall(GET)
        received = b""
        while part := client.recv(65536):
            received += part
    assert received.endswith(b'{"address":"192.0.2.7"}')


def test_a_certificate_that_cannot_be_used_is_said_at_the_start(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")
    server = start_server(
        is_awaited=False, http_tls_certificate=str(tmp_path / "no.pem"), http_tls_key=str(tmp_path / "key.pem")
    )
    done = subprocess.run([sys.executable, *server.command[1:]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "server_not_started" in line]
    assert "http_tls_certificate" in line and "Traceback" not in done.stderr
