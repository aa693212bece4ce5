"""Admin services for asynchronous invocations: how many there are, and those that were given up."""

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from zato.common.errors import NotFound, Unavailable
from zato.common.logs import get_logger
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.control.changes import Author
from zato.server.describe.schemas import array, integer, number, record, text
from zato.server.services.tasks import FIELD, GROUP, Task, Tasks, decode, encode

log = get_logger(__name__)

_MOST_LISTED = 1000


def task_status(tasks: Tasks) -> dict[str, int]:
    """Return how many wait, run, wait for their time or next try, and were given up."""
    try:
        with tasks.conn.pipeline(transaction=True) as pipeline:
            pipeline.xlen(tasks.stream)
            pipeline.zcard(tasks.delayed)
            pipeline.xlen(tasks.dead)
            in_stream, delayed, dead = pipeline.execute()
        running = tasks.conn.xpending(tasks.stream, GROUP)["pending"] if in_stream else 0
    except redis.ResponseError:
        # No worker has ever taken a task.
        running = 0
    except redis.RedisError as exc:
        raise _away() from exc
    return {"waiting": in_stream - running, "running": running, "delayed": delayed, "given_up": dead}


def dead_letters(tasks: Tasks) -> list[dict[str, Any]]:
    """Return what was given up, the newest first, with the reason."""
    try:
        entries: Any = tasks.conn.xrevrange(tasks.dead, count=_MOST_LISTED)
    except redis.RedisError as exc:
        raise _away() from exc
    return [_describe(id.decode(), fields) for id, fields in entries]


def retry_dead_letter(tasks: Tasks, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
    """Let what was given up, by its `id`, run again as if for the first time."""
    id, fields = _find(tasks, values)
    try:
        task = msgspec.structs.replace(decode(fields[FIELD]), attempt=1, expires_at=0.0)
    except msgspec.DecodeError:
        raise NotFound(f"The invocation {id} cannot be read, so it cannot be run again", id=id) from None
    with tasks.conn.pipeline(transaction=True) as pipeline:
        tasks.add(pipeline, [encode(task)])
        pipeline.xdel(tasks.dead, id)
        pipeline.execute()
    log.info("dead_letter_retried", id=id, task_cid=task.cid, service=task.service, actor=author.name)
    return {"id": id, "cid": task.cid, "service": task.service}


def delete_dead_letter(tasks: Tasks, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
    id, _ = _find(tasks, values)
    tasks.conn.xdel(tasks.dead, id)
    log.info("dead_letter_deleted", id=id, actor=author.name)
    return {"id": id}


def _find(tasks: Tasks, values: Mapping[str, Any]) -> tuple[str, dict[bytes, bytes]]:
    id = str(values.get("id", ""))
    try:
        found: Any = tasks.conn.xrange(tasks.dead, id, id) if id else []
    except redis.ResponseError:
        found = []
    except redis.RedisError as exc:
        raise _away() from exc
    if not found:
        raise NotFound(f"There is no invocation '{id:.40}' that was given up: see zato.async.get-dead-letters", id=id)
    return id, found[0][1]


def _describe(id: str, fields: dict[bytes, bytes]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": id,
        "reason": fields.get(b"reason", b"").decode(errors="replace"),
        "failed_at": float(fields.get(b"failed_at", b"0")),
    }
    try:
        task: Task = decode(fields[FIELD])
    except (msgspec.DecodeError, KeyError):
        return made
    return made | {
        "service": task.service,
        "cid": task.cid,
        "caller": task.caller,
        "attempts": task.attempt,
        "created_at": task.created_at,
        "payload": task.payload.decode(errors="replace"),
    }


def _away() -> Unavailable:
    return Unavailable("The asynchronous invocations cannot be looked at now: Redis does not answer")


_TASKS = Area("Asynchronous invocations")
_ID = record({"id": text("Id of the invocation that was given up", minLength=1)})
_DEAD_LETTER = record(
    {
        "id": text("Its id, for retrying and deleting"),
        "reason": text("Why it was given up"),
        "failed_at": number("When, in seconds since the epoch"),
        "service": text("Service that was to run"),
        "cid": text("Correlation id"),
        "caller": text("Who asked for it"),
        "attempts": integer("How often it was tried"),
        "created_at": number("When it was asked for, in seconds since the epoch"),
        "payload": text("What the service was sent"),
    },
    optional=("service", "cid", "caller", "attempts", "created_at", "payload"),
)
TASK_ACTIONS: Mapping[str, Action] = {
    "zato.async.get-status": _TASKS.action(
        lambda admin, _values, _author: task_status(admin.queue),
        Role.VIEWER,
        "Return how many asynchronous invocations wait, run, wait for their time or next try, and were given up",
        returns=record(
            {
                "waiting": integer("How many a worker has still to take"),
                "running": integer("How many run now"),
                "delayed": integer("How many wait for their time or their next try"),
                "given_up": integer("How many nobody tries any more"),
            }
        ),
    ),
    "zato.async.get-dead-letters": _TASKS.action(
        lambda admin, _values, _author: dead_letters(admin.queue),
        Role.OPERATOR,
        "Return what was given up, the newest first, with the reason",
        returns=array(_DEAD_LETTER),
    ),
    "zato.async.retry-dead-letter": _TASKS.action(
        lambda admin, values, author: retry_dead_letter(admin.queue, values, author),
        Role.OPERATOR,
        "Let what was given up run again as if for the first time",
        takes=_ID,
        returns=record({"id": text("Id that it had"), "cid": text("Correlation id"), "service": text("Service that will run")}),
    ),
    "zato.async.delete-dead-letter": _TASKS.action(
        lambda admin, values, author: delete_dead_letter(admin.queue, values, author),
        Role.OPERATOR,
        "Delete what was given up",
        takes=_ID,
        returns=record({"id": text("Id that it had")}),
    ),
}
