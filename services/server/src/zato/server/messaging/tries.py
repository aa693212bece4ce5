"""
How often services failed with a message, and how many workers died of it, in Redis, so that one which comes again after its
connector was gone has only the tries that are left.

A key is written when a service fails, and read for messages that come again: those that go well the first time cost nothing.
Who dies writes nothing any more, so a death is written before the service begins, of messages that a worker has died with
before; the first death is known to the connector alone until then. A message without an id cannot be known again: its
connector alone counts, for as long as it runs.
"""

from dataclasses import dataclass
from typing import Any

import redis

_KEPT_S = 7 * 24 * 3600
# Whoever has used up a message's tries puts it among the dead letters at once. One that is sent back from there is a new one.
_USED_UP_KEPT_S = 60


@dataclass(frozen=True, slots=True)
class Tried:
    """
    Args:
        failed: How often a service failed with the message.
        deaths: How many workers went away while they had it.
    """

    failed: int = 0
    deaths: int = 0


class Tries:
    def __init__(self, conn: Any, prefix: str) -> None:
        self._conn = conn
        self._prefix = prefix

    def known(self, channel: str, message_id: str) -> Tried:
        """Return what is known of a message; nothing when Redis does not answer, since it may still go well."""
        try:
            failed, deaths = self._conn.mget(self._keys(channel, message_id))
        except redis.RedisError:
            return Tried()
        return Tried(int(failed or 0), int(deaths or 0))

    def failed(self, channel: str, message_id: str, count: int, most: int) -> None:
        """A service has failed with it so often. Without Redis only its connector knows."""
        self._set(self._keys(channel, message_id)[0], count, most)

    def died(self, channel: str, message_id: str, deaths: int, most: int) -> None:
        """So many workers went away with it, unless the one that has it now takes this back. As for `failed` without Redis."""
        self._set(self._keys(channel, message_id)[1], deaths, most)

    def _set(self, key: str, count: int, most: int) -> None:
        try:
            self._conn.set(key, count, ex=_KEPT_S if count < most else _USED_UP_KEPT_S)
        except redis.RedisError:
            return

    def forget(self, channel: str, message_id: str) -> None:
        """It is done. Without Redis the keys end by themselves."""
        try:
            self._conn.delete(*self._keys(channel, message_id))
        except redis.RedisError:
            return

    def _keys(self, channel: str, message_id: str) -> tuple[str, str]:
        key = f"{self._prefix}:{channel}:{message_id}"
        return key, f"{key}:deaths"
