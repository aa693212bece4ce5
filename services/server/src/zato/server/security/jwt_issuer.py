"""Tokens (JWT) of another issuer, an identity provider for one: it signs with its private key, we check with the public one."""

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jwt
from jwt.exceptions import ExpiredSignatureError, ImmatureSignatureError, InvalidAudienceError, InvalidIssuerError, PyJWTError

from zato.common.errors import Forbidden
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import bearer_token
from zato.server.security.jwks import ALGORITHMS, FetchedKeys, FixedKeys, Keys, is_safe_url, make_fetch, parse_keys
from zato.server.security.jwt import CHALLENGE, INVALID
from zato.server.security.token_cache import TokenCache

if TYPE_CHECKING:
    from zato.server.http.request import Request

_MESSAGE = "The request needs a valid bearer token"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# What was found out about a token holds for so long, though its keys or our clock may change.
_CACHE_S = 60
_REASONS: Mapping[type[Exception], str] = {
    ExpiredSignatureError: "expired",
    ImmatureSignatureError: "not valid yet",
    InvalidIssuerError: "of another issuer",
    InvalidAudienceError: "for another audience",
}


@options
class JWTIssuerOptions:
    """Tokens that an identity provider issued, e.g. one of OpenID Connect or OAuth 2."""

    issuer: str = option("The issuer's name, exactly as its tokens have it in 'iss'")
    audience: tuple[str, ...] = option("Names of ours; a token has to be for one of them ('aud')")
    jwks_url: str = option("Address of the issuer's public keys; https, or http on this machine", default="")
    jwks: str = option('The public keys themselves, as {"keys": […]}, where there is no address', default="")
    algorithms: tuple[str, ...] = option("Algorithms that tokens may be signed with", default=("RS256",), choices=ALGORITHMS)
    scopes: tuple[str, ...] = option("What a token has to be good for, all of these ('scope' or 'scp')", default=())
    username_claim: str = option("Claim that says who it is", default="sub")
    leeway: float = option("Seconds that clocks may differ", default=30.0, minimum=0.0, maximum=600.0)
    refresh: float = option("Seconds after which keys are fetched again", default=300.0, minimum=1.0, maximum=86400.0)

    def __post_init__(self) -> None:
        for name in ("issuer", "audience", "algorithms", "username_claim"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' must not be empty")
        if bool(self.jwks_url) == bool(self.jwks):
            raise ValueError("either 'jwks_url' or 'jwks' has to say which keys the issuer signs with")
        if self.jwks_url and not is_safe_url(self.jwks_url):
            raise ValueError(f"'jwks_url' takes an address that begins with https://, not {self.jwks_url!r:.120}")
        if not all(_SCOPE.fullmatch(scope) for scope in self.scopes):
            raise ValueError("'scopes' takes names in ASCII, without spaces and quotes")
        if self.jwks and not self.fixed_keys:
            raise ValueError(f"'jwks' has no key that can check signatures by {', '.join(self.algorithms)}")

    @property
    def fixed_keys(self) -> Keys:
        """Raises ValueError when 'jwks' is no key set."""
        try:
            return parse_keys(json.loads(self.jwks), self.algorithms)
        except (ValueError, RecursionError):
            raise ValueError("'jwks' takes a key set in JSON: {\"keys\": […]}") from None


KIND = Kind("security-jwt-issuer", "JWT of another issuer", JWTIssuerOptions)


def make_verifier(name: str, definition: JWTIssuerOptions) -> Verifier:
    return IssuerVerifier(name, definition)


class IssuerVerifier:
    def __init__(self, name: str, definition: JWTIssuerOptions) -> None:
        self._name = name
        self._options = definition
        self._keys = _keys(name, definition)
        self._cache: TokenCache[tuple[int, Identity]] = TokenCache()

    def __call__(self, request: "Request") -> Identity:
        encoded = bearer_token(request)
        if not encoded:
            raise self._refusal("no token, or more than one", CHALLENGE)
        if isinstance(self._keys, FetchedKeys):
            self._keys.refresh_if_old()
        now = time.time()
        known = self._cache.get(encoded, now)
        if known is not None and known[0] == self._keys.generation:
            return known[1]
        claims = self._check(encoded)
        self._check_scopes(claims)
        identity = Identity(self._name, KIND.name, self._username(claims))
        # Compared as whole numbers: those of JSON can be larger than any float.
        expires_at = min(int(claims["exp"]), int(now) + 2 * _CACHE_S)
        ends_at = min(now + _CACHE_S, expires_at + self._options.leeway)
        self._cache.put(encoded, (self._keys.generation, identity), ends_at)
        return identity

    def _check(self, encoded: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(encoded)
        except (PyJWTError, ValueError, RecursionError) as exc:
            raise self._refusal(f"not a token ({type(exc).__name__})") from None
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in self._options.algorithms:
            raise self._refusal("signed by an algorithm that is not allowed")
        if "crit" in header:
            raise self._refusal("its header has extensions that have to be understood")
        reason = "signed with a key that the issuer does not have"
        for key in self._keys.find(key_id if isinstance(key_id, str) else "", algorithm):
            try:
                return self._decode(encoded, key)
            except (PyJWTError, ValueError, TypeError, RecursionError) as exc:
                reason = _REASONS.get(type(exc), f"not valid ({type(exc).__name__})")
        raise self._refusal(reason)

    def _decode(self, encoded: str, key: Any) -> dict[str, Any]:
        decoded: dict[str, Any] = jwt.decode(
            encoded,
            key,
            # The one that the key is for, not the one that the token names.
            algorithms=[key.algorithm_name],
            issuer=self._options.issuer,
            audience=list(self._options.audience),
            leeway=self._options.leeway,
            options={"require": ["exp", "iss", "aud"]},
        )
        return decoded

    def _check_scopes(self, claims: Mapping[str, Any]) -> None:
        given = claims.get("scope", claims.get("scp", ""))
        names = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
        missing = [scope for scope in self._options.scopes if scope not in names]
        if missing:
            raise Forbidden(f"The token is not good for this: it lacks {', '.join(missing)}")

    def _username(self, claims: Mapping[str, Any]) -> str:
        value = claims.get(self._options.username_claim)
        if not isinstance(value, str) or not value:
            raise self._refusal("does not say who it is")
        return value

    def _refusal(self, reason: str, challenge: str = INVALID) -> BadCredentials:
        return BadCredentials(_MESSAGE, challenge, definition=self._name, reason=reason)


def _keys(name: str, definition: JWTIssuerOptions) -> FixedKeys | FetchedKeys:
    if definition.jwks:
        return FixedKeys(definition.fixed_keys)
    return FetchedKeys(name, make_fetch(definition.jwks_url, definition.algorithms), definition.refresh)
