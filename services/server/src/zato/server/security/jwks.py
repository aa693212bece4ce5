"""The public keys of an issuer of tokens (RFC 7517): given inline, or fetched from its address and kept up to date."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from zato.common.errors import Unavailable
from zato.common.logs import get_logger

log = get_logger(__name__)

# What each type of key may sign with. No symmetric one is here: who can check such a signature can also make one.
_SUITABLE: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC P-256": ("ES256",),
    "EC P-384": ("ES384",),
    "EC P-521": ("ES512",),
    "OKP Ed25519": ("EdDSA",),
}
ALGORITHMS = tuple(algorithm for algorithms in _SUITABLE.values() for algorithm in algorithms)
_LEAST_RSA_BITS = 2048
_MOST_BYTES = 1024 * 1024
_MOST_KEYS = 200
_FETCH_TIMEOUT_S = 5.0
# A token signed with a key that we don't know makes us look for new ones, but strangers can't make us look all the time.
_FETCH_AGAIN_S = 10.0
# What a request waits at most for keys that are being fetched.
_WAIT_S = 2.0
# An issuer that can't be reached for so long may have withdrawn its keys meanwhile.
_LONGEST_USE_S = 24 * 3600.0

# By (key id, algorithm); a key without an id has "".
Keys = Mapping[tuple[str, str], Sequence[PyJWK]]


def parse_keys(document: Any, algorithms: Sequence[str]) -> Keys:
    """
    Return the keys of a key set that can check signatures of `algorithms`.

    Keys for other purposes, of other types and too short ones are left out.

    Raises:
        ValueError: It is no key set.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise ValueError(f'a key set, {{"keys": […]}}, of up to {_MOST_KEYS} keys')
    found: dict[tuple[str, str], list[PyJWK]] = {}
    for entry in entries:
        for algorithm in _algorithms_of(entry):
            if algorithm in algorithms and (key := _parse_key(entry, algorithm)) is not None:
                key_id = entry.get("kid", "")
                found.setdefault((key_id if isinstance(key_id, str) else "", algorithm), []).append(key)
    return found


def _algorithms_of(entry: Any) -> tuple[str, ...]:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return ()
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return ()
    suitable = _SUITABLE.get(f"{entry.get('kty')} {entry.get('crv')}" if "crv" in entry else str(entry.get("kty")), ())
    own = entry.get("alg")
    return tuple(each for each in suitable if own is None or each == own)


def _parse_key(entry: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    # Private parts have no business here, and make another type of key.
    public = {name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    try:
        key = PyJWK(public, algorithm)
        is_short = entry.get("kty") == "RSA" and key.key.key_size < _LEAST_RSA_BITS
    except (PyJWTError, ValueError, TypeError, KeyError) as exc:
        log.warning("jwks_key_not_usable", error=type(exc).__name__)
        return None
    return None if is_short else key


class FixedKeys:
    """Keys that are part of the definition."""

    generation = 1

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, key_id: str, algorithm: str) -> Sequence[PyJWK]:
        return candidates(self._keys, key_id, algorithm)


class FetchedKeys:
    """
    Keys from an issuer's address. The first request starts the fetching; later ones renew what has become old while the
    old keys go on being used.

    Args:
        fetch: Returns the keys there are now, or raises OSError or ValueError with what is wrong.
        refresh_s: So old keys may become before they are fetched again.

    `generation` grows whenever there are other keys: what was found out with the old ones has to be found out again.
    """

    def __init__(self, name: str, fetch: Callable[[], Keys], refresh_s: float) -> None:
        self._name = name
        self._fetch = fetch
        self._refresh_s = refresh_s
        self._keys: Keys | None = None
        self._material = ""
        self._fetched_at = self._tried_at = float("-inf")
        self._running: Event | None = None
        self.generation = 0

    def find(self, key_id: str, algorithm: str) -> Sequence[PyJWK]:
        """
        Return the keys that a token of this key id may be signed with, waiting for new ones for `_WAIT_S` at most.

        Raises:
            Unavailable: There are no keys, or only ones that are too old, and the issuer gives none.
        """
        age_s = self.refresh_if_old()
        if age_s > 2 * self._refresh_s:
            self._wait()
        if self._keys is None or time.monotonic() - self._fetched_at > _LONGEST_USE_S:
            raise Unavailable("The keys of the token's issuer can't be had at the moment: try again")
        found = candidates(self._keys, key_id, algorithm)
        if not found:
            if self._may_try():
                self._start()
            self._wait()
            found = candidates(self._keys, key_id, algorithm)
        return found

    def refresh_if_old(self) -> float:
        """Have old keys fetched anew in the background. Return how old they are, in seconds."""
        age_s = time.monotonic() - self._fetched_at
        if age_s > self._refresh_s and self._may_try():
            self._start()
        return age_s

    def _may_try(self) -> bool:
        return self._running is None and time.monotonic() - self._tried_at > min(_FETCH_AGAIN_S, self._refresh_s)

    def _start(self) -> None:
        self._tried_at = time.monotonic()
        self._running = Event()
        gevent.spawn(self._run, self._running)

    def _wait(self) -> None:
        if self._running is not None:
            self._running.wait(_WAIT_S)

    def _run(self, done: Event) -> None:
        try:
            keys = self._fetch()
            material = _material(keys)
            if material != self._material:
                log.info("jwks_changed", definition=self._name, keys=len(keys))
                self.generation += 1
            self._keys, self._material = keys, material
            self._fetched_at = time.monotonic()
        except (OSError, ValueError) as exc:
            log.warning("jwks_not_fetched", definition=self._name, error=str(exc))
        finally:
            self._running = None
            done.set()


def candidates(keys: Keys, key_id: str, algorithm: str) -> Sequence[PyJWK]:
    """A token that names no key may only be signed with the single one that there is."""
    if key_id:
        return keys.get((key_id, algorithm), ())
    suitable = [key for (_, each), several in keys.items() if each == algorithm for key in several]
    return suitable if len(suitable) == 1 else ()


def make_fetch(url: str, algorithms: Sequence[str]) -> Callable[[], Keys]:
    """Return what fetches the key set of `url`: no redirects, bounded in time and size."""
    import urllib3

    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=_FETCH_TIMEOUT_S))

    def fetch() -> Keys:
        with gevent.Timeout(_FETCH_TIMEOUT_S, TimeoutError(f"no answer within {_FETCH_TIMEOUT_S:g} s")):
            try:
                response = pool.request("GET", url, preload_content=False, redirect=False)
                try:
                    body = response.read(_MOST_BYTES + 1)
                finally:
                    response.release_conn()
            except urllib3.exceptions.HTTPError as exc:
                raise OSError(str(exc)) from exc
        if response.status != 200 or len(body) > _MOST_BYTES:
            raise ValueError(f"the answer has status {response.status} and at least {len(body)} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("the answer is not JSON") from None
        return parse_keys(document, algorithms)

    return fetch


def is_safe_url(url: str) -> bool:
    """Keys that come unencrypted over a network could be anybody's."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_local = host in ("localhost", "127.0.0.1", "::1")
    return bool(host) and url.isprintable() and (parts.scheme == "https" or (parts.scheme == "http" and is_local))


def _material(keys: Keys) -> str:
    described = {f"{key_id} {algorithm}": [each._jwk_data for each in several] for (key_id, algorithm), several in keys.items()}
    return json.dumps(described, sort_keys=True)
