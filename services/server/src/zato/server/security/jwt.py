"""JSON Web Tokens that this cluster issues: log in with a user name and a password, then send the token with each request."""

import dataclasses
import hashlib
import hmac
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from zato.common.errors import Unauthorized
from zato.common.kinds import Kind
from zato.common.logs import get_logger
from zato.common.options import option, options
from zato.server.control.state import ConfigObject
from zato.server.http.limit_options import definition_option, is_active_option, type_option
from zato.server.http.rate_limits import parse_rules
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import BadCredentials, Identity
from zato.server.security.headers import bearer_token, digest, is_same
from zato.server.security.log_in_throttle import LogInThrottle
from zato.server.security.passwords import impossible_hash, is_password, kept_as_hash
from zato.server.security.token_cache import TokenCache

if TYPE_CHECKING:
    from zato.server.http.request import Request

log = get_logger(__name__)

CHALLENGE = 'Bearer realm="zato"'
INVALID = f'{CHALLENGE}, error="invalid_token"'
_ALGORITHM = "HS256"
# Another server issued the token: its clock may be ahead of ours.
_LEEWAY_S = 60
_REQUIRED = ("exp", "iat", "iss", "sub", "jti")
_MESSAGE = "The request needs a valid bearer token: log in to get one"
_LOG_IN_REFUSED = "The user name or the password is wrong"


@options
class JWTOptions:
    """A user name and a password that give a token; the token is sent with each request until it expires."""

    username: str = option("Name that the caller logs in with")
    password: str = option(
        "Password that the caller logs in with, kept as a hash; a random one that nobody knows when empty",
        default="",
        secret=True,
    )
    ttl: int = option("Seconds a token lives after it was used last", default=3600, minimum=1, maximum=366 * 86400)
    max_lifetime: int = option(
        "Seconds a token lives at most, however often it is used", default=30 * 86400, minimum=1, maximum=10 * 366 * 86400
    )
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        parse_rules(self.rate_limit_def)
        if not self.username or not self.username.isprintable():
            raise ValueError("'username' takes printable text")

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, password=kept_as_hash(self.password, stored.password if stored else ""))


KIND = Kind("security-jwt", "JWT", JWTOptions, unique=("username",))


@dataclass(frozen=True, slots=True)
class _Token:
    token_id: str
    ends_at: float


class JWTAuthority:
    """
    Issues and checks the tokens of one definition.

    Their key is derived from the cluster's secret, the definition's id and its password: a token of one definition is
    none of another, and with a new password all tokens of the old one end.

    The newest of the cluster's secrets signs, older ones still verify.
    """

    def __init__(self, definition: ConfigObject, context: SecurityContext) -> None:
        self._name = definition.name
        self._options: JWTOptions = definition.options
        self._issuer = f"zato:{context.cluster}"
        self._sessions = context.sessions
        purpose = f"jwt:{context.cluster}:{definition.id}:{self._options.password}".encode()
        self._keys = [hmac.digest(secret.encode(), purpose, hashlib.sha256) for secret in context.secrets]
        self._cache: TokenCache[_Token] = TokenCache()
        self.identity = Identity(definition.name, KIND.name, self._options.username)

    def issue(self) -> str:
        """Return a new token. Raises Unavailable when its session can't be kept."""
        now = int(time.time())
        token_id = uuid.uuid4().hex
        claims = {
            "iss": self._issuer,
            "sub": self._options.username,
            "iat": now,
            "exp": now + self._options.max_lifetime,
            "jti": token_id,
        }
        self._sessions.open(token_id, self._options.ttl, username=self._options.username)
        return jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM)

    def __call__(self, request: "Request") -> Identity:
        """Verify a request. Raises BadCredentials, or Unavailable when it can't be told whether it is good."""
        encoded = bearer_token(request)
        if not encoded:
            raise self._refusal("no token, or more than one", CHALLENGE)
        token, reason = self._read(encoded)
        if token is None or not self._sessions.renew(token.token_id, self._options.ttl):
            raise self._refusal(reason or "logged out, or not used for too long", INVALID)
        return self.identity

    def log_out(self, encoded: str) -> bool:
        """End the session of a token. Return False, and end nothing, when it is no good token of this definition."""
        token, _ = self._read(encoded)
        return token is not None and self._sessions.close(token.token_id)

    def _read(self, encoded: str) -> tuple[_Token | None, str]:
        """Return the token, or None and what is wrong with it."""
        now = time.time()
        token = self._cache.get(encoded, now)
        if token is not None:
            return token, ""
        claims, reason = self._decode(encoded)
        if claims is None:
            return None, reason
        token = _Token(str(claims["jti"]), float(claims["exp"]))
        self._cache.put(encoded, token, token.ends_at)
        return token, ""

    def _decode(self, encoded: str) -> tuple[dict[str, Any] | None, str]:
        reason = "not a valid token"
        for key in self._keys:
            try:
                claims: dict[str, Any] = jwt.decode(
                    encoded,
                    key,
                    algorithms=[_ALGORITHM],
                    issuer=self._issuer,
                    leeway=_LEEWAY_S,
                    options={"require": list(_REQUIRED), "verify_aud": False},
                )
            except ExpiredSignatureError:
                return None, "expired"
            except (PyJWTError, ValueError, RecursionError) as exc:
                reason = f"not a valid token ({type(exc).__name__})"
                continue
            is_ours = is_same(str(claims["sub"]).encode(), digest(self._options.username.encode()))
            return (claims, "") if is_ours else (None, "of another user")
        return None, reason

    def _refusal(self, reason: str, challenge: str) -> BadCredentials:
        return BadCredentials(_MESSAGE, challenge, definition=self._name, reason=reason)


class LogIn:
    """
    Log-in and log-out of all definitions of one configuration.

    Args:
        authorities: The active definitions with their authorities.
        throttle: Slows down who guesses.
    """

    def __init__(self, authorities: Sequence[tuple[ConfigObject, JWTAuthority]], throttle: LogInThrottle) -> None:
        self._throttle = throttle
        self._by_username = {definition.options.username: (definition, authority) for definition, authority in authorities}

    def log_in(self, username: str, password: str, address: str) -> str:
        """
        Return a token.

        Args:
            address: The client's.

        Raises:
            TooManyRequests: Too many from there have failed.
            Unauthorized: There is no such user, or the password is another one. Both take the same time.
        """
        self._throttle.begin(username, address)
        found = self._by_username.get(username)
        is_right = is_password(password, found[0].options.password if found is not None else impossible_hash())
        if found is None or not is_right:
            # Not the name that was given: people type their password there, too.
            log.info("log_in_refused", definition=found[0].name if found is not None else "")
            raise Unauthorized(_LOG_IN_REFUSED, challenge=CHALLENGE)
        self._throttle.succeed(username, address)
        token = found[1].issue()
        log.info("logged_in", definition=found[0].name)
        return token

    def log_out(self, token: str) -> None:
        """Raises Unauthorized when it is the token of nobody who is logged in."""
        if not any(authority.log_out(token) for _, authority in self._by_username.values()):
            raise Unauthorized("The request has no valid bearer token", challenge=INVALID)
