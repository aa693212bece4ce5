"""
Asynchronous invocations, kept in Redis from before their callers hear "accepted" until they have run.

    <prefix>:stream     those to run, a stream with the consumer group "workers": each worker of the cluster is a consumer
    <prefix>:delayed    those to run later: retries, and invocations with a delay; scored by when, in milliseconds
    <prefix>:dead       those that failed for good, with the reason: for people to look at
    <prefix>:broadcast  no key, a channel: what each worker is to run that listens now; nothing is kept of it
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from zato.common.errors import BadRequest, Unavailable
from zato.common.logs import get_logger
from zato.common.redis_clients import redis_client
from zato.server.http import formats

log = get_logger(__name__)

GROUP = "workers"
FIELD = b"m"
_CHECK_PERSISTENCE_EVERY_S = 60.0
_TIMEOUT_S = 5.0
_encoder = msgspec.msgpack.Encoder()


class Pattern(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What a task is a part of: one target of a fan-out or a parallel execution, or a call that is retried.

    Args:
        kind: "fanout", "parallel-exec" or "retry".
        source: Name of the service that began it.
        requested_at: When, in UTC, as text.
        targets: How many there are in all.
        on_final: Services to invoke in the end; with "retry", whatever the end was.
    """

    kind: str
    source: str
    requested_at: str
    cid: str
    targets: int = 0
    on_target: tuple[str, ...] = ()
    on_final: tuple[str, ...] = ()
    repeats: int = 0
    seconds: float = 0.0
    context: Any = None


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One invocation of a service.

    Args:
        payload_format: "json", "text" or "bytes".
        callbacks: Services that get the response.
        expires_at: Seconds since the epoch; never when 0.
        attempt: The how manieth try this is.
        max_attempts: After so many it is given up; as the server's settings say when 0.
        retry_after_s: Seconds before each retry; as the settings say when below 0.
        target: Of a broadcast: the servers that are to run it; all when empty.
        keep_outcome_s: For so many seconds what became of it is kept, for whoever asks by its cid.
    """

    service: str
    cid: str
    payload: bytes = b""
    payload_format: str = "text"
    channel: str = "invoke-async"
    data_format: str = ""
    environ: dict[str, Any] = {}
    callbacks: tuple[str, ...] = ()
    in_reply_to: str = ""
    caller: str = ""
    created_at: float = 0.0
    expires_at: float = 0.0
    attempt: int = 1
    max_attempts: int = 0
    retry_after_s: float = -1.0
    pattern: Pattern | None = None
    target: str = ""
    keep_outcome_s: int = 0

    @property
    def decoded_payload(self) -> Any:
        if self.payload_format == "bytes":
            return self.payload
        return formats.load_json(self.payload) if self.payload_format == "json" else self.payload.decode()


_decoder = msgspec.msgpack.Decoder(Task)
_text_decoder = msgspec.json.Decoder(Task)


def encode_payload(payload: Any) -> tuple[bytes, str]:
    """Return a payload as bytes, and in which format. Raises InternalError for what JSON has no form for."""
    if isinstance(payload, bytes):
        return payload, "bytes"
    if isinstance(payload, str):
        return payload.encode(), "text"
    return formats.dump_json(payload), "json"


def encode(task: Task) -> bytes:
    """Raises BadRequest when `environ` holds what can't be sent to another process."""
    try:
        return _encoder.encode(task)
    except (TypeError, OverflowError, ValueError) as exc:
        raise BadRequest(f"Service '{task.service}' cannot be invoked asynchronously with this 'environ': {exc}") from exc


def encode_text(task: Task) -> str:
    """The same as text, for channels that carry nothing else."""
    encode(task)
    return msgspec.json.encode(task).decode()


def decode_text(message: str) -> Task:
    """Raises msgspec.DecodeError."""
    return _text_decoder.decode(message)


def decode(blob: bytes) -> Task:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(blob)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """
    Args:
        concurrency: Tasks that run at a time in one worker.
        max_attempts: How often a task is tried in all.
        retry_after_s: Before the first retry; doubled before each further one.
        claim_after_s: A worker that does not say for so long that it still runs a task is taken for dead.
        needs_persistence: Whether to refuse tasks when Redis would forget them.
    """

    concurrency: int = 20
    max_attempts: int = 3
    retry_after_s: float = 1.0
    longest_retry_s: float = 300.0
    claim_after_s: float = 30.0
    needs_persistence: bool = True
    dead_letters_kept: int = 10_000

    def back_off_s(self, task: Task) -> float:
        if task.retry_after_s >= 0:
            return task.retry_after_s
        return float(min(self.retry_after_s * 2 ** (task.attempt - 1), self.longest_retry_s))


class Tasks:
    """
    Takes tasks, for whichever worker is free.

    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:async".
    """

    def __init__(self, url: str, prefix: str, settings: TaskSettings) -> None:
        self.settings = settings
        self.conn = redis_client(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        self.stream = f"{prefix}:stream"
        self.delayed = f"{prefix}:delayed"
        self.dead = f"{prefix}:dead"
        self.broadcasts = f"{prefix}:broadcast"
        self._prefix = prefix
        self._checked_at = float("-inf")

    def results_key(self, cid: str) -> str:
        """The hash with the results of a fan-out's targets."""
        return f"{self._prefix}:fanout:{cid}"

    def outcome_key(self, cid: str) -> str:
        """What became of a task: see `zato.server.services.task_results.Outcome`."""
        return f"{self._prefix}:outcome:{cid}"

    def publish(self, tasks: Sequence[Task], *, delay_s: float = 0.0) -> None:
        """
        Put tasks into Redis, all or none.

        Raises:
            Unavailable: Redis does not answer, refuses, or would forget them when it is restarted.
        """
        blobs = [encode(task) for task in tasks]
        try:
            self._check_persistence()
            with self.conn.pipeline(transaction=len(blobs) > 1) as pipeline:
                self.add(pipeline, blobs, delay_s)
                pipeline.execute()
        except redis.RedisError as exc:
            log.warning("tasks_not_published", error=str(exc))
            names = ", ".join(dict.fromkeys(task.service for task in tasks))
            raise Unavailable(f"Redis did not take the invocation of {names}: it may not have been queued") from exc

    def broadcast(self, task: Task, target: str = "") -> None:
        """
        Let each worker run a task that listens now, of the servers that are `target`, or of all.

        Raises:
            Unavailable: Redis does not answer.
        """
        message = encode_text(msgspec.structs.replace(task, target=target))
        try:
            self.conn.publish(self.broadcasts, message)
        except redis.RedisError as exc:
            log.warning("task_not_broadcast", error=str(exc))
            raise Unavailable(f"Redis did not take the invocation of {task.service}: nobody may have heard of it") from exc

    def add(self, pipeline: Any, blobs: Sequence[bytes], delay_s: float = 0.0) -> None:
        for blob in blobs:
            if delay_s > 0:
                pipeline.zadd(self.delayed, {blob: round((time.time() + delay_s) * 1000)})
            else:
                pipeline.xadd(self.stream, {FIELD: blob})

    def close(self) -> None:
        self.conn.close()

    def _check_persistence(self) -> None:
        if not self.settings.needs_persistence or time.monotonic() - self._checked_at < _CHECK_PERSISTENCE_EVERY_S:
            return
        if not _keeps_data(self.conn):
            raise Unavailable(
                "Nothing can be invoked asynchronously: Redis would forget it when it is restarted. Switch its append-only "
                "file on (appendonly yes), or accept the loss in the server's settings (async_needs_persistence = false)"
            )
        self._checked_at = time.monotonic()


def _keeps_data(conn: "redis.Redis") -> bool:
    information: Any = conn.info("persistence")
    if information.get("aof_enabled"):
        return True
    try:
        snapshots: Any = conn.config_get("save")
    except redis.ResponseError:
        # Who runs Redis for us does not say. They run it with replicas or snapshots, or we could not be warned anyway.
        return True
    if snapshots.get("save"):
        log.warning("redis_snapshots_only", consequence="what was queued since the last snapshot is lost if Redis dies")
        return True
    return False
