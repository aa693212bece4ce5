"""A server's doors, over HTTP: who comes in, who does not, and what both of them are told."""

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from oauthlib.oauth1 import Client

from zato.common.errors import BadRequest, InvalidOptions, Unavailable
from zato.common.testing.waiting import eventually

from .conftest import Answer, Server, StartServer, deploy_samples, fetch
from .security_parties import AUDIENCE, ISSUER, Issuer, OAuthServer, serve

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
PASSWORD = "pa:ss wörd that no log may show"
KEY = "key-that-no-log-may-show"

OUTGOING = """
from zato.server.service import Service


class Call(Service):
    def handle(self):
        conn = self.out.rest[self.request.input.name].conn
        answers = [conn.get(self.cid).status_code, conn.post(self.cid, "x").status_code]
        self.response.payload = {"statuses": answers}
"""

# What can't be sent twice.
ONCE = ("wss", "oauth")


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    made = Issuer()
    made.add_key("first")
    return made


@pytest.fixture(scope="module")
def oauth() -> OAuthServer:
    return OAuthServer()


@pytest.fixture(scope="module")
def address(issuer: Issuer, oauth: OAuthServer) -> Iterator[str]:
    with serve(issuer, oauth) as address:
        yield address


def definitions(address: str) -> dict[str, dict[str, Any]]:
    """One definition of each kind, by its name."""
    return {
        "basic": {"kind": "basic-auth", "username": "adą", "password": PASSWORD, "realm": 'My "realm" ż'},
        "hashed": {"kind": "basic-auth", "username": "hash", "password": PASSWORD, "storage": "hashed"},
        "key": {"kind": "api-key", "header": "X-Own-Key", "key": KEY},
        "jwt": {"kind": "jwt", "username": "jwt user", "password": PASSWORD},
        "issuer": {"kind": "jwt-issuer", "issuer": ISSUER, "audience": AUDIENCE, "jwks_url": f"{address}/keys", "refresh": 1},
        "account": {"kind": "tech-account", "password": "ascii-password"},
        "certificate": {"kind": "tls-channel", "value": "CN=billing"},
        "wss": {"kind": "wss", "username": "soap", "password": PASSWORD},
        "oauth": {"kind": "oauth", "username": "oauth user", "password": PASSWORD},
        "xpath": {"kind": "xpath", "username": "x", "password": "y", "username_expr": "//user", "password_expr": "//pw"},
        "off": {"kind": "basic-auth", "username": "off", "password": PASSWORD, "is_active": False},
    }


CHALLENGES = {
    "basic": 'Basic realm="My \\"realm\\" ' + "ż".encode().decode("latin-1") + '", charset="UTF-8"',
    "hashed": 'Basic realm="API", charset="UTF-8"',
    "key": 'zato-apikey header="X-Own-Key"',
    "jwt": 'Bearer realm="zato"',
    "issuer": 'Bearer realm="zato"',
    "account": "zato-tech-acc",
    "certificate": "zato-tls-channel-sec",
    "wss": "zato-wss",
    "oauth": 'OAuth realm="zato"',
    "xpath": "zato-xpath",
    "off": 'Basic realm="API", charset="UTF-8"',
}


@pytest.fixture(scope="module")
def guarded(start_server: StartServer, address: str) -> Server:
    """A server with a channel for each definition, and with another that asks for a role, which nobody has."""
    server = start_server(workers=2)
    deploy_samples(server)
    server.deploy("calls.py", OUTGOING)
    for name, options in definitions(address).items():
        options = dict(options)
        server.admin(f"zato.security-{options.pop('kind')}.create", name=name, **options)
        data_format = "xml" if name in ("wss", "xpath") else "json"
        service = "samples.echo-xml" if data_format == "xml" else "samples.echo"
        for suffix, has_rbac in (("", False), ("-role", True)):
            server.add_channel(
                f"{name}{suffix}", f"/{name}{suffix}", service, data_format=data_format, security=name, has_rbac=has_rbac
            )
    server.wait_until_applied()
    return server


def basic(credentials: str | bytes) -> dict[str, str]:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def log_in(server: Server, username: Any = "jwt user", password: Any = PASSWORD) -> Answer:
    return server.request("POST", "/zato/jwt/log-in", json.dumps({"username": username, "password": password}).encode())


def envelope(nonce: str, password: str = PASSWORD, username: str = "soap") -> bytes:
    created = datetime.now(UTC).isoformat()
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:w="{OASIS}wssecurity-secext-1.0.xsd" xmlns:u="{OASIS}wssecurity-utility-1.0.xsd">'
        f"<s:Header><w:Security><w:UsernameToken><w:Username>{username}</w:Username><w:Password>{password}</w:Password>"
        f"<w:Nonce>{base64.b64encode(nonce.encode()).decode()}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken>"
        "</w:Security></s:Header><s:Body/></s:Envelope>"
    ).encode()


def signed(server: Server, secret: str = PASSWORD, path: str = "/oauth") -> dict[str, str]:
    url = f"http://127.0.0.1:{server.http_port}{path}"
    _, headers, _ = Client("oauth user", client_secret=secret).sign(url, "POST")
    return dict(headers)


def right(server: Server, issuer: Issuer) -> dict[str, tuple[dict[str, str], bytes]]:
    """Headers and body that each definition lets in."""
    return {
        "basic": (basic(f"adą:{PASSWORD}"), b"{}"),
        "hashed": (basic(f"hash:{PASSWORD}"), b"{}"),
        "key": ({"X-Own-Key": KEY}, b"{}"),
        "jwt": (bearer(log_in(server).json["token"]), b"{}"),
        "issuer": (bearer(issuer.token("first")), b"{}"),
        "account": ({"X-Zato-User": "account", "X-Zato-Password": "ascii-password"}, b"{}"),
        "certificate": ({"X-Zato-TLS-CN": "billing"}, b"{}"),
        "wss": ({}, envelope(f"nonce-{time.time()}")),
        "oauth": (signed(server), b"{}"),
        "xpath": ({}, b"<a><user>x</user><pw>y</pw></a>"),
    }


def test_right_credentials_let_in_on_every_worker(guarded: Server, issuer: Issuer) -> None:
    for name, (headers, body) in right(guarded, issuer).items():
        for _ in range(1 if name in ONCE else 8):
            assert guarded.request("POST", f"/{name}", body, headers).status == 200, name


@pytest.mark.parametrize("name", ONCE)
def test_a_message_is_good_once_whichever_worker_gets_it(guarded: Server, issuer: Issuer, name: str) -> None:
    headers, body = right(guarded, issuer)[name]
    statuses = [guarded.request("POST", f"/{name}", body, headers).status for _ in range(8)]
    assert statuses == [200] + [401] * 7


def test_good_credentials_without_a_role_are_forbidden(guarded: Server, issuer: Issuer) -> None:
    for name, (headers, body) in right(guarded, issuer).items():
        sent = signed(guarded, path="/oauth-role") if name == "oauth" else headers
        assert guarded.request("POST", f"/{name}-role", body, sent).status == 403, name


def wrong(server: Server, issuer: Issuer) -> list[tuple[dict[str, str], bytes]]:
    """All sorts of headers and bodies; none of them is right for anything."""
    own = log_in(server).json["token"]
    foreign = issuer.token("first")
    values = [
        {},
        basic(""),
        basic(":"),
        basic("adą:"),
        basic("adą:wrong"),
        basic("hash:wrong"),
        basic(f"nobody:{PASSWORD}"),
        basic(f"off:{PASSWORD}"),
        basic(b"\xff\xfe:\x00"),
        {"Authorization": "Basic ***"},
        {"Authorization": "Basic " + "A" * 8000},
        {"Authorization": 'Digest username="adą"'.encode().decode("latin-1")},
        {"Authorization": f"Negotiate {own}"},
        bearer(""),
        bearer("x"),
        bearer("a.b.c"),
        bearer(own[:-2]),
        bearer(own.rsplit(".", 1)[0] + "."),
        bearer(foreign[:-8]),
        bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."),
        bearer(issuer.token("first", aud="other")),
        bearer(issuer.token("first", iss="https://evil.example.com/")),
        bearer(issuer.token("first", exp=1)),
        bearer(issuer.token("first", nbf=time.time() + 999)),
        signed(server, secret="wrong"),
        signed(server, path="/elsewhere"),
        {"Authorization": 'OAuth oauth_consumer_key="oauth user"'},
        {"X-Own-Key": "wrong"},
        {"X-API-Key": KEY},
        {"X-Zato-User": "account", "X-Zato-Password": "wrong"},
        {"X-Zato-User": "other", "X-Zato-Password": "ascii-password"},
        {"X-Zato-TLS-CN": "other"},
        {"X-Zato-TLS-CN": "billing, billing"},
    ]
    bodies = [
        b"",
        b"{}",
        b"<a",
        b"<a/>",
        b"\xff\xfe",
        b"<a><user>x</user><pw>wrong</pw></a>",
        b"<a><user>x</user><user>x</user><pw>y</pw></a>",
        envelope("nonce", password="wrong"),
        envelope("nonce", username="root"),
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
    ]
    return [(value, b"{}") for value in values] + [({}, body) for body in bodies]


def test_every_wrong_credential_at_every_door_is_refused_with_the_doors_own_challenge(guarded: Server, issuer: Issuer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", guarded.http_port, timeout=20)
    problems = []
    requests = wrong(guarded, issuer)
    for name, challenge in CHALLENGES.items():
        for suffix in ("", "-role"):
            for headers, body in requests:
                connection.request("POST", f"/{name}{suffix}", body, headers)
                response = connection.getresponse()
                text = response.read().decode()
                given = response.getheader("WWW-Authenticate", "")
                if response.status != 401 or not given.startswith(challenge) or PASSWORD in text or KEY in text:
                    problems.append((name, suffix, headers, body, response.status, given, text))
    connection.close()
    assert problems == []
    assert len(requests) * len(CHALLENGES) * 2 > 600


def test_a_huge_authorization_header_is_refused_before_anybody_looks_at_it(guarded: Server) -> None:
    head = b"GET /basic HTTP/1.1\r\nHost: a\r\nAuthorization: Basic "
    answer = fetch(guarded.http_port, head + b"A" * 1024 * 1024 + b"\r\n\r\n")
    assert answer is not None
    assert answer.status == 431


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0)])
def test_of_several_authorization_headers_none_counts(guarded: Server, order: tuple[int, int]) -> None:
    values = (basic(f"adą:{PASSWORD}")["Authorization"], basic("x:y")["Authorization"])
    head = "GET /basic HTTP/1.1\r\nHost: a\r\n" + "".join(f"Authorization: {values[each]}\r\n" for each in order) + "\r\n"
    answer = fetch(guarded.http_port, head.encode())
    assert answer is not None
    assert answer.status == 401


def test_a_client_cannot_claim_a_certificate_from_outside_the_trusted_networks(start_server: StartServer) -> None:
    server = start_server(trusted_proxies=["10.0.0.0/8"])
    deploy_samples(server)
    server.admin("zato.security-tls-channel.create", name="certificate", value="CN=billing")
    server.add_channel("certificate", "/certificate", "samples.echo", security="certificate")
    server.wait_until_applied()
    assert server.request("POST", "/certificate", b"{}", {"X-Zato-TLS-CN": "billing"}).status == 401


# Log-in


@pytest.mark.parametrize(
    ("username", "password"),
    [("jwt user", "wrong"), ("nobody", PASSWORD), ("jwt user", ""), ("adą", PASSWORD), ("\r\nX: y", "x"), ("a" * 9000, "x")],
)
def test_a_wrong_log_in_is_refused_in_one_way(guarded: Server, username: str, password: str) -> None:
    answer = log_in(guarded, username, password)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="zato"')
    assert answer.json["details"] == "The user name or the password is wrong"
    (line,) = (line for line in guarded.log_lines("log_in_refused") if line["cid"] == answer.cid)
    assert line["definition"] == ("jwt" if username == "jwt user" else "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{}",
        b'{"username": 1, "password": 2}',
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "jwt user"}',
        b"x",
    ],
)
def test_a_log_in_that_is_none_is_a_bad_request(guarded: Server, body: bytes) -> None:
    assert guarded.request("POST", "/zato/jwt/log-in", body).status == 400


def test_a_password_in_the_url_is_none(guarded: Server) -> None:
    assert guarded.request("POST", "/zato/jwt/log-in?username=jwt%20user&password=right", b"{}").status == 400
    assert guarded.request("GET", "/zato/jwt/log-in").status == 405


def test_a_token_is_not_kept_by_caches_and_ends_with_the_log_out_everywhere(guarded: Server) -> None:
    answer = log_in(guarded)
    assert answer.headers["cache-control"] == "no-store"
    headers = bearer(answer.json["token"])
    for _ in range(8):
        assert guarded.request("POST", "/jwt", b"{}", headers).status == 200
    assert guarded.request("POST", "/zato/jwt/log-out", b"", headers).json == {"result": "OK"}
    assert guarded.request("POST", "/zato/jwt/log-out", b"", headers).status == 401
    assert guarded.request("POST", "/zato/jwt/log-out", b"").status == 401

    def is_refused_by_all() -> bool:
        return all(guarded.request("POST", "/jwt", b"{}", headers).status == 401 for _ in range(8))

    eventually(is_refused_by_all, timeout_s=10, what="the log-out to be seen by both workers")


def test_a_new_password_ends_old_tokens(guarded: Server) -> None:
    guarded.admin("zato.security-jwt.create", name="changing", username="changing", password="one")
    guarded.add_channel("changing", "/changing", "samples.echo", security="changing")
    guarded.wait_until_applied()
    headers = bearer(log_in(guarded, "changing", "one").json["token"])
    assert guarded.request("POST", "/changing", b"{}", headers).status == 200
    guarded.admin("zato.security-jwt.change-password", name="changing", password1="two", password2="two")
    guarded.wait_until_applied()
    assert guarded.request("POST", "/changing", b"{}", headers).status == 401
    assert log_in(guarded, "changing", "one").status == 401
    assert log_in(guarded, "changing", "two").status == 200


def test_who_guesses_is_told_when_to_come_again(guarded: Server) -> None:
    answers = [log_in(guarded, "guessed", "wrong") for _ in range(20)]
    assert [answer.status for answer in answers[:10]] == [401] * 10
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert log_in(guarded).status == 200, "nobody else waits"


# Tokens of others


def test_new_keys_of_an_issuer_are_found_and_withdrawn_ones_are_dropped(guarded: Server, issuer: Issuer) -> None:
    def status(token: str) -> set[int]:
        return {guarded.request("POST", "/issuer", b"{}", bearer(token)).status for _ in range(8)}

    old = issuer.token("first")
    assert status(old) == {200}
    issuer.add_key("second")
    new = issuer.token("second")
    eventually(lambda: status(new) == {200}, timeout_s=15, what="the new key to be fetched")
    withdrawn = issuer.keys.pop("first")
    eventually(lambda: status(old) == {401}, timeout_s=15, what="the withdrawn key to be dropped")
    issuer.is_down = True
    try:
        assert status(new) == {200}
    finally:
        issuer.is_down = False
        issuer.keys["first"] = withdrawn
        eventually(lambda: status(old) == {200}, timeout_s=15, what="the first key to be back")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are accepted and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_an_issuer_that_never_answers_keeps_nobody_waiting_for_long(guarded: Server, issuer: Issuer, silent: int) -> None:
    options = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": f"http://127.0.0.1:{silent}/keys"}
    guarded.admin("zato.security-jwt-issuer.create", name="silent", **options)
    guarded.add_channel("silent", "/silent", "samples.echo", security="silent")
    guarded.wait_until_applied()
    # Less than the fetching itself may take.
    assert guarded.request("POST", "/silent", b"{}", bearer(issuer.token("first")), timeout_s=4.5).status == 503
    assert guarded.request("POST", "/silent", b"{}", bearer("x.y.z")).status == 401
    assert guarded.request("POST", "/silent", b"{}").status == 401


def test_a_server_that_never_gives_a_token_keeps_a_service_no_longer_than_it_may(guarded: Server, silent: int) -> None:
    address = f"http://127.0.0.1:{silent}"
    guarded.admin(
        "zato.security-bearer-token.create",
        name="silent-token",
        auth_server_url=f"{address}/token",
        username="u",
        password="p",
        timeout=0.2,
    )
    guarded.admin("zato.outgoing-http.create", name="silent-api", host=address, security="silent-token")
    guarded.wait_until_applied()
    with pytest.raises(Unavailable, match="could not be reached"):
        guarded.invoke("calls.call", {"name": "silent-api"}, timeout_s=10)


# Roles


def test_roles_let_in_by_method_and_a_change_of_them_is_live(guarded: Server) -> None:
    guarded.admin("zato.security-rbac-role.create", name="readers")
    guarded.admin("zato.security-rbac-role.create", name="writers", parent="readers")
    guarded.admin(
        "zato.security-rbac-role-permission.create", name="p1", role="readers", service="samples.input", permission="Read"
    )
    guarded.admin(
        "zato.security-rbac-role-permission.create", name="p2", role="writers", service="samples.input", permission="Create"
    )
    guarded.admin("zato.security-rbac-client-role.create", name="c1", client="key", role="readers")
    guarded.admin("zato.security-rbac-client-role.create", name="c2", client="basic", role="writers")
    guarded.add_channel("roles", "/roles", "samples.input", sec_use_rbac=True)
    guarded.wait_until_applied()
    key, user = {"X-Own-Key": KEY}, basic(f"adą:{PASSWORD}")
    assert [guarded.request(method, "/roles", None, key).status for method in ("GET", "POST", "DELETE")] == [200, 403, 403]
    assert [guarded.request(method, "/roles", None, user).status for method in ("GET", "POST", "DELETE")] == [200, 200, 403]
    assert guarded.request("GET", "/roles").status == 401
    assert guarded.request("GET", "/roles", None, basic(f"hash:{PASSWORD}")).status == 401
    guarded.admin("zato.security-rbac-role-permission.delete", name="p1")
    guarded.wait_until_applied()
    assert guarded.request("GET", "/roles", None, user).status == 403


# Secrets


def test_passwords_are_changed_by_typing_them_twice(guarded: Server) -> None:
    for bad in ({"password1": "a", "password2": "b"}, {"password1": "", "password2": ""}, {}, {"password1": 1, "password2": 1}):
        with pytest.raises(BadRequest, match="password1"):
            guarded.admin("zato.security-basic-auth.change-password", name="basic", **bad)
    with pytest.raises(BadRequest, match="no such input"):
        guarded.admin("zato.security-basic-auth.change-password", name="basic", password1="a", password2="a", username="x")


def test_a_hash_does_not_become_the_password(guarded: Server) -> None:
    with pytest.raises(InvalidOptions, match="given anew"):
        guarded.admin("zato.security-basic-auth.edit", name="hashed", storage="encrypted")
    assert guarded.admin("zato.security-basic-auth.edit", name="hashed", password=PASSWORD)["is_changed"] is False


def test_no_secret_is_in_a_list_or_in_the_log(guarded: Server, issuer: Issuer) -> None:
    for name, (headers, body) in right(guarded, issuer).items():
        assert guarded.request("POST", f"/{name}", body, headers).status == 200
        assert guarded.request("POST", f"/{name}", b"{}", basic("x:y")).status == 401
    for kind in ("basic-auth", "api-key", "jwt", "tech-account", "wss", "xpath"):
        for service in ("get-list", "get"):
            values = {} if service == "get-list" else {"name": _first(guarded, kind)}
            answer = json.dumps(guarded.admin(f"zato.security-{kind}.{service}", **values))
            assert 'password"' not in answer
            assert "argon2" not in answer
    log = guarded.log_text()
    assert "credentials_refused" in log
    for secret in (PASSWORD, json.dumps(PASSWORD), KEY, "ascii-password", "argon2", "eyJ"):
        assert secret not in log


def test_all_definitions_are_in_one_list(guarded: Server) -> None:
    listed = {each["name"]: each for each in guarded.admin("zato.security.get-list")}
    assert definitions("").keys() <= listed.keys()
    assert (listed["basic"]["sec_type"], listed["basic"]["realm"]) == ("basic_auth", 'My "realm" ż')
    assert listed["off"]["is_active"] is False
    assert PASSWORD not in json.dumps(listed, ensure_ascii=False)


def _first(server: Server, kind: str) -> str:
    return str(server.admin(f"zato.security-{kind}.get-list")[0]["name"])


# Outgoing


def test_an_outgoing_connection_gets_its_token_once_and_another_one_when_it_is_refused(
    guarded: Server, address: str, oauth: OAuthServer
) -> None:
    guarded.admin(
        "zato.security-bearer-token.create",
        name="token",
        auth_server_url=f"{address}/token",
        username="our id",
        password="the secret",
    )
    for name in ("api", "api-too"):
        guarded.admin("zato.outgoing-http.create", name=name, host=address, url_path="/api", security="token")
    guarded.wait_until_applied()

    def call(name: str) -> Any:
        return json.loads(guarded.invoke("calls.call", {"name": name}).payload)["statuses"]

    for _ in range(8):
        assert call("api") == [200, 200]
        assert call("api-too") == [200, 200]
    # One for each worker.
    assert 1 <= len(oauth.asked) <= 2
    oauth.withdrawn = {f"token-{number + 1}" for number in range(len(oauth.asked))}
    for _ in range(4):
        assert call("api") == [200, 200]
    oauth.withdrawn |= {f"token-{number}" for number in range(100)}
    before = len(oauth.asked)
    assert call("api") == [401, 401]
    assert len(oauth.asked) - before <= 2


def test_credentials_that_cannot_be_sent_keep_the_connection_from_being_made(guarded: Server, address: str) -> None:
    guarded.admin("zato.outgoing-http.create", name="hash", host=address, url_path="/api", security="hashed")
    guarded.wait_until_applied()
    lines = eventually(lambda: guarded.log_lines("connection_not_made"), what="the log to say why")
    assert "kept as a hash" in json.dumps(lines)
