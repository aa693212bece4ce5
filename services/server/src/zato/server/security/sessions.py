"""Who is logged in: one key of Redis for each token, which lives for as long as the token is used."""

import time
from typing import Any

import redis

from zato.common.errors import Unavailable

# A token that was good a moment ago is good now. So long a log-out may take to be seen by other workers.
_ASK_AGAIN_S = 1.0
_MOST_REMEMBERED = 10_000


class Sessions:
    """
    Args:
        client: Of Redis; its time-outs bound how long a request waits here.
        prefix: Of the keys, e.g. "zato:cluster1:jwt:".
    """

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self._client: Any = client
        self._prefix = prefix
        # By token id: when to ask again, and until when what Redis said holds, in seconds of the monotonic clock.
        self._known: dict[str, tuple[float, float]] = {}

    def open(self, token_id: str, ttl_s: int, *, username: str) -> None:
        """Raises Unavailable when it can't be kept: nobody is logged in then."""
        try:
            self._client.set(self._prefix + token_id, username, ex=ttl_s)
        except redis.RedisError as exc:
            raise Unavailable("Nobody can log in at the moment: the session can't be kept, try again") from exc

    def renew(self, token_id: str, ttl_s: int) -> bool:
        """
        Return whether the session is open, and have it live for another `ttl_s`.

        Without Redis a session that was renewed before goes on until it would have ended: nothing but a log-out,
        which needs Redis too, could have ended it earlier.

        Raises:
            Unavailable: Redis can't be asked, and this worker knows nothing of the session.
        """
        now = time.monotonic()
        ask_at, ends_at = self._known.get(token_id, (0.0, 0.0))
        if now < min(ask_at, ends_at):
            return True
        try:
            is_open = bool(self._client.expire(self._prefix + token_id, ttl_s))
        except redis.RedisError as exc:
            if now < ends_at:
                self._remember(token_id, now + _ASK_AGAIN_S, ends_at)
                return True
            raise Unavailable("Whether the token is still good can't be found out at the moment: try again") from exc
        if is_open:
            self._remember(token_id, now + min(_ASK_AGAIN_S, ttl_s / 10), now + ttl_s)
        else:
            self._known.pop(token_id, None)
        return is_open

    def close(self, token_id: str) -> bool:
        """End a session; return whether it was open. Raises Unavailable when it goes on since Redis can't be reached."""
        try:
            was_open = bool(self._client.delete(self._prefix + token_id))
        except redis.RedisError as exc:
            raise Unavailable("Nobody can log out at the moment: try again") from exc
        self._known.pop(token_id, None)
        return was_open

    def _remember(self, token_id: str, ask_at: float, ends_at: float) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[token_id] = (ask_at, ends_at)
