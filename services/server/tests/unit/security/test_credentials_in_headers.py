"""Basic auth, API keys, technical accounts and client certificates: every wrong credential is refused in the same way."""

import base64
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.lock import BoundedSemaphore

from zato.common.errors import Unauthorized, Unavailable
from zato.server.http.request import Request
from zato.server.security import api_key, basic_auth, passwords, tech_account, tls_channel
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.definitions import BadCredentials
from zato.server.security.headers import quoted
from zato.server.security.passwords import PasswordCheck, hash_password, is_password, kept_as_hash

from .conftest import basic, request

PASSWORD = "pa:ss wörd"
HASH = hash_password(PASSWORD)


def header(name: str, value: str) -> Request:
    return request("GET", b"", (name, value))


def basic_verifier(**options: Any) -> Callable[[Request], Any]:
    return basic_auth.make_verifier(
        "def", BasicAuthOptions(**{"username": "adą", "password": PASSWORD, "realm": "R", **options})
    )


PLAIN = basic_verifier()
HASHED = basic_verifier(password=HASH, storage="hashed")
KEY = api_key.make_verifier("def", api_key.APIKeyOptions(header="X-Key", key="kéy"))
ACCOUNT = tech_account.make_verifier("acc", tech_account.TechAccountOptions(password=HASH))
CERTIFICATE = tls_channel.make_verifier("tls", tls_channel.TLSChannelOptions(value="CN=billing\n\nfingerprint=AA:BB"))
CERTIFICATE_HEADERS = (("X-Zato-TLS-CN", "billing"), ("X-Zato-TLS-Fingerprint", "AA:BB"))


@pytest.mark.parametrize("verify", [PLAIN, HASHED])
def test_the_right_password_lets_in_whatever_is_in_it(verify: Callable[[Request], Any]) -> None:
    for _ in range(2):
        identity = verify(basic(f"adą:{PASSWORD}"))
        assert (identity.definition, identity.kind, identity.username) == ("def", "security-basic-auth", "adą")


def test_clients_that_send_latin_1_are_understood() -> None:
    verify = basic_verifier(username="ö")
    assert verify(basic(f"ö:{PASSWORD}")) == verify(basic(f"ö:{PASSWORD}".encode("latin-1")))


RIGHT = base64.b64encode(f"adą:{PASSWORD}".encode()).decode()
WRONG_BASIC = [
    request(),
    header("Authorization", ""),
    header("Authorization", "Basic"),
    header("Authorization", "Basic "),
    header("Authorization", "Basic ***"),
    header("Authorization", "Basic \xff\xfe"),
    header("Authorization", RIGHT),
    header("Authorization", f"Bearer {RIGHT}"),
    header("Authorization", f"Basic{RIGHT}"),
    header("Authorization", f"Basic {RIGHT} {RIGHT}"),
    header("Authorization", f"Basic {RIGHT}, Basic {RIGHT}"),
    header("Authorization", "Basic " + "A" * 8000),
    header("Proxy-Authorization", f"Basic {RIGHT}"),
    basic(""),
    basic(":"),
    basic("adą"),
    basic("adą:"),
    basic(f":{PASSWORD}"),
    basic(f"ADĄ:{PASSWORD}"),
    basic("adą:pa"),
    basic(f"adą:{PASSWORD} "),
    basic(f" adą:{PASSWORD}"),
    basic(f"adą:{PASSWORD}\0"),
    basic(f"adą:{HASH}"),
    basic(f"nobody:{PASSWORD}"),
    basic(b"\xff\xfe:\xff"),
    # Which of two counts, one before us may see otherwise.
    request("GET", b"", ("Authorization", f"Basic {RIGHT}"), ("Authorization", f"Basic {RIGHT}")),
    request("GET", b"", ("Authorization", f"Basic {RIGHT}"), ("Authorization", "Basic eDp5")),
]
WRONG_KEYS = [
    request(),
    header("X-Key", ""),
    header("X-Key", "key"),
    header("X-Key", "ké"),
    header("X-Key", "kéyé"),
    header("X-API-Key", "k\xc3\xa9y"),
    request("GET", b"", ("X-Key", "k\xc3\xa9y"), ("X-Key", "k\xc3\xa9y")),
]
WRONG_ACCOUNTS = [
    request(),
    header("X-Zato-User", "acc"),
    header("X-Zato-Password", PASSWORD),
    request("GET", b"", ("X-Zato-User", "acc"), ("X-Zato-Password", "x")),
    request("GET", b"", ("X-Zato-User", "acc"), ("X-Zato-Password", HASH)),
    request("GET", b"", ("X-Zato-User", "other"), ("X-Zato-Password", PASSWORD.encode().decode("latin-1"))),
    request("GET", b"", ("X-Zato-User", "acc"), ("X-Zato-User", "acc"), ("X-Zato-Password", PASSWORD)),
]
WRONG_CERTIFICATES = [
    request(),
    request("GET", b"", *CERTIFICATE_HEADERS),
    request("GET", b"", *CERTIFICATE_HEADERS[:1], is_from_proxy=True),
    request("GET", b"", ("X-Zato-TLS-CN", "billing"), ("X-Zato-TLS-Fingerprint", "CC"), is_from_proxy=True),
    request("GET", b"", *CERTIFICATE_HEADERS, ("X-Zato-TLS-CN", "other"), is_from_proxy=True),
]


@pytest.mark.parametrize(
    ("verify", "wrong", "challenge"),
    [
        (PLAIN, WRONG_BASIC, 'Basic realm="R", charset="UTF-8"'),
        (HASHED, WRONG_BASIC, 'Basic realm="R", charset="UTF-8"'),
        (KEY, WRONG_KEYS, 'zato-apikey header="X-Key"'),
        (ACCOUNT, WRONG_ACCOUNTS, "zato-tech-acc"),
        (CERTIFICATE, WRONG_CERTIFICATES, "zato-tls-channel-sec"),
    ],
    ids=["plain", "hashed", "key", "account", "certificate"],
)
def test_all_wrong_credentials_get_one_and_the_same_answer(
    verify: Callable[[Request], Any], wrong: list[Request], challenge: str
) -> None:
    answers = set()
    for made in wrong:
        with pytest.raises(BadCredentials) as raised:
            verify(made)
        answers.add((raised.value.message, raised.value.challenge))
        assert PASSWORD not in repr(raised.value) + raised.value.reason
    assert len(answers) == 1
    assert answers.pop()[1] == challenge


def test_the_right_key_account_and_certificate_let_in() -> None:
    assert KEY(header("x-key", "k\xc3\xa9y")).username == "X-Key"
    password = PASSWORD.encode().decode("latin-1")
    assert ACCOUNT(request("GET", b"", ("X-Zato-User", "acc"), ("X-Zato-Password", password))).username == "acc"
    assert CERTIFICATE(request("GET", b"", *CERTIFICATE_HEADERS, is_from_proxy=True)).username == "billing"


@pytest.mark.parametrize("verify", [basic_verifier(password=""), api_key.make_verifier("d", api_key.APIKeyOptions())])
def test_a_definition_without_a_secret_lets_nobody_in(verify: Callable[[Request], Any]) -> None:
    for made in (request(), basic("adą:"), header("X-API-Key", "")):
        with pytest.raises(Unauthorized):
            verify(made)


def test_a_realm_can_neither_end_its_quotes_nor_its_header() -> None:
    verify = basic_verifier(realm='a"b\\ż')
    with pytest.raises(Unauthorized) as raised:
        verify(request())
    assert raised.value.challenge == 'Basic realm="a\\"b\\\\' + "ż".encode().decode("latin-1") + '", charset="UTF-8"'
    with pytest.raises(ValueError, match="printable"):
        basic_verifier(realm="a\r\nSet-Cookie: b")
    assert quoted("a") == '"a"'


@pytest.mark.parametrize("value", ["", "\n", "CN", "CN=", "=x", "C N=x", "CN: x"])
def test_a_certificate_needs_fields_that_headers_can_carry(value: str) -> None:
    with pytest.raises(ValueError, match="field=value"):
        tls_channel.TLSChannelOptions(value=value)


# How passwords are kept


def test_a_hash_is_salted_and_only_its_password_fits() -> None:
    assert hash_password("x") != hash_password("x")
    assert hash_password("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_password(PASSWORD, HASH)
    assert not is_password("x", HASH)
    assert not is_password("x", "no hash")


def test_a_password_that_was_given_again_is_kept_as_it_is() -> None:
    assert kept_as_hash(PASSWORD, HASH) == HASH
    assert kept_as_hash(HASH, HASH) == HASH
    assert is_password("new", kept_as_hash("new", HASH))
    # A password may look like a hash: it is none because of that.
    other = hash_password("other")
    assert is_password(other, kept_as_hash(other, HASH))
    assert not is_password("other", kept_as_hash(other, HASH))


def test_a_right_password_is_remembered_and_so_is_a_wrong_one_and_neither_as_text() -> None:
    check = PasswordCheck(HASH)
    assert [check.is_right(each.encode()) for each in (PASSWORD, PASSWORD, "guess", "guess", PASSWORD)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    kept = repr(vars(check))
    assert "guess" not in kept
    assert "wörd" not in kept


def test_others_have_their_turn_while_a_password_is_checked() -> None:
    seen = []
    other = gevent.spawn(lambda: seen.append("turn"))
    is_password("x", HASH)
    assert seen == ["turn"]
    other.join()


def test_too_many_passwords_at_a_time_are_refused_instead_of_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = BoundedSemaphore(1)
    monkeypatch.setattr(passwords, "_waiting", lambda: busy)
    assert is_password(PASSWORD, HASH)
    busy.acquire()
    with pytest.raises(Unavailable, match="try again"):
        is_password(PASSWORD, HASH)


def test_a_definition_keeps_what_its_storage_says() -> None:
    given = BasicAuthOptions(username="u", password="p")
    assert given.stored_after(None) == given
    hashed = BasicAuthOptions(username="u", password="p", storage="hashed").stored_after(given)
    assert is_password("p", hashed.password)
    assert hashed.stored_after(hashed) == hashed
    with pytest.raises(ValueError, match="given anew"):
        BasicAuthOptions(username="u", password=hashed.password).stored_after(hashed)
    assert BasicAuthOptions(username="u", password="q").stored_after(hashed).password == "q"


@pytest.mark.parametrize("options", [BasicAuthOptions(username="u"), BasicAuthOptions(username="u", storage="hashed")])
def test_without_a_password_there_is_one_that_nobody_knows(options: BasicAuthOptions) -> None:
    first, second = options.stored_after(None), options.stored_after(None)
    assert first.password != second.password
    assert len(first.password) > 40


def test_an_empty_password_in_an_edit_keeps_the_one_there_is() -> None:
    plain = BasicAuthOptions(username="u", password="p")
    assert BasicAuthOptions(username="v").stored_after(plain).password == "p"
    hashed = BasicAuthOptions(username="u", storage="hashed").stored_after(plain)
    assert is_password("p", hashed.password)
    assert BasicAuthOptions(username="v", storage="hashed").stored_after(hashed).password == hashed.password
    with pytest.raises(ValueError, match="given anew"):
        BasicAuthOptions(username="u").stored_after(hashed)
    assert api_key.APIKeyOptions().stored_after(api_key.APIKeyOptions(key="k")).key == "k"


def test_no_secret_is_shown() -> None:
    for made in (BasicAuthOptions(username="u", password="hush"), api_key.APIKeyOptions(key="hush")):
        assert "hush" not in repr(made)
