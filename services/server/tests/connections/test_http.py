"""Calls of REST services, against a real HTTP server."""

import base64
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest, DeadlineExceeded, Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.processes import free_port
from zato.server.connections import http as http_connections
from zato.server.connections.failures import CredentialsRefused
from zato.server.connections.http.answer import BadAnswer, NotJSON
from zato.server.connections.http.client import HTTPConnection
from zato.server.connections.http.facade import RESTFacade
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.contracts.connection_contract import NAME, Meanwhile, NetworkConnectionContract, Values, make_object
from zato.server.contracts.http_backend import Backend, Reply
from zato.server.control.state import ConfigObject, Configuration
from zato.server.security.api_key import APIKeyOptions
from zato.server.security.basic_auth import BasicAuthOptions


@pytest.fixture
def call(backend: Backend) -> Iterator[Callable[..., Any]]:
    """Make connections to the backend with the given options."""
    made = []

    def make(*objects: ConfigObject, **values: Any) -> Any:
        config_object = make_object(http_connections.connection_type, {"host": backend.url, **values})
        configuration = Configuration(1, {each.id: each for each in (config_object, *objects)})
        made.append(http_connections.connection_type.connect(config_object, configuration))
        return made[-1]

    yield make
    for each in made:
        each.close()


def definition(name: str, options: Any, id: int = 2) -> ConfigObject:
    kind = "security-basic-auth" if isinstance(options, BasicAuthOptions) else "security-api-key"
    return ConfigObject(id, kind, name, True, 1, options)


def basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


class TestOutgoingHTTP(NetworkConnectionContract):
    connection_type = http_connections.connection_type
    wrong_password = {"security": "wrong"}
    timeouts = ("timeout",)
    use = "connection.get('cid')"
    bad_options = [
        {"host": "127.0.0.1:80"},
        {"host": "http://user:secret@127.0.0.1"},
        {"host": "http://127.0.0.1/path"},
        {"url_path": "no-slash"},
        {"timeout": 0},
        {"retries": -1},
        {"retry_statuses": ["200"]},
        {"ping_method": "BREW"},
        {"ca_certificates": "no PEM"},
        {"client_certificate": "no PEM"},
        {"content_type": "a\r\nb: c"},
    ]

    @pytest.fixture
    def values(self, backend: Backend) -> Values:
        backend.password = basic("user", "the-right-one")
        return {"host": backend.url, "security": "right"}

    def others(self) -> list[ConfigObject]:
        return [
            definition("right", BasicAuthOptions(username="user", password="the-right-one"), 2),
            definition("wrong", BasicAuthOptions(username="user", password="another"), 3),
        ]

    def elsewhere(self, values: Values, port: int, **changed: Any) -> Values:
        return {"host": f"http://127.0.0.1:{port}", **changed}

    def unknown_host(self) -> Values:
        return {"host": "http://no-such-host.invalid"}

    def test_a_slow_backend_stops_no_other_greenlet(self, backend: Backend) -> None:
        backend.gate.clear()
        values = {"host": backend.url, "timeout": 60}
        assert self.run_patched(values, "connection.get('cid').status_code", meanwhile=backend) == "200"

    def test_a_backend_that_drips_its_answer_is_given_up_in_a_worker(self) -> None:
        dripping = Dripping()
        values = {"host": f"http://127.0.0.1:{dripping.port}", "timeout": 1}
        try:
            error = self.run_patched(values, "connection.get('cid')", meanwhile=dripping)
            assert error.startswith("DeadlineExceeded: ")
        finally:
            dripping.stop()


class Dripping(Meanwhile):
    """Sends a byte whenever the one before is gone, and never ends."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    def _drip(self) -> None:
        taken, _ = self._listener.accept()
        with taken:
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not self._stopped.wait(0.02):
                try:
                    taken.sendall(b"x")
                except OSError:
                    return

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._listener.close()


# What is sent


def test_parameters_of_the_path_are_taken_out_of_params_and_the_rest_is_the_query(backend: Backend, call: Any) -> None:
    call(url_path="/customers/{id}/{part}").conn.get("cid-1", {"id": "a/b", "part": 7, "x": [1, 2], "none": None})
    (seen,) = backend.seen
    assert (seen.method, seen.path, seen.query) == ("GET", "/customers/a%2Fb/7", {"x": ["1", "2"]})
    assert seen.headers["x-zato-cid"] == "cid-1"


def test_params_may_be_pairs_or_a_ready_query(backend: Backend, call: Any) -> None:
    call(url_path="/x?fixed=1").conn.get("cid", [("a", 1), ("a", 2)])
    call(url_path="/x").conn.get("cid", params="b=3")
    assert [seen.query for seen in backend.seen] == [{"fixed": ["1"], "a": ["1", "2"]}, {"b": ["3"]}]


def test_a_missing_parameter_of_the_path_is_said_without_a_call(backend: Backend, call: Any) -> None:
    with pytest.raises(BadRequest, match="needs id") as failed:
        call(url_path="/internal/{id}").conn.get("cid", {"other": 1})
    assert isinstance(failed.value, ValueError)
    assert "internal" not in failed.value.message
    assert backend.seen == []


@pytest.mark.parametrize(
    ("data_format", "data", "body", "content_type"),
    [
        ("json", {"a": 1}, b'{"a":1}', "application/json"),
        ("json", [1, 2], b"[1,2]", "application/json"),
        ("json", '{"ready": 1}', b'{"ready": 1}', "application/json"),
        ("", {"a": "1 2", "b": [3, 4]}, b"a=1+2&b=3&b=4", "application/x-www-form-urlencoded"),
        ("form", {"a": "ł"}, b"a=%C5%82", "application/x-www-form-urlencoded"),
        ("", '{"event": "x"}', b'{"event": "x"}', None),
        ("", b"\x00\xff", b"\x00\xff", None),
        ("", [1], b"[1]", "application/json"),
        ("json", "", b"", None),
        ("json", None, b"", None),
    ],
)
def test_data_goes_out_in_the_connections_format(
    backend: Backend, call: Any, data_format: str, data: Any, body: bytes, content_type: str | None
) -> None:
    call(data_format=data_format).conn.post("cid", data)
    assert (backend.seen[0].body, backend.seen[0].headers.get("content-type")) == (body, content_type)


def test_the_oldest_way_to_send_passes_its_request_as_the_cid(backend: Backend, call: Any) -> None:
    call(data_format="json").conn.send({"cust_id": "12\r\n3"})
    (seen,) = backend.seen
    assert (seen.method, seen.body) == ("POST", b"")
    assert "cust_id" in seen.headers["x-zato-cid"]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "send"])
def test_every_method_is_sent_as_itself_with_headers_of_the_call(backend: Backend, call: Any, method: str) -> None:
    answer = getattr(call().conn, method)("cid", headers={"X-One": "ł", "X-Number": 5, "X-None": None})
    assert answer.ok
    (seen,) = backend.seen
    assert seen.method == {"send": "POST"}.get(method, method.upper())
    assert (seen.headers["x-one"].encode("latin-1").decode(), seen.headers["x-number"]) == ("ł", "5")
    assert "x-none" not in seen.headers


def test_a_header_cannot_smuggle_in_another(backend: Backend, call: Any) -> None:
    with pytest.raises(ValueError):
        call().conn.get("cid", headers={"X-One": "a\r\nX-Two: b"})
    assert backend.seen == []


def test_json_cookies_and_auth_of_a_call(backend: Backend, call: Any) -> None:
    call().conn.post("cid", json={"a": 1}, cookies={"c": "d"}, auth=("user", "pass"))
    (seen,) = backend.seen
    assert (seen.body, seen.headers["content-type"], seen.headers["cookie"]) == (b'{"a":1}', "application/json", "c=d")
    assert seen.headers["authorization"] == basic("user", "pass")


def test_a_file_is_uploaded_as_a_form(backend: Backend, call: Any, tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("a;b")
    call().conn.upload("cid", tmp_path / "report.csv", mime_type="text/csv")
    (seen,) = backend.seen
    assert seen.headers["content-type"].startswith("multipart/form-data")
    for part in (b'name="data"', b'filename="report.csv"', b"text/csv", b"a;b"):
        assert part in seen.body


def test_the_credentials_of_the_definition_are_sent(backend: Backend, call: Any) -> None:
    call(definition("key", APIKeyOptions(header="X-Key", key="k1")), security="key").conn.get("cid")
    call(definition("user", BasicAuthOptions(username="u", password="p")), security="user").conn.get("cid")
    assert backend.seen[0].headers["x-key"] == "k1"
    assert backend.seen[1].headers["authorization"] == basic("u", "p")


def test_the_services_own_authorization_counts_more(backend: Backend, call: Any) -> None:
    secured = call(definition("user", BasicAuthOptions(username="u", password="p")), security="user")
    secured.conn.get("cid", headers={"authorization": "Bearer t"})
    assert backend.seen[0].headers["authorization"] == "Bearer t"


class Renewing:
    """A token that was refused is replaced by the next one."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def __call__(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[0]}"}

    def refused(self, sent: Mapping[str, str]) -> bool:
        assert sent == self()
        return bool(self.tokens.pop(0)) and bool(self.tokens)


def test_credentials_that_were_refused_are_renewed_once(backend: Backend) -> None:
    backend.password = "Bearer new"
    options = make_object(http_connections.connection_type, {"host": backend.url}).options
    connection = HTTPConnection("it", options, Renewing("old", "new"))
    assert connection.post("cid", "once").ok
    assert [(seen.headers["authorization"], seen.body) for seen in backend.seen] == [
        ("Bearer old", b"once"),
        ("Bearer new", b"once"),
    ]
    hopeless = HTTPConnection("it", options, Renewing("a", "b", "c"))
    assert hopeless.get("cid").status_code == 401
    assert len(backend.seen) == 4
    connection.close()
    hopeless.close()


# What is answered


def test_an_answer_is_read_in_every_way(backend: Backend, call: Any) -> None:
    body = json.dumps({"name": "Łukasz"}).encode()
    backend.reply(Reply(201, body, {"Content-Type": "application/json", "X-Other": "yes"}))
    answer = call().conn.get("cid")
    assert (answer.status_code, answer.ok, bool(answer)) == (201, True, True)
    assert answer.data == answer.json() == {"name": "Łukasz"}
    assert (answer.content, answer.text) == (body, body.decode())
    assert (answer.headers["x-OTHER"], answer.reason) == ("yes", "Created")
    answer.raise_for_status()


def test_text_follows_the_charset_and_survives_a_bad_one(backend: Backend, call: Any) -> None:
    latin = Reply(200, "é".encode("latin-1"), {"Content-Type": "text/plain; charset=iso-8859-1"})
    backend.reply(latin, Reply(200, b"\xff", {"Content-Type": "text/plain; charset=nonsense"}))
    connection = call()
    assert connection.conn.get("cid").data == "é"
    assert connection.conn.get("cid").text == "\ufffd"


def test_what_should_be_json_and_is_not_is_the_other_sides_fault(backend: Backend, call: Any) -> None:
    backend.reply(Reply(200, b"<html>"), Reply(502, b"<html>bad gateway"), Reply(200, b'{"a": NaN}'))
    connection = call(data_format="json")
    answer = connection.conn.get("cid")
    with pytest.raises(NotJSON):
        answer.json()
    with pytest.raises(ValueError):
        _ = answer.data
    assert connection.conn.get("cid").data == "<html>bad gateway"
    assert connection.conn.get("cid").data["a"] != 0


def test_a_status_that_is_an_error_is_an_answer_until_asked(backend: Backend, call: Any) -> None:
    backend.reply(Reply(404, b"nothing"))
    answer = call().conn.get("cid")
    assert (answer.ok, bool(answer), answer.status_code, answer.data) == (False, False, 404, "nothing")
    with pytest.raises(BadAnswer) as bad:
        answer.raise_for_status()
    assert bad.value.status_code == 404


def test_compressed_answers_are_read_and_limited(backend: Backend, call: Any) -> None:
    bomb = gzip.compress(b"x" * 1_000_000)
    backend.reply(Reply(200, bomb, {"Content-Encoding": "gzip"}))
    assert len(call().conn.get("cid").content) == 1_000_000
    with pytest.raises(Unavailable, match="max_response_bytes"):
        call(max_response_bytes=10_000).conn.get("cid")


def test_an_answer_that_is_cut_off_is_unavailable(backend: Backend, call: Any) -> None:
    backend.reply(Reply(200, b"short", {"Content-Length": "1000", "Connection": "close"}))
    with pytest.raises((Unavailable, DeadlineExceeded)):
        call(timeout=1).conn.get("cid")


def test_what_a_call_asked_for_is_not_logged(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable):
        call(host=f"http://127.0.0.1:{free_port()}", url_path="/there").conn.get("cid", {"token": "the-secret"})
    logged = capsys.readouterr().out
    assert "/there" in logged
    assert "the-secret" not in logged


# Repeating and redirecting


def test_an_idempotent_call_is_repeated_as_configured(backend: Backend, call: Any) -> None:
    backend.reply(Reply(503), Reply(502), Reply(200, b"there"))
    assert call(retries=2, retry_backoff_s=0.01).conn.get("cid").text == "there"
    assert len(backend.seen) == 3


def test_after_the_last_repetition_the_answer_is_what_came(backend: Backend, call: Any) -> None:
    backend.reply(Reply(503, b"busy"))
    answer = call(retries=1, retry_backoff_s=0.01).conn.put("cid", "x")
    assert (answer.status_code, answer.text, len(backend.seen)) == (503, "busy", 2)


def test_a_post_is_never_sent_twice(backend: Backend, call: Any) -> None:
    backend.reply(Reply(503))
    assert call(retries=3, retry_backoff_s=0.01).conn.post("cid", "x").status_code == 503
    assert len(backend.seen) == 1


def test_nothing_is_repeated_unless_configured(backend: Backend, call: Any) -> None:
    backend.reply(Reply(503))
    call().conn.get("cid")
    assert len(backend.seen) == 1


def test_redirects_are_followed_or_not(backend: Backend, call: Any) -> None:
    backend.reply(Reply(302, headers={"Location": "/there"}), Reply(200, b"there"))
    assert call().conn.get("cid").text == "there"
    backend.reply(Reply(302, headers={"Location": "/there"}))
    assert call(follow_redirects=False).conn.get("cid").status_code == 302
    assert call().conn.get("cid", allow_redirects=False).status_code == 302
    with pytest.raises(Unavailable):
        call().conn.get("cid")


def test_another_host_does_not_get_our_credentials(backend: Backend, call: Any) -> None:
    elsewhere = Backend()
    backend.reply(Reply(302, headers={"Location": f"{elsewhere.url}/x"}))
    secured = call(definition("key", APIKeyOptions(header="X-Key", key="k1")), security="key")
    try:
        secured.conn.get("cid", headers={"Authorization": "Bearer t", "Cookie": "a=b"})
        assert not {"x-key", "authorization", "cookie"} & elsewhere.seen[0].headers.keys()
    finally:
        elsewhere.stop()


def test_connections_are_kept_open(backend: Backend, call: Any) -> None:
    connection = call()
    for _ in range(3):
        connection.conn.get("cid")
    assert connection._pool.connection_from_url(backend.url).num_connections == 1


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def tls_backend(authority: CertificateAuthority) -> Iterator[Backend]:
    """A backend with a certificate of the authority, which asks its clients for one of the same authority."""
    files = authority.issue("backend")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.authorities))
    context.load_cert_chain(files.certificate, files.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    backend = Backend(context)
    yield backend
    backend.stop()


def test_a_certificate_is_trusted_if_its_authority_is(tls_backend: Backend, authority: CertificateAuthority, call: Any) -> None:
    assert call(host=tls_backend.url, ca_certificates=authority.file.read_text()).conn.get("cid").ok
    with pytest.raises(Unavailable, match="certificate is not trusted"):
        call(host=tls_backend.url).conn.get("cid")
    stranger = CertificateAuthority(authority.file.parent, "stranger")
    with pytest.raises(Unavailable, match="certificate is not trusted"):
        call(host=tls_backend.url, ca_certificates=stranger.file.read_text()).conn.get("cid")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_trust_may_be_switched_off(tls_backend: Backend, call: Any) -> None:
    assert call(host=tls_backend.url, tls_verify=False).conn.get("cid").ok


def test_a_certificate_of_another_host_is_refused(authority: CertificateAuthority, call: Any) -> None:
    files = authority.issue("elsewhere", "elsewhere.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    backend = Backend(context)
    try:
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            call(host=backend.url, ca_certificates=authority.file.read_text()).conn.get("cid")
    finally:
        backend.stop()


def test_a_client_certificate_is_shown(tls_backend: Backend, authority: CertificateAuthority, call: Any) -> None:
    files = authority.issue("us")
    ours = {"client_certificate": files.certificate.read_text(), "client_key": files.key.read_text()}
    assert call(host=tls_backend.url, ca_certificates=authority.file.read_text(), **ours).conn.get("cid").ok
    stranger = CertificateAuthority(authority.file.parent, "stranger").issue("them")
    theirs = {"client_certificate": stranger.certificate.read_text(), "client_key": stranger.key.read_text()}
    with pytest.raises(Unavailable):
        call(host=tls_backend.url, ca_certificates=authority.file.read_text(), **theirs).conn.get("cid")
    with pytest.raises(BadRequest, match="do not belong together"):
        call(host=tls_backend.url, client_certificate=ours["client_certificate"], client_key=theirs["client_key"])


# The facade


def test_rest_knows_the_cid_and_finds_names_in_every_way(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    config_object = make_object(http_connections.connection_type, {"host": backend.url}, name="My CRM")
    pool = ConnectionPool().follow(Configuration(1, {1: config_object}))
    monkeypatch.setenv("WHICH_CRM", "My CRM")
    rest = RESTFacade(Outgoing(lambda: pool).rest, "cid-of-service")
    rest["My CRM"].get({"a": 1})
    rest.my_crm.post("data", {"b": 2})
    rest["$WHICH_CRM"].get("cid-of-service", {"c": 3})
    rest.my_crm.ping()
    assert {seen.headers["x-zato-cid"] for seen in backend.seen} == {"cid-of-service"}
    assert [seen.query for seen in backend.seen] == [{"a": ["1"]}, {"b": ["2"]}, {"c": ["3"]}, {}]
    with pytest.raises(AttributeError):
        _ = rest.nobody
    pool.close_all_but(ConnectionPool())


def test_a_ping_is_content_with_any_answer_but_a_refusal(backend: Backend, call: Any) -> None:
    backend.reply(Reply(500))
    call(ping_method="GET", url_path="/x/{id}").ping()
    assert (backend.seen[0].method, backend.seen[0].path) == ("GET", "/x/")
    backend.reply(Reply(401))
    call().ping()
    with pytest.raises(CredentialsRefused, match=NAME):
        call(definition("key", APIKeyOptions(key="k1")), security="key").ping()
