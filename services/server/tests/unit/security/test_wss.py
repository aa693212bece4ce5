"""UsernameTokens of WS-Security, and credentials found by XPath."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zato.server.security.definitions import BadCredentials
from zato.server.security.wss import Refused, WSSOptions, check_token, digest_of, read_token
from zato.server.security.xpath import XPathOptions, make_verifier

from .conftest import request

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
NONCE = base64.b64encode(b"nonce of 16 byte").decode()
PASSWORD = "pa&s<s wörd"


def token_xml(
    username: str = "ada",
    password: str = "pa&amp;s&lt;s wörd",
    kind: str | None = "PasswordText",
    nonce: str = NONCE,
    created: str = NOW.isoformat(),
) -> str:
    type_attribute = f' Type="{OASIS}username-token-profile-1.0#{kind}"' if kind else ""
    return (
        f"<w:UsernameToken><w:Username>{username}</w:Username><w:Password{type_attribute}>{password}</w:Password>"
        f"<w:Nonce>{nonce}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken>"
    )


def envelope(*tokens: str, soap: str = "http://schemas.xmlsoap.org/soap/envelope/", header: str = "Header") -> bytes:
    security = f"<w:Security>{''.join(tokens)}</w:Security>"
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:w="{OASIS}wssecurity-secext-1.0.xsd" xmlns:u="{OASIS}wssecurity-utility-1.0.xsd">'
        f"<s:{header}>{security}</s:{header}><s:Body><x/></s:Body></s:Envelope>"
    ).encode()


def digest_xml(password: str = PASSWORD, nonce: str = NONCE, created: str = NOW.isoformat(), **others: Any) -> str:
    raw = base64.b64decode(nonce) + created.encode() + password.encode()
    made = base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode()
    return token_xml(password=made, kind="PasswordDigest", nonce=nonce, created=created, **others)


def check(body: bytes, **options: Any) -> None:
    check_token(read_token(body), WSSOptions(**{"username": "ada", "password": PASSWORD, **options}), NOW.timestamp())


@pytest.mark.parametrize("soap", ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"])
def test_a_password_and_a_digest_of_it_are_good_where_they_are_asked_for(soap: str) -> None:
    check(envelope(token_xml(), soap=soap))
    check(envelope(token_xml(kind=None), soap=soap))
    check(envelope(digest_xml(), soap=soap), password_type="digest")


def test_the_digest_is_the_profiles() -> None:
    made = hashlib.sha1(b"nonce of 16 byte" + b"2026-11-24T09:00:00Z" + b"secret", usedforsecurity=False).digest()
    assert digest_of(NONCE, "2026-11-24T09:00:00Z", "secret") == base64.b64encode(made).decode()


def ago(**delta: float) -> str:
    return (NOW - timedelta(**delta)).isoformat()


BAD_BODIES = {
    "nothing": b"",
    "not XML": b"<a",
    "JSON": b"{}",
    "bytes": b"\xff\xfe\x00",
    "no envelope": b"<a/>",
    "another envelope": envelope(token_xml(), soap="urn:x"),
    "an entity": b'<!DOCTYPE a [<!ENTITY e "x">]>' + envelope(token_xml(username="&e;")),
    "no token": envelope(),
    "two tokens": envelope(token_xml(), token_xml()),
    "a token in the body": envelope(token_xml(), header="Body"),
    "a wrong password": envelope(token_xml(password="x")),
    "an empty password": envelope(token_xml(password="")),
    "a password with elements": envelope(token_xml(password="pa<x/>")),
    "another user": envelope(token_xml(username="root")),
    "no user": envelope(token_xml(username="")),
    "a user in two elements": envelope(token_xml().replace("</w:Username>", "</w:Username><w:Username>x</w:Username>")),
    "two passwords": envelope(token_xml().replace("<w:Nonce>", "<w:Password>x</w:Password><w:Nonce>")),
    "a digest where the password is wanted": envelope(digest_xml()),
    "a type that nobody knows": envelope(token_xml(kind="Other")),
    "no nonce": envelope(token_xml(nonce="")),
    "no time": envelope(token_xml(created="")),
    "an old time": envelope(token_xml(created=ago(seconds=301))),
    "a time in the future": envelope(token_xml(created=ago(seconds=-61))),
    "a time that is none": envelope(token_xml(created="yesterday")),
    "a time before all times": envelope(token_xml(created="0001-01-01T00:00:00+23:59")),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_message_with_a_bad_token_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        check(body)


BAD_DIGESTS = {
    "the password itself": envelope(token_xml()),
    "another password": envelope(digest_xml("x")),
    "another nonce": envelope(digest_xml().replace(NONCE, base64.b64encode(b"other").decode())),
    "another time": envelope(digest_xml().replace(NOW.isoformat(), ago(seconds=1))),
    "a nonce that is not base64": envelope(token_xml(password="x", kind="PasswordDigest", nonce="***")),
    "no nonce": envelope(token_xml(password="x", kind="PasswordDigest", nonce="")),
    "no time": envelope(token_xml(password="x", kind="PasswordDigest", created="")),
    "no password": envelope(token_xml(password="", kind="PasswordDigest")),
    "an old digest": envelope(digest_xml(created=ago(seconds=301))),
}


@pytest.mark.parametrize("body", BAD_DIGESTS.values(), ids=BAD_DIGESTS.keys())
def test_a_message_with_a_bad_digest_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        check(body, password_type="digest", reject_empty_nonce_creat=False)


def test_what_need_not_be_there_need_not_be_there() -> None:
    check(envelope(token_xml(nonce="", created="")), reject_empty_nonce_creat=False)
    check(envelope(token_xml(created=ago(days=9))), reject_stale_tokens=False)
    check(envelope(token_xml(created=ago(seconds=300))))
    check(envelope(token_xml(created=NOW.replace(tzinfo=None).isoformat() + "Z")))


# XPath


def xpath(**options: Any) -> Any:
    given = {"username": "ada", "password": "secret", "username_expr": "//user", "password_expr": "//a/@pw", **options}
    return make_verifier("xp", XPathOptions(**given))


def test_credentials_are_found_where_the_expressions_say() -> None:
    identity = xpath()(request("POST", b'<a pw="secret"><user> ada </user></a>'))
    assert (identity.username, identity.kind) == ("ada", "security-xpath")
    assert xpath(password_expr="")(request("POST", b"<a><user>ada</user></a>")).username == "ada"
    by_local_name = xpath(username_expr="string(//*[local-name()='user'])")
    assert by_local_name(request("POST", b'<a pw="secret"><user xmlns="urn:x">ada</user></a>')).username == "ada"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a",
        b"{}",
        b"<a/>",
        b"<a><user>ada</user></a>",
        b'<a pw="secret"/>',
        b'<a pw="wrong"><user>ada</user></a>',
        b'<a pw="secret"><user>root</user></a>',
        b'<a pw="secret"><user>ada</user><user>ada</user></a>',
        b'<a pw="secret"><user>root</user><user>ada</user></a>',
        b'<a pw="secret"><user>ada<b/></user></a>',
        b'<!DOCTYPE a [<!ENTITY e "ada">]><a pw="secret"><user>&e;</user></a>',
    ],
)
def test_a_body_with_wrong_credentials_is_refused(body: bytes) -> None:
    with pytest.raises(BadCredentials) as raised:
        xpath()(request("POST", body))
    assert raised.value.challenge == "zato-xpath"


@pytest.mark.parametrize("expression", ["1", "true()", "count(//user)", "//user/text() | //b", "id('x')", "unknown()"])
def test_an_expression_that_finds_no_text_finds_nobody(expression: str) -> None:
    with pytest.raises(BadCredentials):
        xpath(username_expr=expression)(request("POST", b'<a pw="secret"><user>ada</user><b>x</b></a>'))


@pytest.mark.parametrize("bad", [{"username_expr": ""}, {"username_expr": "//["}, {"password_expr": "x:("}, {"username": ""}])
def test_an_expression_that_is_none_is_refused_when_it_is_configured(bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'"):
        xpath(**bad)
