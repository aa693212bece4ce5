"""Whatever anybody sends to any definition, it is refused: nothing breaks, and nobody gets in."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zato.common.errors import Forbidden
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import HTTPChannelOptions
from zato.server.http.request import Request
from zato.server.security.api_key import APIKeyOptions
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import BadCredentials, Verifier
from zato.server.security.gate import Gate
from zato.server.security.jwt import JWTOptions
from zato.server.security.jwt_issuer import IssuerVerifier, JWTIssuerOptions
from zato.server.security.oauth import OAuthOptions
from zato.server.security.passwords import hash_password
from zato.server.security.tech_account import TechAccountOptions
from zato.server.security.tls_channel import TLSChannelOptions
from zato.server.security.wss import WSSOptions
from zato.server.security.xpath import XPathOptions

from .conftest import AUDIENCE, ISSUER, good_claims, key_set, make_key
from .test_jwt_of_others import raw_token
from .test_wss import envelope, token_xml

KEY = make_key("ES256", "ES256-fuzz")
HASH = hash_password("never sent")
ISSUER_OPTIONS = JWTIssuerOptions(issuer=ISSUER, audience=(AUDIENCE,), jwks=key_set(KEY), algorithms=("ES256",))
OPTIONS: dict[str, Any] = {
    "basic-auth": BasicAuthOptions(username="u", password="never sent"),
    "api-key": APIKeyOptions(key="never sent"),
    "jwt": JWTOptions(username="u", password=HASH),
    "jwt-issuer": ISSUER_OPTIONS,
    "oauth": OAuthOptions(username="u", password="never sent"),
    "tech-account": TechAccountOptions(password=HASH),
    "tls-channel": TLSChannelOptions(value="CN=never sent"),
    "wss": WSSOptions(username="u", password="never sent"),
    "xpath": XPathOptions(username="never sent", username_expr="//user"),
}


def verifiers() -> list[Verifier]:
    numbered = enumerate(OPTIONS.items())
    made = [ConfigObject(number, f"security-{kind}", kind, True, 1, options) for number, (kind, options) in numbered]
    context = SecurityContext.connect("test", ["secret"], "redis://127.0.0.1:1/0")
    gate = Gate(context).follow(Configuration(1, {each.id: each for each in made}))
    guards = [gate.guard(HTTPChannelOptions(url_path="/a", service="s", security=kind)) for kind in OPTIONS]
    return [verify for verify in guards if verify is not None]


VERIFIERS = verifiers()
LOOSE = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

names = st.sampled_from(
    [b"authorization", b"x-api-key", b"x-zato-user", b"x-zato-password", b"x-zato-tls-cn", b"host", b"content-type"]
)
schemes = st.sampled_from([b"Basic ", b"Bearer ", b"OAuth ", b"basic\t", b"Bearer  ", b"", b"OAuth oauth_consumer_key="])
values = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(base64.b64encode),
    st.text(max_size=30).map(lambda text: base64.b64encode(text.encode("utf-8", "replace"))),
    st.from_regex(rb'\A(oauth_[a-z_]{1,20}="[^"\n]{0,9}"(, )?){0,5}\Z'),
    st.from_regex(rb"\A[A-Za-z0-9_=-]{0,30}\.[A-Za-z0-9_=-]{0,30}\.[A-Za-z0-9_=-]{0,30}\Z"),
)
headers = st.lists(st.tuples(names, st.builds(lambda scheme, value: scheme + value, schemes, values)), max_size=4)
bodies = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="<>/&;!user'\"= []-?\n", max_size=40).map(str.encode),
    st.builds(
        lambda username, nonce, created: envelope(token_xml(username, "x", nonce=nonce, created=created)),
        *[st.text(alphabet="aZ09+/=-:T.é ", max_size=20)] * 3,
    ),
)


def test_every_kind_that_a_channel_can_name_is_here() -> None:
    assert len(VERIFIERS) == len(OPTIONS) == 9


@LOOSE
@given(headers=headers, body=bodies, method=st.sampled_from(["GET", "POST"]), is_from_proxy=st.booleans())
def test_anything_is_refused(headers: list[tuple[bytes, bytes]], body: bytes, method: str, *, is_from_proxy: bool) -> None:
    request = Request(method, "/a?x=1", headers, body, cid="c")
    request.is_from_proxy = is_from_proxy
    for verify in VERIFIERS:
        with pytest.raises(BadCredentials) as raised:
            verify(request)
        assert raised.value.challenge
        assert raised.value.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
claim_names = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope", "scp"])
header_names = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "cty", "zip", "enc"])


@LOOSE
@given(
    claims=st.dictionaries(claim_names, json_values, max_size=3), header=st.dictionaries(header_names, json_values, max_size=2)
)
def test_a_token_with_anything_in_it_is_good_or_refused(claims: dict[str, Any], header: dict[str, Any]) -> None:
    verify = IssuerVerifier("idp", ISSUER_OPTIONS)
    token = raw_token(KEY, {**good_claims(), **claims}, **{name: value for name, value in header.items() if value is not None})
    try:
        identity = verify(Request("GET", "/a", [(b"authorization", f"Bearer {token}".encode())], b"", cid="c"))
    except (BadCredentials, Forbidden):
        return
    assert identity.username == claims.get("sub", "ada")
    assert claims.get("iss", ISSUER) == ISSUER
    assert json.dumps(claims.get("aud", AUDIENCE)).find(AUDIENCE) >= 0
