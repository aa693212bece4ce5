"""
Telling other processes that something changed, through Redis pub/sub.

A message is a nudge, never the only copy: what is published while a subscriber reconnects is lost. So a subscriber is
also called on every (re)connection, and reads the truth again.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis

from zato.common.logs import get_logger
from zato.common.redis_clients import redis_client

log = get_logger(__name__)

# Called with the message, or with "" when the connection was made (again) and anything may have been missed.
Handler = Callable[[str], None]

_POLL_S = 1.0
_PING_EVERY_S = 5.0


class Bus(Protocol):
    def publish(self, topic: str, message: str) -> None:
        """Tell whoever listens now. Never raises: a nudge that is lost costs time, not the change."""

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Call `handler` in the background with every message, and with "" on every (re)connection."""

    def close(self) -> None: ...


class MemoryBus:
    """The same contract inside one process, for tests. Handlers are called at once."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}

    def publish(self, topic: str, message: str) -> None:
        for handler in self._handlers.get(topic, ()):
            _deliver(topic, handler, message)

    def subscribe(self, topic: str, handler: Handler) -> None:
        self._handlers.setdefault(topic, []).append(handler)
        _deliver(topic, handler, "")

    def close(self) -> None:
        self._handlers.clear()


class RedisBus:
    """
    Args:
        url: e.g. "redis://127.0.0.1:6379/0" or "unix:///run/redis.sock".
    """

    def __init__(self, url: str) -> None:
        self._publisher = redis_client(url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=None)
        # The timeout is for the greeting of a new connection: waiting for messages has its own.
        self._subscriber = redis_client(url, socket_timeout=_PING_EVERY_S, socket_connect_timeout=1.0, retry=None)
        self._is_closed = threading.Event()

    def publish(self, topic: str, message: str) -> None:
        try:
            self._publisher.publish(topic, message)
        except redis.RedisError as exc:
            log.warning("bus_publish_failed", topic=topic, error=str(exc))

    def subscribe(self, topic: str, handler: Handler) -> None:
        threading.Thread(target=self._listen_forever, args=(topic, handler), daemon=True, name=f"bus-{topic}").start()

    def close(self) -> None:
        """Call no handler any more. The listening threads see it within a second, and each closes its own connection."""
        self._is_closed.set()
        self._publisher.close()

    def _listen_forever(self, topic: str, handler: Handler) -> None:
        is_reported = False
        while not self._is_closed.is_set():
            try:
                self._listen(topic, handler)
            except (redis.RedisError, OSError) as exc:
                if not is_reported and not self._is_closed.is_set():
                    log.warning("bus_disconnected", topic=topic, error=str(exc))
                is_reported = True
            else:
                is_reported = False
            self._is_closed.wait(0.2)

    def _listen(self, topic: str, handler: Handler) -> None:
        """
        Deliver messages until the connection is lost.

        redis-py notices neither a half-open connection nor tells of its silent reconnects, so we ask for a sign
        of life ourselves, and take every confirmation of a subscription as a new connection.
        """
        pubsub = self._subscriber.pubsub()  # type: ignore[no-untyped-call]
        try:
            pubsub.subscribe(topic)
            heard_at = pinged_at = time.monotonic()
            while not self._is_closed.is_set():
                message = pubsub.get_message(timeout=_POLL_S)
                now = time.monotonic()
                if message is None:
                    if now - heard_at > 2 * _PING_EVERY_S:
                        raise redis.ConnectionError(f"no sign of life for {now - heard_at:.0f} s")
                    if now - pinged_at > _PING_EVERY_S:
                        pubsub.ping()
                        pinged_at = now
                    continue
                heard_at = now
                if self._is_closed.is_set():
                    break
                if message["type"] == "subscribe":
                    log.info("bus_connected", topic=topic)
                    _deliver(topic, handler, "")
                elif message["type"] == "message":
                    _deliver(topic, handler, message["data"].decode())
        finally:
            pubsub.close()


def _deliver(topic: str, handler: Handler, message: str) -> None:
    """Call a handler; its failure must neither look like a lost connection nor end the listening."""
    try:
        handler(message)
    except Exception:
        log.exception("bus_handler_failed", topic=topic)
