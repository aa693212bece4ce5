"""Clients over TLS: which certificate they see, what theirs says to servers, and renewal without a lost request."""

import contextlib
import http.client
import http.server
import json
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running_agent import AgentProcess, Answer, Server

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually


def bundle(tls: TLSFiles) -> str:
    """Write certificate and key into one file, as HAProxy takes them, and return its path."""
    assert tls.certificate is not None and tls.key is not None
    file = tls.certificate.with_suffix(".bundle")
    file.write_text(tls.certificate.read_text() + tls.key.read_text())
    file.chmod(0o600)
    return str(file)


@dataclass
class Site:
    agent: AgentProcess
    address: str
    authority: CertificateAuthority
    folder: Path

    def context(self, client: TLSFiles | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if client is not None:
            assert client.certificate is not None
            context.load_cert_chain(client.certificate, client.key)
        return context

    def connect(self, name: str = "localhost", context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        host, port = self.address.split(":")
        raw = socket.create_connection((host, int(port)), timeout=10)
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise

    def get(
        self, path: str = "/", *, client: TLSFiles | None = None, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> Answer:
        port = self.address.rpartition(":")[2]
        connection = http.client.HTTPSConnection("localhost", int(port), timeout=10, context=self.context(client))
        try:
            connection.request(method, path, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def serial(self, name: str = "localhost") -> str:
        with self.connect(name) as connection:
            found: Any = connection.getpeercert()
            return str(found["serialNumber"])


@pytest.fixture
def new_site(
    new_agent: Callable[..., AgentProcess], new_server: Callable[[str], Server], tmp_path: Path
) -> Callable[..., Site]:
    def make(**settings: object) -> Site:
        authority = CertificateAuthority(tmp_path)
        address = f"127.0.0.1:{free_port()}"
        certificate = bundle(authority.issue("site"))
        agent = new_agent(**{"https_address": address, "https_certificates": [certificate], **settings})
        agent.start()
        agent.join(new_server("a"))
        eventually(lambda: agent.states() == {"a": "up"})
        return Site(agent, address, authority, tmp_path)

    return make


def headers_seen(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.json["headers"].items()}


def test_clients_are_served_over_tls_and_without_it(new_site: Callable[..., Site]) -> None:
    site = new_site()
    answer = site.get("/hello")
    assert (answer.server, headers_seen(answer)["x-forwarded-proto"]) == ("a", "https")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    plain = site.agent.get("/hello")
    assert plain.server == "a"
    assert "Strict-Transport-Security" not in plain.headers
    assert "x-forwarded-proto" not in headers_seen(plain)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_versions_below_1_2_are_refused(new_site: Callable[..., Site], version: ssl.TLSVersion) -> None:
    site = new_site()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.authority.file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # That these are out of date is the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        site.connect(context=context)


def test_versions_1_2_and_1_3_are_taken(new_site: Callable[..., Site]) -> None:
    site = new_site()
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        context = site.context()
        context.minimum_version = context.maximum_version = version
        with site.connect(context=context) as connection:
            assert connection.version() == name


def test_a_client_gets_the_certificate_of_the_name_that_it_asks_for(new_site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "shops").mkdir()
    authority = CertificateAuthority(tmp_path / "shops", "shops")
    for name in ("one", "two"):
        (tmp_path / "shops" / name).mkdir()
    (tmp_path / "live").mkdir()
    for name in ("one", "two"):
        made = Path(bundle(authority.issue(name, f"{name}.example.com")))
        made.rename(tmp_path / "live" / f"{name}.pem")
    site = new_site(https_certificates=[bundle(CertificateAuthority(tmp_path).issue("site")), str(tmp_path / "live")])
    context = ssl.create_default_context(cafile=str(authority.file))
    for name in ("one.example.com", "two.example.com"):
        with site.connect(name, context) as connection:
            found: Any = connection.getpeercert()
            assert found["subjectAltName"] == (("DNS", name),)


def test_what_a_verified_certificate_says_goes_on_to_servers(new_site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    clients = CertificateAuthority(tmp_path / "clients", "clients")
    site = new_site(client_certificates="optional", client_authorities=str(clients.file))
    seen = headers_seen(site.get(client=clients.issue("billing")))
    assert (seen["x-zato-tls-cn"], seen["x-zato-tls-issuer-cn"]) == ("billing", "clients")
    assert len(seen["x-zato-tls-sha256"]) == 64


@pytest.mark.parametrize("name", ["X-Zato-TLS-CN", "x-zato-tls-cn", "X-ZATO-TLS-DN", "X-Zato-TLS-Anything"])
def test_no_client_can_forge_what_a_certificate_says(new_site: Callable[..., Site], tmp_path: Path, name: str) -> None:
    (tmp_path / "clients").mkdir()
    clients = CertificateAuthority(tmp_path / "clients", "clients")
    site = new_site(client_certificates="optional", client_authorities=str(clients.file))
    forged = {name: "admin"}
    for answer in (site.get(headers=forged), site.agent.get("/", headers=forged)):
        assert not [header for header in headers_seen(answer) if header.startswith("x-zato-tls")]
    seen = headers_seen(site.get(headers=forged, client=clients.issue("billing")))
    assert "admin" not in seen.values()
    assert seen["x-zato-tls-cn"] == "billing"


def test_clients_of_other_authorities_are_refused(new_site: Callable[..., Site], tmp_path: Path) -> None:
    for folder in ("clients", "others"):
        (tmp_path / folder).mkdir()
    clients = CertificateAuthority(tmp_path / "clients", "clients")
    others = CertificateAuthority(tmp_path / "others", "others")
    site = new_site(client_certificates="required", client_authorities=str(clients.file))
    assert site.get(client=clients.issue("billing")).status == 200
    for client in (None, others.issue("billing"), clients.issue("late", expired=True)):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.get(client=client)


def test_a_new_certificate_is_taken_without_a_lost_request(new_site: Callable[..., Site]) -> None:
    site = new_site()
    before = site.serial()
    failures: list[str] = []
    answered = [0]
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert site.get("/").status == 200
                answered[0] += 1
            except (OSError, http.client.HTTPException) as exc:
                failures.append(repr(exc))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        eventually(lambda: answered[0] > 20)
        bundle(site.authority.issue("site"))
        eventually(lambda: site.serial() != before, timeout_s=20)
        seen = answered[0]
        eventually(lambda: answered[0] > seen + 20)
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert '"certificates_taken"' in site.agent.log.read_text()


def test_a_certificate_that_is_damaged_is_said_and_the_old_one_stays(new_site: Callable[..., Site]) -> None:
    site = new_site()
    before = site.serial()
    (site.folder / "site.bundle").write_text("damaged")
    eventually(lambda: '"certificates_not_taken"' in site.agent.log.read_text(), timeout_s=20)
    assert site.serial() == before
    bundle(site.authority.issue("site"))
    eventually(lambda: site.serial() != before, timeout_s=20)


def test_clients_without_tls_are_sent_to_where_it_is(new_site: Callable[..., Site]) -> None:
    site = new_site(is_https_only=True)
    answer = site.agent.get("/some/path?x=1", headers={"Host": "shop.example.com:8080"})
    port = site.address.rpartition(":")[2]
    assert (answer.status, answer.headers["Location"]) == (308, f"https://shop.example.com:{port}/some/path?x=1")
    assert site.agent.is_serving()


def test_servers_are_spoken_to_over_tls(new_agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    agent = new_agent(server_authorities=str(authority.file), server_tls_name="server")
    agent.start()
    with tls_server(authority.issue("right", "server")) as right, tls_server(authority.issue("wrong", "other")) as wrong:
        agent.call("Join", name="wrong", address=wrong)
        agent.call("Join", name="right", address=right)
        eventually(lambda: agent.states() == {"right": "up", "wrong": "down"}, timeout_s=20)
        assert {agent.get("/").server for _ in range(10)} == {"right"}
        # Those that were there before a reload are spoken to likewise.
        agent.call("Reload")
        eventually(lambda: agent.states() == {"right": "up", "wrong": "down"}, timeout_s=20)
        assert {agent.get("/").server for _ in range(10)} == {"right"}


@contextlib.contextmanager
def tls_server(tls: TLSFiles) -> Iterator[str]:
    """A server that speaks TLS only; gives its address."""
    assert tls.certificate is not None
    name = tls.certificate.stem

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps({"server": name}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server = _Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handshakes that fail are meant to."""
