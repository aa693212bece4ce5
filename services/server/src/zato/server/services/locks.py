"""Locks that hold in the whole cluster: `with self.lock():`."""

from types import TracebackType
from typing import Any

import redis
from redis.exceptions import LockError, LockNotOwnedError
from redis.lock import Lock

from zato.common.errors import Conflict, Unavailable
from zato.common.logs import get_logger

log = get_logger(__name__)

DEFAULT_TTL_S = 20.0
DEFAULT_WAIT_S = 10.0
_POLL_S = 0.05


class NotLocked(Conflict):
    """The lock was held by another one for as long as we were to wait."""


class ServiceLock:
    """
    One lock in Redis. Whoever holds it has a token of its own, without which nobody can release it.

    Args:
        ttl_s: Held no longer than this, so that the lock of one who died does not stay.
        wait_s: How long to wait for it; 0 not to wait.
    """

    def __init__(self, conn: "redis.Redis", key: str, name: str, ttl_s: float, wait_s: float) -> None:
        self._lock = Lock(conn, key, timeout=ttl_s, sleep=_POLL_S, blocking_timeout=wait_s, thread_local=False)
        self._name = name
        self._wait_s = wait_s

    def acquire(self) -> bool:
        """
        Raises:
            NotLocked: Another one has it.
            Unavailable: Redis cannot be reached.
        """
        try:
            is_ours = self._lock.acquire(blocking=self._wait_s > 0)
        except redis.ConnectionError as exc:
            raise Unavailable(f"The lock '{self._name}' cannot be had: Redis does not answer") from exc
        if not is_ours:
            raise NotLocked(f"The lock '{self._name}' could not be had within {self._wait_s:g} s: it is held by another one")
        return True

    def release(self) -> None:
        """Give it back. One that has expired may be another one's by now, and stays as it is."""
        try:
            self._lock.release()
        except LockNotOwnedError:
            log.warning("lock_expired_while_held", lock=self._name)
        except LockError:
            log.warning("lock_not_held", lock=self._name)

    def __enter__(self) -> "ServiceLock":
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.release()


def make_lock(
    conn: "redis.Redis", key: str, name: str, *, ttl: Any, expires: Any, block: Any, timeout: Any, default_wait: float
) -> ServiceLock:
    """`ttl` and `expires`, `block` and `timeout` are the same two things, as 3.x and 2.0 call them."""
    ttl_s = next((float(value) for value in (ttl, expires) if value is not None), DEFAULT_TTL_S)
    waits = (value for value in (block, timeout) if value is not None and value is not True)
    wait_s = next((float(value) for value in waits), default_wait)
    return ServiceLock(conn, key, name, ttl_s, wait_s)
