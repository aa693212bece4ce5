"""
How often services failed with a message, in Redis, so that one which comes again after its connector was gone has only the
tries that are left.

A key is written when a service fails, and read for messages that come again: those that go well the first time cost nothing.
A message without an id cannot be known again: its connector alone counts, for as long as it runs.
"""

from typing import Any

import redis

_KEPT_S = 7 * 24 * 3600
# Whoever has used up a message's tries puts it among the dead letters at once. One that is sent back from there is a new one.
_USED_UP_KEPT_S = 60


class Tries:
    def __init__(self, conn: Any, prefix: str) -> None:
        self._conn = conn
        self._prefix = prefix

    def count(self, channel: str, message_id: str) -> int:
        """Return how often a service failed with it; 0 when Redis does not answer, since it may still go well."""
        try:
            return int(self._conn.get(self._key(channel, message_id)) or 0)
        except redis.RedisError:
            return 0

    def failed(self, channel: str, message_id: str, count: int, most: int) -> None:
        """A service has failed with it so often. Without Redis only its connector knows."""
        try:
            self._conn.set(self._key(channel, message_id), count, ex=_KEPT_S if count < most else _USED_UP_KEPT_S)
        except redis.RedisError:
            return

    def forget(self, channel: str, message_id: str) -> None:
        """It is done. Without Redis the key ends by itself."""
        try:
            self._conn.delete(self._key(channel, message_id))
        except redis.RedisError:
            return

    def _key(self, channel: str, message_id: str) -> str:
        return f"{self._prefix}:{channel}:{message_id}"
