"""
Runs of services that are worth a look: those that were slow, every nth one as a sample, and those that failed.

    <prefix>:slow:<service>     lists, the newest first; each is a document in JSON
    <prefix>:sample:<service>
    <prefix>:error:<service>

Made in the worker, put into Redis later, off the way of the request. They have limits in every direction: how many are kept
of a service, how large each is, and how many a worker makes between two times that it puts them there.
"""

import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import redis

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.server.http import formats

if TYPE_CHECKING:
    from zato.server.service import Service
    from zato.server.services.store import ServiceEntry

log = get_logger(__name__)

SLOW, SAMPLE, ERROR = "slow", "sample", "error"
KEPT = {SLOW: 100, SAMPLE: 20, ERROR: 50}
MAX_CHARACTERS = 10_000
_MAX_TRACEBACK_CHARACTERS = 4000
_MAX_MESSAGE_CHARACTERS = 1000
_MOST_WAITING = 50
_KEPT_S = 30 * 86_400
_SERVER_ERROR = 500


class Recordings:
    """
    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:runs".
        server: Name of this one.
    """

    def __init__(self, conn: "redis.Redis", prefix: str, server: str, clock: Callable[[], float] = time.time) -> None:
        self._conn = conn
        self._prefix = prefix
        self._server = server
        self._clock = clock
        self._waiting: dict[tuple[str, str], list[bytes]] = {}
        self._count = 0

    def key(self, what: str, service: str) -> str:
        return f"{self._prefix}:{what}:{service}"

    def add_slow(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        report_slow(entry, elapsed_ms)
        if not entry.is_internal:
            self._add(
                SLOW,
                entry,
                instance,
                elapsed_ms,
                lambda: {
                    "slow_threshold": round(entry.plan.slow_threshold_ms),
                    **_messages(instance),
                },
            )

    def add_sample(self, entry: "ServiceEntry", instance: "Service", elapsed_ms: float) -> None:
        self._add(SAMPLE, entry, instance, elapsed_ms, lambda: _messages(instance))

    def add_error(self, entry: "ServiceEntry", instance: "Service", error: BaseException, elapsed_ms: float) -> None:
        self._add(ERROR, entry, instance, elapsed_ms, lambda: _described(error))

    def _add(
        self, what: str, entry: "ServiceEntry", instance: "Service", elapsed_ms: float, more: Callable[[], dict[str, Any]]
    ) -> None:
        if self._count >= _MOST_WAITING:
            return
        self._count += 1
        now = self._clock()
        try:
            document = orjson.dumps(
                {
                    "cid": instance.cid,
                    "req_ts": now - elapsed_ms / 1000,
                    "resp_ts": now,
                    "proc_time": round(elapsed_ms, 3),
                    "channel": instance.channel.name or instance.channel.type,
                    "server": self._server,
                    "version": entry.version,
                    **more(),
                }
            )
        except Exception as exc:
            # Of whatever a service had for a request or answer: the service itself is not to fail by our looking at it.
            log.warning("run_not_recorded", service=entry.name, what=what, error=f"{type(exc).__name__}: {exc}"[:200])
            return
        self._waiting.setdefault((what, entry.name), []).append(document)

    def flush(self) -> None:
        """Put what was recorded into Redis. While that is away it is dropped: newer ones will come."""
        waiting, self._waiting, self._count = self._waiting, {}, 0
        if not waiting:
            return
        try:
            with self._conn.pipeline(transaction=False) as pipeline:
                for (what, service), documents in waiting.items():
                    key = self.key(what, service)
                    pipeline.lpush(key, *documents)
                    pipeline.ltrim(key, 0, KEPT[what] - 1)
                    pipeline.expire(key, _KEPT_S)
                pipeline.execute()
        except redis.RedisError as exc:
            log.warning("runs_not_recorded", error=str(exc))

    def read(self, what: str, service: str) -> list[dict[str, Any]]:
        """Return what is kept of a service, the newest first. Raises redis.RedisError."""
        documents: Any = self._conn.lrange(self.key(what, service), 0, -1)
        # Workers put theirs there in turns, some at a time.
        return sorted(map(orjson.loads, documents), key=lambda each: float(each["resp_ts"]), reverse=True)

    def delete(self, what: str, service: str) -> int:
        """Forget them, and return how many there were. Raises redis.RedisError."""
        with self._conn.pipeline(transaction=True) as pipeline:
            pipeline.llen(self.key(what, service))
            pipeline.delete(self.key(what, service))
            return int(pipeline.execute()[0])


def report_slow(entry: "ServiceEntry", elapsed_ms: float) -> None:
    log.warning(
        "service_slow", service=entry.name, duration_ms=round(elapsed_ms), threshold_ms=round(entry.plan.slow_threshold_ms)
    )


def _messages(instance: "Service") -> dict[str, Any]:
    return {"req": as_text(instance.request.raw_request), "resp": as_text(instance.response.payload)}


def as_text(payload: Any) -> str:
    """Return a request or an answer as text, or its beginning."""
    if isinstance(payload, bytes):
        text = payload[: 4 * MAX_CHARACTERS].decode(errors="replace")
    elif isinstance(payload, str):
        text = _clean(payload[: MAX_CHARACTERS + 1])
    else:
        try:
            text = formats.dump_json(payload).decode()
        except ZatoError:
            text = repr(payload)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _described(error: BaseException) -> dict[str, Any]:
    is_fault = not isinstance(error, ZatoError) or error.http_status >= _SERVER_ERROR
    text = "".join(traceback.format_exception(error)) if is_fault else ""
    message = error.message if isinstance(error, ZatoError) else str(error)
    return {
        "type": type(error).__name__,
        "message": _clean(message)[:_MAX_MESSAGE_CHARACTERS],
        # Its end is where it happened.
        "traceback": _clean(text)[-_MAX_TRACEBACK_CHARACTERS:],
    }


def _clean(text: str) -> str:
    """Without halves of characters, which JSON has no form for."""
    return text.encode(errors="replace").decode()
