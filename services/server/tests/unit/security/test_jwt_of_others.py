"""Tokens of another issuer: what is good, and one token for each way of being bad."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from zato.common.errors import Forbidden, Unauthorized, Unavailable
from zato.common.testing.waiting import eventually
from zato.server.security import jwks
from zato.server.security.definitions import BadCredentials
from zato.server.security.jwks import ALGORITHMS, FetchedKeys, Keys, is_safe_url, parse_keys
from zato.server.security.jwt_issuer import IssuerVerifier, JWTIssuerOptions

from .conftest import AUDIENCE, ISSUER, SigningKey, bearer, good_claims, key_set, request

KeyOf = Callable[[str], SigningKey]


def options(**others: Any) -> JWTIssuerOptions:
    return JWTIssuerOptions(**{"issuer": ISSUER, "audience": (AUDIENCE, "other-api"), **others})


def verifier(*keys: SigningKey, **others: Any) -> IssuerVerifier:
    algorithms = tuple(dict.fromkeys(key.algorithm for key in keys))
    return IssuerVerifier("idp", options(**{"jwks": key_set(*keys), "algorithms": algorithms, **others}))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_of_each_algorithm_lets_in(algorithm: str, keys: KeyOf) -> None:
    key = keys(f"{algorithm}-1")
    verify = verifier(key)
    for _ in range(2):
        identity = verify(bearer(key.sign()))
        assert (identity.definition, identity.kind, identity.username) == ("idp", "security-jwt-issuer", "ada")


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "an expiry that is no number": {"exp": "soon"},
    "an expiry that is endless": {"exp": float("inf")},
    "an expiry beyond all numbers": {"exp": 10**400, "sub": None},
    "a start that is endless": {"nbf": float("inf")},
    "a start that is text": {"nbf": "now"},
    "an issue time that is no number": {"iat": float("nan")},
    "not valid yet": {"nbf": time.time() + 3600},
    "issued in the future": {"iat": time.time() + 3600},
    "another issuer": {"iss": "https://evil.example.com/"},
    "an issuer that is longer": {"iss": ISSUER + "x"},
    "several issuers": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "crm-api"},
    "an audience that is longer": {"aud": AUDIENCE + "x"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience that is no text": {"aud": {"a": 1}},
    "no user": {"sub": None},
    "an empty user": {"sub": ""},
    "a user that is no text": {"sub": 7},
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_a_token_with_bad_claims_is_refused(claims: dict[str, Any], keys: KeyOf) -> None:
    key = keys("RS256-1")
    assert refused(verifier(key), raw_token(key, good_claims(**claims)))


@pytest.mark.parametrize("expiry", [10**400, 10**12, 9e99, "99999999999"], ids=lambda expiry: str(expiry)[:9])
def test_a_token_that_never_expires_is_good_or_not_but_breaks_nothing(expiry: Any, keys: KeyOf) -> None:
    key = keys("RS256-1")
    with contextlib.suppress(BadCredentials):
        assert verifier(key)(bearer(raw_token(key, good_claims(exp=expiry)))).username == "ada"


def test_a_token_for_several_audiences_is_good_when_one_is_ours(keys: KeyOf) -> None:
    key = keys("RS256-1")
    assert verifier(key)(bearer(key.sign(good_claims(aud=["x", AUDIENCE])))).username == "ada"


def part(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def raw_token(key: SigningKey, claims: Any, **header: Any) -> str:
    """Sign whatever is given: the library itself would not make most of these tokens."""
    head = {"alg": key.algorithm, "typ": "JWT", "kid": key.public_jwk["kid"], **header}
    signed = f"{part(head)}.{part(claims)}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{signed}.{part(algorithm.sign(signed.encode(), key.private))}"


def hmac_token(secret: bytes, **header: Any) -> str:
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', **header})}.{part(good_claims())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def refused(verify: IssuerVerifier, token: str) -> bool:
    with pytest.raises(BadCredentials) as raised:
        verify(bearer(token))
    assert raised.value.challenge.startswith('Bearer realm="zato"')
    assert raised.value.message == "The request needs a valid bearer token"
    assert raised.value.reason
    return True


def forged(key: SigningKey, other: SigningKey, foreign_type: SigningKey) -> dict[str, str]:
    """One token for each trick, by what it tries."""
    good = key.sign()
    head, claims, signature = good.split(".")
    jwk_bytes = json.dumps(key.public_jwk).encode()
    return {
        "alg none": f"{part({'alg': 'none', 'kid': key.public_jwk['kid']})}.{claims}.",
        "alg None": f"{part({'alg': 'None'})}.{claims}.",
        "alg none with a signature": f"{part({'alg': 'none'})}.{claims}.{signature}",
        "no alg": f"{part({'typ': 'JWT'})}.{claims}.{signature}",
        "alg that is a number": f"{part({'alg': 1})}.{claims}.{signature}",
        "alg that is a list": f"{part({'alg': ['RS256']})}.{claims}.{signature}",
        "the public key as an HMAC secret": hmac_token(key.public_pem),
        "the same, named": hmac_token(key.public_pem, kid=key.public_jwk["kid"]),
        "the key set's text as an HMAC secret": hmac_token(jwk_bytes, kid=key.public_jwk["kid"]),
        "an empty HMAC secret": hmac_token(b""),
        "a key of its own in the header": other.sign(kid=None, jwk=other.public_jwk),
        "an address of its own in the header": other.sign(jku="http://127.0.0.1:1/keys", kid=key.public_jwk["kid"]),
        "a certificate of its own in the header": other.sign(x5c=["AAAA"], kid=key.public_jwk["kid"]),
        "a key that is not the issuer's": other.sign(),
        "a key that is not the issuer's under the name of one": other.sign(kid=key.public_jwk["kid"]),
        "a path as key id": key.sign(kid="../../../../dev/null"),
        "a key id that is a number": raw_token(key, good_claims(), kid=1),
        "an empty key id with another key": other.sign(kid=""),
        "an algorithm that is not allowed": foreign_type.sign(),
        "a header that has to be understood": raw_token(key, good_claims(), crit=["x"], x=1),
        "a payload that is not encoded": raw_token(key, good_claims(), b64=False, crit=["b64"]),
        "another payload": f"{head}.{part(good_claims(sub='root'))}.{signature}",
        "another header": f"{part({'alg': 'RS256', 'x': 1})}.{claims}.{signature}",
        "no signature": f"{head}.{claims}.",
        "half a signature": f"{head}.{claims}.{signature[:100]}",
        "two parts": f"{head}.{claims}",
        "four parts": f"{good}.x",
        "five parts, as if encrypted": f"{good}.x.y",
        "claims that are a list": raw_token(key, [1]),
        "claims that are text": raw_token(key, "ada"),
        "claims that are not JSON": raw_token(key, b"\xff\xfe"),
        "a header that is a list": f"{part([1])}.{claims}.{signature}",
        "a header that is nested deeply": f"{part(b'[' * 3000)}.{claims}.{signature}",
        "claims that are nested deeply": raw_token(key, b'{"a":' * 500 + b"1" + b"}" * 500),
        "nothing but dots": "..",
        "not a token at all": "x",
    }


def test_no_trick_makes_a_token_good(keys: KeyOf) -> None:
    key, other = keys("RS256-1"), keys("RS256-2")
    verify = verifier(key)
    tokens = forged(key, other, keys("ES256-1"))
    let_in = []
    for trick, token in tokens.items():
        try:
            verify(bearer(token))
            let_in.append(trick)
        except BadCredentials:
            pass
    assert let_in == []
    assert verify(bearer(key.sign())).username == "ada"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer a b", "Bearer ü", "Basic eDp5", "Bearer a\tb"])
def test_without_a_token_there_is_no_word_of_a_wrong_one(value: str, keys: KeyOf) -> None:
    with pytest.raises(BadCredentials) as raised:
        verifier(keys("RS256-1"))(request("GET", b"", ("Authorization", value)))
    assert raised.value.challenge == 'Bearer realm="zato"'


def test_two_tokens_are_none(keys: KeyOf) -> None:
    token = f"Bearer {keys('RS256-1').sign()}"
    with pytest.raises(BadCredentials):
        verifier(keys("RS256-1"))(request("GET", b"", ("Authorization", token), ("Authorization", token)))


def test_a_token_without_a_key_id_is_good_only_where_there_is_one_key(keys: KeyOf) -> None:
    first, second = keys("RS256-1"), keys("RS256-2")
    token = first.sign(kid=None)
    assert verifier(first)(bearer(token)).username == "ada"
    assert verifier(first, keys("ES256-1"))(bearer(token)).username == "ada"
    assert refused(verifier(first, second), token)


def test_a_token_that_was_good_is_refused_once_it_has_expired(keys: KeyOf) -> None:
    key = keys("RS256-1")
    verify = verifier(key, leeway=0.0)
    token = key.sign(good_claims(exp=int(time.time()) + 2))
    assert verify(bearer(token)).username == "ada"

    def is_refused() -> bool:
        try:
            return not verify(bearer(token))
        except BadCredentials as exc:
            return exc.reason == "expired"

    eventually(is_refused, timeout_s=10, what="the token to expire")


def test_a_token_has_to_be_good_for_every_scope(keys: KeyOf) -> None:
    key = keys("RS256-1")
    verify = verifier(key, scopes=("orders:read", "orders:write"))
    assert verify(bearer(key.sign(good_claims(scope="orders:write x orders:read")))).username == "ada"
    assert verify(bearer(key.sign(good_claims(scp=["orders:write", "orders:read"])))).username == "ada"
    for scope in ("", "orders:read", "orders:readorders:write", 7, {"orders:read": 1}):
        with pytest.raises(Forbidden, match="orders:write"):
            verify(bearer(key.sign(good_claims(scope=scope))))


def test_who_it_is_can_be_in_another_claim(keys: KeyOf) -> None:
    key = keys("RS256-1")
    verify = verifier(key, username_claim="client_id")
    assert verify(bearer(key.sign(good_claims(client_id="crm", sub=None)))).username == "crm"


# Key sets


def test_keys_that_are_for_something_else_are_left_out(keys: KeyOf) -> None:
    good = keys("RS256-1").public_jwk
    entries: list[Any] = [
        {**good, "use": "enc"},
        {**good, "key_ops": ["sign"]},
        {**good, "key_ops": "verify"},
        {**good, "alg": "ES256"},
        {**good, "alg": "HS256"},
        {**good, "kty": "oct", "k": "AAAA"},
        {**good, "n": "AQAB"},
        {**good, "n": 7},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {},
        "key",
        None,
    ]
    assert parse_keys({"keys": entries}, ("RS256", "ES256")) == {}
    assert list(parse_keys({"keys": [*entries, good]}, ("RS256",))) == [("RS256-1", "RS256")]


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": [{}] * 201}, "keys"])
def test_what_is_no_key_set_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="key set"):
        parse_keys(document, ("RS256",))


@pytest.mark.parametrize(
    "bad",
    [
        {"jwks": "", "jwks_url": ""},
        {"jwks": '{"keys": []}'},
        {"jwks": "x"},
        {"jwks": "[" * 100_000},
        {"jwks": "", "jwks_url": "http://login.example.com/keys"},
        {"jwks": "", "jwks_url": "file:///etc/passwd"},
        {"jwks": "", "jwks_url": "https://"},
        {"issuer": ""},
        {"audience": ()},
        {"algorithms": ()},
        {"username_claim": ""},
        {"scopes": ('a"b',)},
        {"scopes": ("a b",)},
    ],
    ids=str,
)
def test_a_definition_that_would_let_strangers_in_is_refused(bad: dict[str, Any], keys: KeyOf) -> None:
    with pytest.raises(ValueError, match=r"'"):
        options(**{"jwks": key_set(keys("RS256-1")), **bad})


def test_both_keys_and_their_address_are_too_much(keys: KeyOf) -> None:
    with pytest.raises(ValueError, match="either"):
        options(jwks=key_set(keys("RS256-1")), jwks_url="https://login.example.com/keys")


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://login.example.com/keys", True),
        ("http://127.0.0.1:80/keys", True),
        ("http://localhost/keys", True),
        ("http://[::1]:80/keys", True),
        ("http://127.0.0.1.example.com/keys", False),
        ("http://login.example.com/keys", False),
        ("ftp://127.0.0.1/keys", False),
        ("https://[/", False),
        ("//127.0.0.1/keys", False),
    ],
)
def test_keys_come_encrypted_or_from_this_machine(url: str, is_safe: bool) -> None:
    assert is_safe_url(url) is is_safe


# Fetching


class Issuer:
    """Gives the keys it has now, or fails."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = keys
        self.asked = 0
        self.is_down = False

    def __call__(self) -> Keys:
        self.asked += 1
        if self.is_down:
            raise OSError("nobody there")
        return parse_keys(json.loads(key_set(*self.keys)), ("RS256",))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(jwks.time, "monotonic", lambda: now[0])
    return now


def test_a_new_key_is_found_but_strangers_cannot_have_them_fetched_all_the_time(keys: KeyOf, clock: list[float]) -> None:
    issuer = Issuer(keys("RS256-1"))
    fetched = FetchedKeys("idp", issuer, refresh_s=300)
    assert fetched.find("RS256-1", "RS256")
    assert fetched.find("RS256-1", "RS256")
    assert (issuer.asked, fetched.generation) == (1, 1)
    issuer.keys = (keys("RS256-1"), keys("RS256-2"))
    for _ in range(5):
        assert not fetched.find("RS256-2", "RS256")
    assert issuer.asked == 1
    clock[0] += 11
    assert fetched.find("RS256-2", "RS256")
    assert (issuer.asked, fetched.generation) == (2, 2)


def test_old_keys_go_on_while_the_issuer_is_down_but_not_for_ever(keys: KeyOf, clock: list[float]) -> None:
    issuer = Issuer(keys("RS256-1"))
    fetched = FetchedKeys("idp", issuer, refresh_s=300)
    assert fetched.find("RS256-1", "RS256")
    issuer.is_down = True
    clock[0] += 3600
    assert fetched.find("RS256-1", "RS256")
    assert issuer.asked == 2
    clock[0] += 24 * 3600
    with pytest.raises(Unavailable):
        fetched.find("RS256-1", "RS256")
    issuer.is_down = False
    clock[0] += 11
    assert fetched.find("RS256-1", "RS256")


def test_without_any_keys_nobody_can_tell_whether_a_token_is_good(keys: KeyOf) -> None:
    issuer = Issuer()
    issuer.is_down = True
    with pytest.raises(Unavailable):
        FetchedKeys("idp", issuer, refresh_s=300).find("RS256-1", "RS256")


def test_a_key_that_the_issuer_withdrew_is_refused_even_with_a_token_that_was_good(keys: KeyOf, clock: list[float]) -> None:
    issuer = Issuer(keys("RS256-1"))
    verify = IssuerVerifier("idp", options(jwks_url="https://login.example.com/keys"))
    verify._keys = FetchedKeys("idp", issuer, refresh_s=300)
    token = keys("RS256-1").sign()
    assert verify(bearer(token)).username == "ada"
    issuer.keys = (keys("RS256-2"),)
    clock[0] += 601
    verify._keys.find("RS256-2", "RS256")
    with pytest.raises(Unauthorized):
        verify(bearer(token))
