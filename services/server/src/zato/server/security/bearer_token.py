"""Tokens that we get from an OAuth 2 server, with our own credentials, and send to its APIs (RFC 6749, section 4.4)."""

import base64
import dataclasses
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import gevent

from zato.common.errors import Unavailable
from zato.common.kinds import Kind
from zato.common.logs import get_logger
from zato.common.options import option, options

log = get_logger(__name__)

_MOST_BYTES = 1024 * 1024
_DEFAULT_LIFETIME_S = 300.0
# A token is renewed before it expires, since the request that carries it takes its time too.
_MARGIN_S = 30.0
_MARGIN_SHARE = 0.1
# After a failure nobody asks again for so long: a server that is down is not helped by all our requests.
_AFTER_FAILURE_S = 1.0


@options
class BearerTokenOptions:
    """Our credentials at an OAuth 2 server; outgoing connections send the token that it gives for them."""

    auth_server_url: str = option("Address that gives tokens, e.g. https://login.example.com/oauth2/token")
    username: str = option("Our client id")
    password: str = option("Our client secret", secret=True)
    client_id_field: str = option("How the server names the client id", default="client_id")
    client_secret_field: str = option("How the server names the client secret", default="client_secret")
    grant_type: str = option("What is asked for", default="client_credentials")
    scopes: str = option("What the token shall be good for, separated by spaces or new lines", default="")
    extra_fields: str = option("More fields for the server, one name=value a line, e.g. audience=crm", default="")
    data_format: str = option("How the fields are sent", default="form", choices=("form", "json"))
    client_auth: str = option(
        "Where id and secret are sent: in the body, or by HTTP Basic Auth", default="body", choices=("body", "basic")
    )
    timeout: float = option("Seconds to wait for a token", default=10.0, minimum=0.1)

    def __post_init__(self) -> None:
        parts = urlsplit(self.auth_server_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.auth_server_url.isprintable():
            raise ValueError("'auth_server_url' takes an address that begins with https:// or http://")
        if parts.username or parts.password:
            raise ValueError("'auth_server_url' takes an address without credentials: these are 'username' and 'password'")
        if not self.username or not self.password:
            raise ValueError("'username' and 'password' must not be empty")
        if any("=" not in line for line in self.extra_fields.splitlines() if line.strip()):
            raise ValueError("'extra_fields' takes lines of name=value")

    @property
    def fields(self) -> dict[str, str]:
        """What is sent to the server, without id and secret."""
        extra = (line.partition("=") for line in self.extra_fields.splitlines() if line.strip())
        scopes = " ".join(self.scopes.split())
        return {
            "grant_type": self.grant_type,
            **({"scope": scopes} if scopes else {}),
            **{name.strip(): value.strip() for name, _, value in extra},
        }


KIND = Kind("security-bearer-token", "OAuth 2 bearer token", BearerTokenOptions)


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """`renew_at` is in seconds of the monotonic clock."""

    value: str = dataclasses.field(repr=False)
    renew_at: float


class TokenSource:
    """
    The token of one definition, fetched when it is needed and kept until shortly before it expires.

    However many greenlets need one at a time, one of them fetches it and the others wait for that.

    Args:
        fetch: Returns a new token with the seconds it is good for, or raises Unavailable.
    """

    def __init__(self, fetch: Callable[[], tuple[str, float]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failed_at = -math.inf
        self._failure = ""

    def current(self) -> str:
        """Return a token that is good now. Raises Unavailable when none can be had."""
        token = self._token
        if token is not None and time.monotonic() < token.renew_at:
            return token.value
        with self._lock:
            token = self._token
            if token is None or time.monotonic() >= token.renew_at:
                token = self._token = self._fetch_token()
            return token.value

    def refused(self, value: str) -> None:
        """The other side did not take this token, although it should be good still: have a new one fetched."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _fetch_token(self) -> Token:
        if time.monotonic() - self._failed_at < _AFTER_FAILURE_S:
            raise Unavailable(self._failure)
        try:
            value, lifetime_s = self._fetch()
        except Unavailable as exc:
            self._failed_at, self._failure = time.monotonic(), exc.message
            raise
        margin_s = min(_MARGIN_S, lifetime_s * _MARGIN_SHARE)
        return Token(value, time.monotonic() + lifetime_s - margin_s)


@lru_cache(256)
def token_source(name: str, definition: BearerTokenOptions) -> TokenSource:
    """Return the source that all connections of this worker with this definition share."""
    return TokenSource(lambda: fetch_token(name, definition))


def fetch_token(name: str, definition: BearerTokenOptions) -> tuple[str, float]:
    """
    Ask the server for a token. Return it with the seconds it is good for.

    Raises:
        Unavailable: There is none. What the server said is in the log only: it may tell of our credentials.
    """
    import urllib3

    body, headers = _request(definition)
    # Limits of the sockets are for each packet: a server that sends a byte a second would keep all who wait for ever.
    whole = gevent.Timeout(definition.timeout, TimeoutError("no whole answer in time"))
    try:
        with whole, urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=definition.timeout)) as pool:
            response = pool.request(
                "POST", definition.auth_server_url, body=body, headers=headers, preload_content=False, redirect=False
            )
            content = response.read(_MOST_BYTES)
            response.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as exc:
        log.warning("bearer_token_not_fetched", definition=name, error=type(exc).__name__)
        raise Unavailable(f"The server that gives tokens for '{name}' could not be reached") from exc
    token = _read(response.status, content)
    if token is None:
        log.warning("bearer_token_not_fetched", definition=name, status=response.status)
        raise Unavailable(f"The server that gives tokens for '{name}' gave none: it answered with status {response.status}")
    log.info("bearer_token_fetched", definition=name, lifetime_s=token[1])
    return token


def _request(definition: BearerTokenOptions) -> tuple[bytes, dict[str, str]]:
    fields = definition.fields
    headers = {"Accept": "application/json"}
    if definition.client_auth == "basic":
        # Each part is form-encoded first (RFC 6749, section 2.3.1).
        user, password = (urlencode({"": each})[1:] for each in (definition.username, definition.password))
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    else:
        fields |= {definition.client_id_field: definition.username, definition.client_secret_field: definition.password}
    if definition.data_format == "json":
        return json.dumps(fields).encode(), {**headers, "Content-Type": "application/json"}
    return urlencode(fields).encode(), {**headers, "Content-Type": "application/x-www-form-urlencoded"}


def _read(status: int, content: bytes) -> tuple[str, float] | None:
    if status >= 300:
        return None
    try:
        answer: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    value = answer.get("access_token") if isinstance(answer, Mapping) else None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        return None
    try:
        lifetime_s = float(answer.get("expires_in", _DEFAULT_LIFETIME_S))
    except (TypeError, ValueError):
        lifetime_s = _DEFAULT_LIFETIME_S
    return value, lifetime_s if math.isfinite(lifetime_s) and lifetime_s > 0 else _DEFAULT_LIFETIME_S
