"""
Which messages were done, in Redis, so that one which comes again is not done again.

A key per channel and message id is "busy" with its owner while the service runs, and "done" for as long as the channel says
afterwards. What a death leaves behind:

- before the service began, or while it ran: the key stays busy until its lease is over, then another one runs the service.
  What the service had done by then is done twice, unless the service made it in one transaction of its own with the id.
- after the key was marked done, whether or not the peer heard of it: the message comes again and is acknowledged only.
- between the end of the service and the mark, which is one round trip to Redis: done twice.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import redis

from zato.common.errors import Unavailable

_LEASE_MS = 5000
_RENEW_S = 1.0
_DONE = "done"
_RENEW = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
# The one whose lease ran out while it was paused must not take the key from who has it by now.
_FINISH = """
local now = redis.call('get', KEYS[1])
if (not now) or now == ARGV[1] then redis.call('set', KEYS[1], 'done', 'EX', ARGV[2]) return 1 end
return 0
"""


class Entry:
    """One message's key, which is ours."""

    def __init__(self, conn: Any, key: str, owner: str) -> None:
        self._conn = conn
        self._key = key
        self._owner = owner
        self._renewal = gevent.spawn(self._renew)

    def finish(self, keep_s: int) -> None:
        """The message is done; remember it for so many seconds."""
        self._renewal.kill()
        with _redis_errors():
            self._conn.eval(_FINISH, 1, self._key, self._owner, keep_s)

    def release(self) -> None:
        """It is not; whoever gets it next may try. Without Redis the lease ends by itself."""
        self._renewal.kill()
        try:
            self._conn.eval(_RELEASE, 1, self._key, self._owner)
        except redis.RedisError:
            return

    def _renew(self) -> None:
        while True:
            gevent.sleep(_RENEW_S)
            try:
                self._conn.eval(_RENEW, 1, self._key, self._owner, _LEASE_MS)
            except redis.RedisError:
                continue


class Inbox:
    def __init__(self, conn: Any, prefix: str) -> None:
        self._conn = conn
        self._prefix = prefix

    def begin(self, channel: str, message_id: str) -> "Entry | bool":
        """
        Return the entry when the message is ours to do, True when it is done already, False while another one does it.

        Raises:
            Unavailable: Redis can't be reached; the message has to wait.
        """
        key, owner = f"{self._prefix}:{channel}:{message_id}", f"busy:{os.urandom(8).hex()}"
        with _redis_errors():
            if self._conn.set(key, owner, nx=True, px=_LEASE_MS):
                return Entry(self._conn, key, owner)
            now = self._conn.get(key)
        return (now.decode() if isinstance(now, bytes) else now) == _DONE


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as exc:
        raise Unavailable("The inbox of messages cannot be used: Redis does not answer") from exc
