"""Admin services that invoke services asynchronously, and tell what became of it: `zato.async.invoke|get-outcome`."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import redis

from zato.common.errors import BadRequest, Forbidden, NotFound, Unavailable
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.admin.noting import noted
from zato.server.control.changes import Author
from zato.server.describe.schemas import number, record, text
from zato.server.services.helpers import HELPERS
from zato.server.services.task_results import Outcome
from zato.server.services.tasks import Task, encode_payload

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_KEPT_S = 3600
# Of the platform's own, those that manage nothing: a task runs as nobody in particular, who may do everything.
_OPEN = frozenset({"zato.ping", "zato.ping2", *(each.name for each in HELPERS)})
_FORMATS = ("json", "raw")


def invoke(admin: "Admin", values: Mapping[str, Any], author: Author) -> dict[str, str]:
    """
    Let some worker run a service soon, once, and return the cid that it will see.

    Raises:
        NotFound: There is no such service.
        Forbidden: It is one that manages the platform.
        Unavailable: Redis did not take it.
    """
    entry = admin.store.get(str(values.get("name", "")))
    if not entry.file_name and entry.name not in _OPEN:
        raise Forbidden(f"'{entry.name}' manages the platform, so it is invoked as somebody, who waits for the answer")
    data_format = values.get("data_format") or "json"
    if data_format not in _FORMATS:
        raise BadRequest(f"'data_format' takes json or raw, not {data_format!r:.40}")
    payload = values.get("payload", "")
    if data_format == "raw" and not isinstance(payload, str):
        raise BadRequest("'payload' takes a text where 'data_format' is raw")
    body, payload_format = encode_payload(payload)
    task = Task(
        service=entry.name,
        cid=author.cid,
        payload=body,
        payload_format=payload_format,
        data_format="json" if data_format == "json" else "",
        caller=author.name,
        created_at=time.time(),
        # Whoever tries something out wants to hear how it went, not that it goes on and on.
        max_attempts=1,
        keep_outcome_s=_KEPT_S,
    )
    queue = admin.queue
    try:
        queue.conn.set(queue.outcome_key(task.cid), msgspec.json.encode(Outcome(entry.name)), ex=_KEPT_S)
    except redis.RedisError as exc:
        raise _away() from exc
    queue.publish([task])
    return {"cid": task.cid}


def outcome(admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
    """Raises NotFound when nothing was invoked so, or too long ago."""
    cid = str(values.get("cid", ""))
    try:
        kept: Any = admin.queue.conn.get(admin.queue.outcome_key(cid))
    except redis.RedisError as exc:
        raise _away() from exc
    if kept is None:
        raise NotFound(f"Nothing is known of an invocation {cid:.64}: what became of one is kept for an hour")
    found: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(kept, type=Outcome))
    return {"cid": cid, **found}


def _away() -> Unavailable:
    return Unavailable("Nothing can be invoked asynchronously now: Redis does not answer")


_TASKS = Area("Asynchronous invocations")
_CID = text("Correlation id that the service sees", minLength=1, maxLength=64)
_INVOKED = {
    "name": text("Name of the service", minLength=1),
    "payload": {"description": "What it is sent: anything that JSON has, a text where the format is raw"},
    "data_format": text("What the payload is", enum=list(_FORMATS), default="json"),
}
INVOKING_ACTIONS: Mapping[str, Action] = {
    "zato.async.invoke": _TASKS.action(
        noted(invoke, "name"),
        Role.DEVELOPER,
        "Let some worker run a service soon, once; what became of it is kept for an hour",
        takes=record(_INVOKED, optional=("payload", "data_format")),
        returns=record({"cid": _CID}),
    ),
    "zato.async.get-outcome": _TASKS.action(
        outcome,
        Role.DEVELOPER,
        "Return what became of a service that was invoked so",
        takes=record({"cid": _CID}),
        returns=record(
            {
                "cid": _CID,
                "service": text("Name of the service"),
                "state": text("What became of it", enum=["waiting", "done", "failed"]),
                "payload": text("What it answered; the beginning, when it is very long"),
                "error": text("Why it failed"),
                "ended_at": number("When it ended, in seconds since the epoch; 0 while it waits"),
            }
        ),
    ),
}
