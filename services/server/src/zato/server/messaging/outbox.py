"""
Messages that services have sent while their broker was away, in Redis until it is back.

    <prefix>:<kind>:<name>:waiting     those to send, a stream, the oldest first
    <prefix>:<kind>:<name>:dead        those that the broker refused, with the reason: for people to look at
    <prefix>:<kind>:<name>:forwarder   whose turn it is to send them: one worker of the cluster, so that their order is kept
    <prefix>:connections               which connections have any

A message is gone here only after the broker has confirmed it. A death in between sends it again, under the same id.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from zato.common.connectors.errors import NotSent
from zato.common.errors import Unavailable

LEASE_S = 15.0
# Full: nil. ARGV: how many at most, the connection, the message's id, its body, its options.
_ADD = """
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
redis.call('SADD', KEYS[2], ARGV[2])
return redis.call('XADD', KEYS[1], '*', 'id', ARGV[3], 'body', ARGV[4], 'options', ARGV[5])
"""
# From one stream to another, once, whoever does it at the same time.
_MOVE = """
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[1])
local fields = found[1][2]
if ARGV[2] ~= '' then table.insert(fields, 'reason') table.insert(fields, ARGV[2]) end
redis.call('XADD', KEYS[2], '*', unpack(fields))
return 1
"""
_FORGET = """
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XLEN', KEYS[1]) > 0 then return 0 end
return redis.call('SREM', KEYS[2], ARGV[1])
"""
_RENEW = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Connection:
    """An outgoing connection, e.g. of the kind outgoing-amqp."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A message that is kept.

    Args:
        entry: What it is called here.
        id: What it is sent under.
        at: When it was kept, in seconds since the epoch.
        reason: Why it was refused.
    """

    entry: str
    id: str
    body: bytes
    options: Mapping[str, Any]
    at: float
    reason: str = ""


class Outbox:
    """All methods raise Unavailable when Redis does not answer; `add` raises NotSent."""

    def __init__(self, conn: Any, prefix: str) -> None:
        self._conn = conn
        self._prefix = prefix
        self._connections = f"{prefix}:connections"
        # Set by whoever sends what is kept: called when there is more.
        self.added: Callable[[], None] = lambda: None

    def add(self, connection: Connection, message_id: str, body: bytes, options: Mapping[str, Any], *, limit: int) -> None:
        """
        Keep a message.

        Raises:
            NotSent: There are too many already, or Redis does not answer.
        """
        keys = [self._key(connection, "waiting"), self._connections]
        arguments = [limit, _text(connection), message_id, body, json.dumps(dict(options))]
        try:
            is_kept = self._conn.eval(_ADD, len(keys), *keys, *arguments)
        except redis.RedisError as exc:
            raise NotSent(f"'{connection.name}' cannot keep the message: Redis does not answer") from exc
        if not is_kept:
            raise NotSent(f"'{connection.name}' keeps {limit} messages already that its broker has not taken")
        self.added()

    def has_any(self, connection: Connection) -> bool:
        """Whether messages wait there: the next one then goes behind them."""
        with _redis_errors():
            return bool(self._conn.xlen(self._key(connection, "waiting")))

    def connections(self) -> list[Connection]:
        """Return those that have messages."""
        with _redis_errors():
            return [_connection(each) for each in self._conn.smembers(self._connections)]

    def sizes(self, connection: Connection) -> tuple[int, int, float | None]:
        """Return how many wait, how many are dead, and how old the oldest one is that waits, in seconds."""
        with _redis_errors(), self._conn.pipeline(transaction=True) as pipeline:
            pipeline.xlen(self._key(connection, "waiting"))
            pipeline.xlen(self._key(connection, "dead"))
            pipeline.xrange(self._key(connection, "waiting"), count=1)
            waiting, dead, oldest = pipeline.execute()
        return waiting, dead, round(max(0.0, time.time() - _time_of(oldest[0][0])), 3) if oldest else None

    def messages(self, connection: Connection, state: str, count: int) -> list[Stored]:
        """Return the oldest ones of "waiting" or "dead"."""
        with _redis_errors():
            return [_stored(*each) for each in self._conn.xrange(self._key(connection, state), count=count)]

    def remove(self, connection: Connection, entries: list[str], state: str = "waiting") -> int:
        with _redis_errors():
            return int(self._conn.xdel(self._key(connection, state), *entries)) if entries else 0

    def bury(self, connection: Connection, entry: str, reason: str) -> None:
        """The broker refuses it: it is kept apart, and holds up nobody."""
        self._move(connection, "waiting", "dead", entry, reason)

    def redrive(self, connection: Connection, entry: str) -> int:
        """Let one that was refused be sent again, behind those that wait. Returns whether there was one."""
        return self._move(connection, "dead", "waiting", entry, "")

    def forget(self, connection: Connection) -> None:
        """It has no messages that wait, unless there is one by now."""
        with _redis_errors():
            keys = [self._key(connection, "waiting"), self._connections]
            self._conn.eval(_FORGET, len(keys), *keys, _text(connection))

    def take_turn(self, connection: Connection, owner: str) -> bool:
        """Whether it is ours to send its messages, for `LEASE_S`; again for who has the turn."""
        key, lease_ms = self._key(connection, "forwarder"), int(LEASE_S * 1000)
        with _redis_errors():
            return bool(self._conn.set(key, owner, nx=True, px=lease_ms) or self._conn.eval(_RENEW, 1, key, owner, lease_ms))

    def end_turn(self, connection: Connection, owner: str) -> None:
        with _redis_errors():
            self._conn.eval(_RELEASE, 1, self._key(connection, "forwarder"), owner)

    def _move(self, connection: Connection, source: str, target: str, entry: str, reason: str) -> int:
        keys = [self._key(connection, source), self._key(connection, target)]
        try:
            with _redis_errors():
                moved = int(self._conn.eval(_MOVE, len(keys), *keys, entry, reason[:2000]))
                if moved and target == "waiting":
                    self._conn.sadd(self._connections, _text(connection))
                return moved
        except redis.ResponseError:
            # No entry has such a name.
            return 0

    def _key(self, connection: Connection, what: str) -> str:
        return f"{self._prefix}:{connection.kind}:{connection.name}:{what}"


def _text(connection: Connection) -> str:
    return f"{connection.kind}:{connection.name}"


def _connection(text: bytes) -> Connection:
    kind, _, name = text.decode().partition(":")
    return Connection(kind, name)


def _time_of(entry: bytes) -> float:
    return int(entry.partition(b"-")[0]) / 1000


def _stored(entry: bytes, fields: Mapping[bytes, bytes]) -> Stored:
    return Stored(
        entry.decode(),
        fields[b"id"].decode(),
        fields[b"body"],
        json.loads(fields[b"options"]),
        _time_of(entry),
        fields.get(b"reason", b"").decode(errors="replace"),
    )


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except redis.ResponseError:
        raise
    except redis.RedisError as exc:
        raise Unavailable("The messages that wait for their brokers cannot be looked at now: Redis does not answer") from exc
