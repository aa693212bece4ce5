"""Messages that were given up. ZeroMQ has no broker to keep them, so they are in a Redis stream per channel, one entry each."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from zato.common.connectors.messages import DeadLetter, Message

_KEY = "zato:zmq:dead-letters:"
_ALL_AT_ONCE = 10_000


class DeadLetters:
    def __init__(self, conn: Any) -> None:
        self._conn = conn

    @classmethod
    def at(cls, redis_url: str) -> "DeadLetters":
        return cls(redis.Redis.from_url(redis_url, socket_timeout=5.0, socket_connect_timeout=5.0))

    def add(self, channel: str, message: Message, reason: str, cid: str, count: int) -> None:
        """
        Raises:
            redis.RedisError: It is not kept.
        """
        meta = {"reason": reason[:2000], "cid": cid, "count": count, "context": dict(message.context)}
        self._conn.xadd(_KEY + channel, {"body": message.body, "meta": json.dumps(meta)})

    def all(self, channel: str, limit: int) -> list[DeadLetter]:
        return [_letter(entry_id, fields) for entry_id, fields in self._conn.xrange(_KEY + channel, count=limit)]

    def count(self, channel: str) -> int:
        return int(self._conn.xlen(_KEY + channel))

    def chosen(self, channel: str, ids: Sequence[str] | None) -> list[DeadLetter]:
        """Return those of `ids` that are there; all, up to ten thousand, when None."""
        if ids is None:
            return self.all(channel, _ALL_AT_ONCE)
        found = [self._conn.xrange(_KEY + channel, min=each, max=each) for each in ids]
        return [_letter(entry_id, fields) for entries in found for entry_id, fields in entries]

    def remove(self, channel: str, ids: Sequence[str]) -> int:
        return int(self._conn.xdel(_KEY + channel, *ids)) if ids else 0


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    meta = json.loads(fields[b"meta"])
    text = entry_id.decode()
    died_at = datetime.fromtimestamp(int(text.split("-")[0]) / 1000, UTC).isoformat(timespec="milliseconds")
    return DeadLetter(text, fields[b"body"], meta["reason"], meta["cid"], meta["count"], died_at, meta["context"])
