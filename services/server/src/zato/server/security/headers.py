"""Credentials in HTTP headers: how they are read, compared, and asked for."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zato.server.http.request import Request

_AUTHORIZATION = b"authorization"
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Digests are made with a key that only this process has, so what is kept of credentials is of no use elsewhere.
_DIGEST_KEY = os.urandom(32)


def is_header_name(text: str) -> bool:
    return _HEADER_NAME.fullmatch(text) is not None


def single_header(request: "Request", name: bytes) -> bytes:
    """
    Return the value of the one header of that name (lower case); b"" when there is none, or more than one.

    Of two, a proxy before us may have checked the other one.
    """
    values = [value for key, value in request.headers if key == name]
    return values[0] if len(values) == 1 else b""


def credentials(request: "Request", scheme: str) -> str:
    """Return what follows the scheme in the Authorization header; "" when there is none of this scheme."""
    given, _, value = single_header(request, _AUTHORIZATION).decode("latin-1").partition(" ")
    return value.strip() if given.lower() == scheme else ""


def basic_credentials(request: "Request") -> bytes:
    """Return "user:password" as it was sent, or b""."""
    try:
        return base64.b64decode(credentials(request, "basic"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def bearer_token(request: "Request") -> str:
    value = credentials(request, "bearer")
    return value if _TOKEN.fullmatch(value) else ""


def digest(secret: bytes) -> bytes:
    """Return what is kept, and compared, instead of a secret. All digests are of one length: times tell nothing."""
    return hashlib.blake2b(secret, key=_DIGEST_KEY, digest_size=32).digest()


def is_same(given: bytes, expected_digest: bytes) -> bool:
    """Compare what a client gave with a `digest`, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest(given), expected_digest)


def quoted(text: str) -> str:
    """Return a quoted string for a header (RFC 9110, section 5.6.4); what is not ASCII goes out as UTF-8."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode().decode("latin-1")
