"""OAuth 1.0 (RFC 5849): requests that are signed with a secret which both sides know."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import credentials, digest, is_same
from zato.server.security.passwords import kept_secret

if TYPE_CHECKING:
    from zato.server.http.request import Request

_MESSAGE = "The request needs a valid OAuth 1.0 signature"
_CHALLENGE = 'OAuth realm="zato"'
_HMAC, _PLAIN = "HMAC-SHA1", "PLAINTEXT"
_FORM = "application/x-www-form-urlencoded"
# How far a request's time may be from ours, in either direction. A nonce is remembered for as long.
_WINDOW_S = 300.0
_MOST_NONCE_CHARACTERS = 256


@options
class OAuthOptions:
    """A key and a secret; each request is signed with the secret, which is not sent, and good once."""

    username: str = option("Key of the consumer, and of its token if it sends one")
    password: str = option("Secret of both; a random one that nobody knows when empty", default="", secret=True)
    sig_method: str = option(
        "How requests are signed; PLAINTEXT sends the secret, so it needs TLS", default=_HMAC, choices=(_HMAC, _PLAIN)
    )

    def __post_init__(self) -> None:
        if not self.username or not self.username.isprintable():
            raise ValueError("'username' takes printable text")

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, password=kept_secret(self.password, stored.password if stored else ""))


KIND = Kind("security-oauth", "OAuth 1.0", OAuthOptions, unique=("username",))


@dataclass(frozen=True, slots=True)
class _Signed:
    """What is signed, with the names that the library reads it by."""

    http_method: str
    uri: str
    params: list[tuple[str, str]] = dataclasses.field(repr=False)
    signature: str = dataclasses.field(repr=False)


class Refused(Exception):
    """Says, for the log, what is wrong with a request."""


def make_verifier(name: str, definition_id: int, definition: OAuthOptions, context: SecurityContext) -> Verifier:
    identity = Identity(name, KIND.name, definition.username)

    def verify(request: "Request") -> Identity:
        try:
            given = check_request(request, definition, time.time())
            nonce = f"{given.get('oauth_timestamp')}:{given.get('oauth_nonce')}"
            if "oauth_nonce" in given and not context.is_first_use(f"oauth:{definition_id}", nonce.encode(), 2 * _WINDOW_S):
                raise Refused("its nonce was used before")
        except Refused as exc:
            raise BadCredentials(_MESSAGE, _CHALLENGE, definition=name, reason=str(exc)) from None
        return identity

    return verify


def check_request(request: "Request", definition: OAuthOptions, now: float) -> Mapping[str, str]:
    """Return the parameters of the signature. Raises Refused unless it is the definition's, and fresh."""
    from oauthlib.oauth1.rfc5849 import signature

    header = credentials(request, "oauth")
    if not header:
        raise Refused("no credentials of the scheme OAuth, or more than one")
    try:
        own = signature.collect_parameters(headers={"Authorization": f"OAuth {header}"}, exclude_oauth_signature=False)
        given = dict(own)
        if len(given) != len(own):
            raise Refused("a parameter is there twice")
        is_good = _is_signed(request, header, given, definition)
    except (ValueError, TypeError, AttributeError):
        raise Refused("the request cannot be read as a signed one") from None
    _check_parameters(given, definition, now)
    if not is_good or not definition.password:
        raise Refused("wrong signature")
    return given


def _check_parameters(given: Mapping[str, str], definition: OAuthOptions, now: float) -> None:
    expected = digest(definition.username.encode())
    if not is_same(given.get("oauth_consumer_key", "").encode(), expected):
        raise Refused("another consumer")
    if given.get("oauth_token") and not is_same(given["oauth_token"].encode(), expected):
        raise Refused("another token")
    if given.get("oauth_signature_method") != definition.sig_method or given.get("oauth_version", "1.0") != "1.0":
        raise Refused("signed in another way")
    is_dated = "oauth_timestamp" in given or "oauth_nonce" in given
    if not is_dated and definition.sig_method == _PLAIN:
        return
    timestamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
    if not nonce or len(nonce) > _MOST_NONCE_CHARACTERS or not timestamp.isascii() or not timestamp.isdigit():
        raise Refused("no nonce, or not the time it was made")
    if len(timestamp) > 15 or abs(now - int(timestamp)) > _WINDOW_S:
        raise Refused("made too long ago, or in the future")


def _is_signed(request: "Request", header: str, given: Mapping[str, str], definition: OAuthOptions) -> bool:
    from oauthlib.oauth1.rfc5849 import signature

    is_form = request.header(b"content-type").partition(";")[0].strip().lower() == _FORM
    params = signature.collect_parameters(
        uri_query=request.query,
        body=request.body.decode() if is_form else None,
        headers={"Authorization": f"OAuth {header}"},
    )
    signed = _Signed(request.method, _url(request), params, given.get("oauth_signature", ""))
    token_secret = definition.password if given.get("oauth_token") else None
    check: Callable[..., Any] = signature.verify_hmac_sha1 if definition.sig_method == _HMAC else signature.verify_plaintext
    return bool(check(signed, definition.password, token_secret))


def _url(request: "Request") -> str:
    """The address as the client saw it: behind a load-balancer only that knows whether it was https."""
    is_https = request.is_from_proxy and request.header(b"x-forwarded-proto").strip().lower() == "https"
    return f"{'https' if is_https else 'http'}://{request.header(b'host')}{request.path}"
