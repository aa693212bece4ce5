"""Messages that were given up. ZeroMQ has no broker to keep them, so they are in a Redis stream per channel, one entry each."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from zato.common.connectors.messages import DeadLetter, Message
from zato.common.errors import Unavailable

_KEY = "zato:zmq:dead-letters:"
_ALL_AT_ONCE = 10_000


class DeadLetters:
    """
    Each method raises Unavailable when Redis does not do what it is asked to.

    Args:
        redis_url: Where they are. A connector takes Redis's library up, 9 MB, when it has a dead letter or is asked for them.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._made: Any = None
        self._making = threading.Lock()

    @contextmanager
    def _redis(self) -> Iterator[Any]:
        import redis

        with self._making:
            if self._made is None:
                self._made = redis.Redis.from_url(self._redis_url, socket_timeout=5.0, socket_connect_timeout=5.0)
        try:
            yield self._made
        except redis.RedisError as exc:
            raise Unavailable(f"Redis, where dead letters are kept, did not do it: {exc}") from exc

    def add(self, channel: str, message: Message, reason: str, cid: str, count: int) -> None:
        meta = {"reason": reason[:2000], "cid": cid, "count": count, "context": dict(message.context)}
        with self._redis() as conn:
            conn.xadd(_KEY + channel, {"body": message.body, "meta": json.dumps(meta)})

    def all(self, channel: str, limit: int) -> list[DeadLetter]:
        with self._redis() as conn:
            return [_letter(entry_id, fields) for entry_id, fields in conn.xrange(_KEY + channel, count=limit)]

    def count(self, channel: str) -> int:
        with self._redis() as conn:
            return int(conn.xlen(_KEY + channel))

    def chosen(self, channel: str, ids: Sequence[str] | None) -> list[DeadLetter]:
        """Return those of `ids` that are there; all, up to ten thousand, when None."""
        if ids is None:
            return self.all(channel, _ALL_AT_ONCE)
        with self._redis() as conn:
            found = [conn.xrange(_KEY + channel, min=each, max=each) for each in ids]
        return [_letter(entry_id, fields) for entries in found for entry_id, fields in entries]

    def remove(self, channel: str, ids: Sequence[str]) -> int:
        if not ids:
            return 0
        with self._redis() as conn:
            return int(conn.xdel(_KEY + channel, *ids))


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    meta = json.loads(fields[b"meta"])
    text = entry_id.decode()
    died_at = datetime.fromtimestamp(int(text.split("-")[0]) / 1000, UTC).isoformat(timespec="milliseconds")
    return DeadLetter(text, fields[b"body"], meta["reason"], meta["cid"], meta["count"], died_at, meta["context"])
