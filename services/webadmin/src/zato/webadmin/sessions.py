"""
Who is signed in, in Redis: by the digest of what the browser's cookie holds.

The servers' token in it is encrypted with a key made from the same cookie, so whoever reads Redis can't act as somebody.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import redis

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.common.secrets import CannotDecrypt, SecretBox

log = get_logger(__name__)

_COOKIE_BYTES = 32
# Redis hears that somebody is there at most so often.
_TOUCH_EVERY_S = 15.0
_REMEMBERED = 1000
# Within which whoever has typed their password types their code.
_HELD_S = 300


@dataclass(frozen=True, slots=True)
class Session:
    """
    Args:
        token: The servers', as which all is done.
        begun_at, ends_at, seen_at: Seconds since 1970.
        notices: What the next page tells, as (level, text).
    """

    name: str
    role: str
    token: str
    must_change_password: bool
    begun_at: float
    ends_at: float
    seen_at: float
    notices: tuple[tuple[str, str], ...] = ()


class NoRedis(Unavailable):
    """Redis does not answer, so nobody can sign in."""


class Sessions:
    """
    While Redis is away, those who were signed in a moment before still are.

    Args:
        prefix: Of the keys, e.g. "zato:production:webadmin:".
        idle_s: After so long without a request a session is over.
        most_s: A session lasts no longer.
    """

    def __init__(
        self, client: redis.Redis, prefix: str, *, idle_s: float, most_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._idle_s = idle_s
        self._most_s = most_s
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: OrderedDict[str, Session] = OrderedDict()

    def begin(self, name: str, role: str, token: str, *, must_change_password: bool, expires_at: float) -> str:
        """Return what the cookie of a new session holds. Raises NoRedis."""
        now = self._clock()
        cookie = new_cookie()
        session = Session(name, role, token, must_change_password, now, min(now + self._most_s, expires_at), now)
        try:
            self._store(cookie, session)
        except redis.RedisError as exc:
            raise NoRedis("Redis, which keeps the sessions, does not answer") from exc
        return cookie

    def find(self, cookie: str, *, is_sign_of_life: bool = True) -> Session | None:
        """
        Return the session that the cookie is of, None when it is over or never was.

        Args:
            is_sign_of_life: Whether somebody asks, rather than a page that was left open.
        """
        now = self._clock()
        try:
            session = self._load(cookie)
        except redis.RedisError as exc:
            log.warning("sessions_unreachable", error=str(exc))
            session = self._remembered.get(_digest(cookie))
            if session is None:
                raise NoRedis("Redis, which keeps the sessions, does not answer") from exc
        if session is None or session.ends_at <= now or session.seen_at + self._idle_s <= now:
            self._forget(cookie)
            return None
        if is_sign_of_life and session.seen_at + _TOUCH_EVERY_S < now:
            session = replace(session, seen_at=now)
            self._try_to_store(cookie, session)
        return session

    def rotate(self, cookie: str, session: Session) -> str:
        """Return what the cookie holds from now on, of a session that means more than it did. Raises NoRedis."""
        new = new_cookie()
        try:
            self._store(new, session)
        except redis.RedisError as exc:
            raise NoRedis("Redis, which keeps the sessions, does not answer") from exc
        self.end(cookie)
        return new

    def hold(self, cookie: str, text: str) -> None:
        """Keep a text for a moment, from one form of a stranger's to the next. Only their cookie opens it. Raises NoRedis."""
        try:
            self._client.set(f"{self._prefix}held:{_digest(cookie)}", _box(cookie).encrypt(text), ex=_HELD_S)
        except redis.RedisError as exc:
            raise NoRedis("Redis, which keeps the sessions, does not answer") from exc

    def held(self, cookie: str) -> str:
        """Return that text, "" when it was kept for too long. Raises NoRedis."""
        try:
            raw = self._client.get(f"{self._prefix}held:{_digest(cookie)}")
        except redis.RedisError as exc:
            raise NoRedis("Redis, which keeps the sessions, does not answer") from exc
        return _box(cookie).decrypt(raw.decode()) if isinstance(raw, bytes) else ""

    def change(self, cookie: str, session: Session) -> None:
        self._try_to_store(cookie, session)

    def end(self, cookie: str) -> None:
        self._forget(cookie)
        try:
            self._client.delete(self._key(cookie), f"{self._prefix}held:{_digest(cookie)}")
        except redis.RedisError as exc:
            log.warning("session_not_deleted", error=str(exc))

    def _store(self, cookie: str, session: Session) -> None:
        self._remember(cookie, session)
        stored = {**asdict(session), "token": _box(cookie).encrypt(session.token)}
        left_s = max(1, int(min(self._idle_s, session.ends_at - self._clock())))
        self._client.set(self._key(cookie), json.dumps(stored), ex=left_s)

    def _try_to_store(self, cookie: str, session: Session) -> None:
        try:
            self._store(cookie, session)
        except redis.RedisError as exc:
            log.warning("session_not_stored", error=str(exc))

    def _load(self, cookie: str) -> Session | None:
        raw = self._client.get(self._key(cookie))
        if not isinstance(raw, bytes):
            return None
        stored = json.loads(raw)
        try:
            token = _box(cookie).decrypt(stored["token"])
        except CannotDecrypt:
            return None
        session = Session(**{**stored, "token": token, "notices": tuple((level, text) for level, text in stored["notices"])})
        self._remember(cookie, session)
        return session

    def _remember(self, cookie: str, session: Session) -> None:
        with self._lock:
            self._remembered[_digest(cookie)] = session
            self._remembered.move_to_end(_digest(cookie))
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)

    def _forget(self, cookie: str) -> None:
        with self._lock:
            self._remembered.pop(_digest(cookie), None)

    def _key(self, cookie: str) -> str:
        return f"{self._prefix}session:{_digest(cookie)}"


def new_cookie() -> str:
    return secrets.token_urlsafe(_COOKIE_BYTES)


def csrf_token(cookie: str) -> str:
    """Return what each form of whoever has this cookie carries. Nobody else can make it, and it tells nothing of the cookie."""
    return hmac.new(cookie.encode(), b"form", hashlib.sha256).hexdigest()


def _digest(cookie: str) -> str:
    return hashlib.sha256(b"id" + cookie.encode()).hexdigest()


def _box(cookie: str) -> SecretBox:
    return SecretBox([base64.urlsafe_b64encode(hashlib.sha256(b"key" + cookie.encode()).digest()).decode()])
