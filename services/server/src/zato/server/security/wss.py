"""WS-Security's UsernameToken (profile 1.1): a user name and a password, or a digest of it, in the header of a SOAP message."""

import base64
import binascii
import dataclasses
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import digest, is_same
from zato.server.security.passwords import kept_secret
from zato.server.security.xml_credentials import has_only_text, parse_body, text_of

if TYPE_CHECKING:
    from zato.server.http.request import Request

_CHALLENGE = "zato-wss"
_DIGEST = "digest"
_MESSAGE = "The message needs a valid UsernameToken in its WS-Security header"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_SECURITY = f"{{{_OASIS}wssecurity-secext-1.0.xsd}}"
_UTILITY = f"{{{_OASIS}wssecurity-utility-1.0.xsd}}"
_TEXT_TYPE = f"{_OASIS}username-token-profile-1.0#PasswordText"
_DIGEST_TYPE = f"{_OASIS}username-token-profile-1.0#PasswordDigest"
_ENVELOPES = ("{http://schemas.xmlsoap.org/soap/envelope/}", "{http://www.w3.org/2003/05/soap-envelope}")
# Clocks differ: a message may say that it was made a little later than now.
_MOST_AHEAD_S = 60.0
_MOST_NONCE_BYTES = 256


@options
class WSSOptions:
    """A UsernameToken in the message's header; each nonce is accepted once in the whole cluster."""

    username: str = option("Name that the caller gives")
    password: str = option("Password that the caller gives; a random one that nobody knows when empty", default="", secret=True)
    password_type: str = option(
        "clear_text: the password itself; digest: SHA-1 of nonce, time and password",
        default="clear_text",
        choices=("clear_text", "digest"),
    )
    reject_empty_nonce_creat: bool = option("Whether a token has to have a nonce and the time it was made", default=True)
    reject_stale_tokens: bool = option("Whether a token that was made too long ago is refused", default=True)
    reject_expiry_limit: int = option("Seconds after which a token is too old", default=300, minimum=1, maximum=86400)
    nonce_freshness_time: int = option("Seconds that a nonce is remembered, at least", default=300, minimum=1, maximum=86400)

    def __post_init__(self) -> None:
        if not self.username:
            raise ValueError("'username' must not be empty")

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, password=kept_secret(self.password, stored.password if stored else ""))


KIND = Kind("security-wss", "WS-Security", WSSOptions)


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """What a message says; texts are "" where it says nothing."""

    username: str
    password: str = dataclasses.field(repr=False)
    password_type: str
    nonce: str
    created: str


class Refused(Exception):
    """Says, for the log, what is wrong with a token."""


def make_verifier(name: str, definition_id: int, definition: WSSOptions, context: SecurityContext) -> Verifier:
    identity = Identity(name, KIND.name, definition.username)
    purpose = f"wss:{definition_id}"

    def verify(request: "Request") -> Identity:
        try:
            token = read_token(request.body)
            check_token(token, definition, time.time())
            if token.nonce and not _is_first_use(context, purpose, token.nonce, definition):
                raise Refused("its nonce was used before")
        except Refused as exc:
            raise BadCredentials(_MESSAGE, _CHALLENGE, definition=name, reason=str(exc)) from None
        return identity

    return verify


def read_token(body: bytes) -> UsernameToken:
    """Raises Refused unless there is exactly one security header with exactly one token in it."""
    root = parse_body(body)
    if root is None:
        raise Refused("no acceptable XML")
    envelope = next((each for each in _ENVELOPES if root.tag == f"{each}Envelope"), None)
    if envelope is None:
        raise Refused("not a SOAP message")
    tokens = root.findall(f"{envelope}Header/{_SECURITY}Security/{_SECURITY}UsernameToken")
    if len(tokens) != 1:
        raise Refused(f"{len(tokens)} tokens, one was wanted")
    token = tokens[0]
    password = token.findall(f"{_SECURITY}Password")
    return UsernameToken(
        _text(token, f"{_SECURITY}Username"),
        # Spaces may be part of a password.
        (password[0].text or "") if len(password) == 1 and has_only_text(password[0]) else "",
        str(password[0].get("Type", _TEXT_TYPE)) if len(password) == 1 else "",
        _text(token, f"{_SECURITY}Nonce"),
        _text(token, f"{_UTILITY}Created"),
    )


def check_token(token: UsernameToken, definition: WSSOptions, now: float) -> None:
    """Raises Refused, with the reason, unless the token is the definition's and is fresh."""
    is_user = is_same(token.username.encode(), digest(definition.username.encode()))
    if not _is_password(token, definition) or not is_user:
        raise Refused("wrong user name or password, or a password of another type")
    if definition.reject_empty_nonce_creat and not (token.nonce and token.created):
        raise Refused("no nonce, or not the time it was made")
    if definition.reject_stale_tokens and token.created:
        age_s = now - _seconds(token.created)
        if age_s > definition.reject_expiry_limit:
            raise Refused("made too long ago")
        if age_s < -_MOST_AHEAD_S:
            raise Refused("made in the future")


def digest_of(nonce: str, created: str, password: str) -> str:
    """Return what a token of the type PasswordDigest has in the place of the password."""
    raw = _nonce_bytes(nonce)
    # SHA-1 is the profile's. As it is used here it is not known to be broken, yet clear_text over TLS is better.
    made = hashlib.sha1(raw + created.encode() + password.encode(), usedforsecurity=False)
    return base64.b64encode(made.digest()).decode()


def _is_password(token: UsernameToken, definition: WSSOptions) -> bool:
    if not definition.password:
        return False
    if definition.password_type == _DIGEST:
        if token.password_type != _DIGEST_TYPE or not token.nonce or not token.created:
            return False
        expected = digest_of(token.nonce, token.created, definition.password)
        return hmac.compare_digest(token.password.strip().encode(), expected.encode())
    return token.password_type == _TEXT_TYPE and is_same(token.password.encode(), digest(definition.password.encode()))


def _is_first_use(context: SecurityContext, purpose: str, nonce: str, definition: WSSOptions) -> bool:
    if len(nonce) > _MOST_NONCE_BYTES:
        raise Refused("its nonce is too long")
    # For as long as a token with this nonce could be accepted; without a limit to its age, as long as was asked for.
    seconds = max(definition.nonce_freshness_time, definition.reject_expiry_limit + _MOST_AHEAD_S)
    return context.is_first_use(purpose, _nonce_bytes(nonce), seconds)


def _nonce_bytes(nonce: str) -> bytes:
    """The bytes are what counts: several texts in base64 stand for the same ones."""
    try:
        return base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("its nonce is not base64") from None


def _text(token: Any, tag: str) -> str:
    return text_of(token.findall(tag))


def _seconds(created: str) -> float:
    """Return a time of XML Schema, e.g. 2026-11-24T09:00:00.123Z, in seconds since the epoch. Raises Refused."""
    try:
        made = datetime.fromisoformat(created)
        return (made if made.tzinfo is not None else made.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Refused("the time it was made cannot be read") from None
