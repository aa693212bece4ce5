"""What outgoing connections say of us, to real servers."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.server.connections.http.client import HTTPConnection, connect
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.control.state import ConfigObject, Configuration
from zato.server.security.api_key import APIKeyOptions
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.outgoing import CannotSend, credentials_of
from zato.server.security.passwords import hash_password
from zato.server.security.sent_only import NTLMOptions
from zato.server.security.tls_key_cert import BadCertificate, TLSKeyCertOptions, client_context


class Handler(BaseHTTPRequestHandler):
    """Answers with the name in the client's certificate."""

    def do_GET(self) -> None:
        subject = dict(pair[0] for pair in self.connection.getpeercert()["subject"])  # type: ignore[attr-defined]
        body = subject["commonName"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CertificateAuthority:
    made = CertificateAuthority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.fixture
def tls_server(authority: CertificateAuthority) -> Iterator[str]:
    """An address where only clients with a certificate of `authority` are answered."""
    files = authority.issue("server")
    assert files.certificate is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.authorities))
    context.verify_mode = ssl.CERT_REQUIRED
    # Who is refused learns it in the handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def own(authority: CertificateAuthority, name: str = "us") -> TLSKeyCertOptions:
    files = authority.issue(name)
    assert files.certificate is not None
    assert files.key is not None
    return TLSKeyCertOptions(value=files.certificate.read_text() + files.key.read_text())


def connection(host: str, kind: str, options: Any, *, is_active: bool = True) -> HTTPConnection:
    definition = ConfigObject(1, kind, "def", is_active, 1, options)
    outgoing = ConfigObject(2, "outgoing-http", "crm", True, 1, OutgoingHTTPOptions(host=host, security="def", timeout=5))
    return connect(outgoing, Configuration(1, {1: definition, 2: outgoing}))


def test_our_certificate_is_shown_to_who_wants_one(tls_server: str, authority: CertificateAuthority) -> None:
    made = connection(tls_server, "security-tls-key-cert", own(authority))
    assert made.get("cid").text == "us"
    made.close()


def test_without_our_certificate_nobody_is_answered(tls_server: str, authority: CertificateAuthority, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for kind, options in (
        ("security-api-key", APIKeyOptions(key="k")),
        ("security-tls-key-cert", own(CertificateAuthority(other, "other"))),
    ):
        made = connection(tls_server, kind, options)
        with pytest.raises(Unavailable):
            made.get("cid")
        made.close()


@pytest.mark.parametrize("value", ["", "x", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_certificate_with_its_key_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="PEM"):
        TLSKeyCertOptions(value=value)


def test_a_certificate_with_another_key_is_refused_without_showing_either(authority: CertificateAuthority) -> None:
    first, second = own(authority, "a").value, own(authority, "b").value
    end = "-----END CERTIFICATE-----\n"
    mixed = TLSKeyCertOptions(value=first.split(end)[0] + end + second.split(end)[1])
    with pytest.raises(BadCertificate) as raised:
        client_context(mixed)
    assert "BEGIN" not in str(raised.value) + repr(mixed)
    broken = TLSKeyCertOptions(value="-----BEGIN CERTIFICATE-----\nx\n-----BEGIN PRIVATE KEY-----\ny")
    with pytest.raises(BadCertificate):
        client_context(broken)


def test_fixed_credentials_are_headers_in_the_bytes_that_the_other_side_expects() -> None:
    def headers(kind: str, options: Any) -> Any:
        definition = ConfigObject(1, kind, "def", True, 1, options)
        return credentials_of("def", Configuration(1, {1: definition}))()

    assert credentials_of("", Configuration())() == {}
    assert headers("security-basic-auth", BasicAuthOptions(username="ü", password="p:w")) == {"Authorization": "Basic w7w6cDp3"}
    assert headers("security-api-key", APIKeyOptions(header="X-Key", key="kż")) == {"X-Key": "k\xc5\xbc"}


@pytest.mark.parametrize(
    ("kind", "options", "is_active"),
    [
        ("security-basic-auth", BasicAuthOptions(username="u", password=hash_password("p"), storage="hashed"), True),
        ("security-basic-auth", BasicAuthOptions(username="u", password="p"), False),
        ("security-ntlm", NTLMOptions(username="u", password="p"), True),
    ],
)
def test_what_cannot_be_sent_makes_no_connection(kind: str, options: Any, *, is_active: bool) -> None:
    with pytest.raises(CannotSend, match="def"):
        connection("http://127.0.0.1:1", kind, options, is_active=is_active)
