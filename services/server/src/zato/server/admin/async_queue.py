"""Asynchronous invocations as a queue that people look into: see zato.server.admin.queues."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import redis

from zato.common.errors import Unavailable
from zato.server.admin.queues import DEAD, DELAYED, RUNNING, WAITING, Message, QueueStatus
from zato.server.services.recordings import as_text
from zato.server.services.tasks import FIELD, GROUP, Task, Tasks, decode, encode

_MOST = 10_000
_AT_ONCE = 200
# Whoever takes the dead letter away is the one who queues it: of two people at once one.
_REDRIVE = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', ARGV[2], ARGV[3])
return 1
"""
# One that a worker has taken meanwhile is left to it. ARGV[1] is the group, the rest are ids.
_PURGE_WAITING = """
local deleted = 0
for index = 2, #ARGV do
  local taken = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[index], ARGV[index], 1)
  if taken.err or #taken == 0 then deleted = deleted + redis.call('XDEL', KEYS[1], ARGV[index]) end
end
return deleted
"""

T = TypeVar("T")


class AsyncQueue:
    name = "async"

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._conn: Any = tasks.conn
        self._redrive = tasks.conn.register_script(_REDRIVE)
        self._purge_waiting = tasks.conn.register_script(_PURGE_WAITING)

    def status(self) -> QueueStatus:
        def count() -> QueueStatus:
            with self._conn.pipeline(transaction=True) as pipeline:
                pipeline.xlen(self._tasks.stream)
                pipeline.zcard(self._tasks.delayed)
                pipeline.xlen(self._tasks.dead)
                in_stream, delayed, dead = pipeline.execute()
            running = self._taken_count()
            waiting = max(0, in_stream - running)
            oldest_s = self._oldest_s() if waiting else None
            return QueueStatus(self.name, "Asynchronous invocations", waiting, running, delayed, dead, oldest_s)

        return _answered(count)

    def messages(self, state: str) -> list[Message]:
        return _answered(lambda: list(self._messages(state)))

    def _messages(self, state: str) -> Iterator[Message]:
        if state == DELAYED:
            for blob, due_ms in self._conn.zrange(self._tasks.delayed, 0, _MOST - 1, withscores=True):
                yield _message(_digest(blob), state, due_ms / 1000, blob)
        elif state == DEAD:
            for id, fields in self._conn.xrevrange(self._tasks.dead, count=_MOST):
                reason = fields.get(b"reason", b"").decode(errors="replace")
                yield _message(id.decode(), state, float(fields.get(b"failed_at", 0)), fields.get(FIELD, b""), reason)
        else:
            taken = self._taken()
            for id, fields in self._conn.xrange(self._tasks.stream, count=_MOST):
                if (id in taken) == (state == RUNNING):
                    yield _message(id.decode(), state, _time_of(id), fields.get(FIELD, b""))

    def redrive(self, ids: Sequence[str] | None) -> int:
        def redrive() -> int:
            count = 0
            wanted = [each.id for each in self._messages(DEAD)] if ids is None else ids
            for id in wanted:
                blob = self._dead_letter(id)
                if blob is not None:
                    count += self._redrive(keys=[self._tasks.dead, self._tasks.stream], args=[id, FIELD, blob])
            return count

        return _answered(redrive)

    def _dead_letter(self, id: str) -> bytes | None:
        found = _found(lambda: self._conn.xrange(self._tasks.dead, id, id))
        return _again(found[0][1].get(FIELD, b"")) if found else None

    def purge(self, state: str, ids: Sequence[str] | None) -> int:
        def purge() -> int:
            wanted = [each.id for each in self._messages(state)] if ids is None else list(ids)
            parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
            return sum(self._purge(state, part) for part in parts)

        return _answered(purge)

    def _purge(self, state: str, ids: list[str]) -> int:
        if state == DELAYED:
            blobs = [blob for blob in self._conn.zrange(self._tasks.delayed, 0, -1) if _digest(blob) in set(ids)]
            return int(self._conn.zrem(self._tasks.delayed, *blobs)) if blobs else 0
        if state == WAITING:
            return int(_found(lambda: self._purge_waiting(keys=[self._tasks.stream], args=[GROUP, *ids])) or 0)
        return int(_found(lambda: self._conn.xdel(self._tasks.dead, *ids)) or 0)

    def _taken_count(self) -> int:
        return int((_found(lambda: self._conn.xpending(self._tasks.stream, GROUP)) or {"pending": 0})["pending"])

    def _taken(self) -> set[bytes]:
        pending = _found(lambda: self._conn.xpending_range(self._tasks.stream, GROUP, "-", "+", _MOST))
        return {each["message_id"] for each in pending or ()}

    def _oldest_s(self) -> float | None:
        oldest = next(self._messages(WAITING), None)
        return round(max(0.0, time.time() - oldest.at), 3) if oldest is not None else None


def _answered(work: Callable[[], T]) -> T:
    try:
        return work()
    except redis.RedisError as exc:
        raise Unavailable("The asynchronous invocations cannot be looked at now: Redis does not answer") from exc


def _found(ask: Callable[[], Any]) -> Any:
    """None when Redis says that there is no such thing: a group before the first worker has begun, an id that is none."""
    try:
        return ask()
    except redis.ResponseError:
        return None


def _digest(blob: bytes) -> str:
    """What is delayed has no id of its own."""
    return hashlib.sha256(blob).hexdigest()[:32]


def _time_of(id: bytes) -> float:
    return int(id.partition(b"-")[0]) / 1000


def _message(id: str, state: str, at: float, blob: bytes, reason: str = "") -> Message:
    try:
        task: Task = decode(blob)
    except msgspec.DecodeError:
        return Message(id, state, at, reason=reason)
    return Message(id, state, at, task.service, task.cid, task.attempt, reason, as_text(task.payload))


def _again(blob: bytes) -> bytes | None:
    try:
        return encode(msgspec.structs.replace(decode(blob), attempt=1, expires_at=0.0))
    except msgspec.DecodeError:
        return None
