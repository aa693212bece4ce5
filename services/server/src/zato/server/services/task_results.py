"""What follows from the end of a task: its callbacks, and the next step of the pattern that it is a part of."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from zato.common.cid import new_cid
from zato.server.http import formats
from zato.server.services.moments import utc_now
from zato.server.services.tasks import Pattern, Task, encode_payload

_MOST_KEPT_CHARACTERS = 1_000_000
_CALLBACK_CHANNEL = "invoke-async-callback"


@dataclass(frozen=True, slots=True)
class Result:
    """
    How a task ended.

    Args:
        response: The service's; "" when it failed.
        error: Why it failed; "" when it did not.
        traceback: The same at length.
    """

    response: Any = ""
    error: str = ""
    traceback: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.error


class Outcome(msgspec.Struct, frozen=True):
    """
    What is kept of a task that somebody asks for later.

    Args:
        state: "waiting" until it has ended, then "done" or "failed".
        payload: What the service answered, as text.
        ended_at: Seconds since the epoch; 0 while it waits.
    """

    service: str
    state: str = "waiting"
    payload: str = ""
    error: str = ""
    ended_at: float = 0.0


def outcome_of(task: Task, result: Result) -> bytes:
    """Raises what encoding a response raises that has no form as text."""
    state = "done" if result.is_ok else "failed"
    text = response_text(result.response)
    return msgspec.json.encode(Outcome(task.service, state, text[:_MOST_KEPT_CHARACTERS], result.error, time.time()))


def response_text(response: Any) -> str:
    """Return whatever a service answered with as text."""
    return "" if response is None else response if isinstance(response, str) else _as_text(response)


def follow_ups(task: Task, result: Result) -> list[Task]:
    """Return the tasks that a task's end leads to at once."""
    made = [_callback(task, name, result) for name in task.callbacks]
    pattern = task.pattern
    if pattern is None:
        return made
    if pattern.kind == "retry":
        payload = _retry_outcome(task, pattern, result)
        return made + [_pattern_task(pattern, name, payload, _CALLBACK_CHANNEL) for name in pattern.on_final]
    payload = target_outcome(task, pattern, result)
    channel = f"{pattern.kind}-on-target"
    return made + [_pattern_task(pattern, name, payload, channel) for name in pattern.on_target]


def target_outcome(task: Task, pattern: Pattern, result: Result) -> dict[str, Any]:
    """What `on_target` services get."""
    return {
        "source": pattern.source,
        "target": task.service,
        "response": result.response,
        "req_ts_utc": pattern.requested_at,
        "resp_ts_utc": utc_text(),
        "ok": result.is_ok,
        "exception": result.traceback or result.error or None,
        "cid": pattern.cid,
    }


def final_tasks(pattern: Pattern, outcomes: Sequence[dict[str, Any]]) -> list[Task]:
    """Return the tasks that the end of all targets of a fan-out leads to."""
    payload = {
        "source": pattern.source,
        "req_ts_utc": pattern.requested_at,
        "on_target": list(pattern.on_target),
        "on_final": list(pattern.on_final),
        "data": {outcome["target"]: outcome for outcome in outcomes},
    }
    return [_pattern_task(pattern, name, payload, f"{pattern.kind}-on-final") for name in pattern.on_final]


def utc_text() -> str:
    return utc_now().isoformat()


def _callback(task: Task, name: str, result: Result) -> Task:
    return Task(
        service=name,
        cid=new_cid(),
        # Callbacks get text, whatever the service answered with.
        payload=response_text(result.response).encode(),
        channel=_CALLBACK_CHANNEL,
        environ={} if result.is_ok else {"async_error": result.error},
        in_reply_to=task.cid,
        caller=task.service,
        created_at=time.time(),
    )


def _as_text(response: Any) -> str:
    return (response if isinstance(response, bytes) else formats.dump_json(response)).decode()


def _retry_outcome(task: Task, pattern: Pattern, result: Result) -> dict[str, Any]:
    return {
        "ok": result.is_ok,
        "source": pattern.source,
        "target": task.service,
        "retry_repeats": pattern.repeats,
        "retry_seconds": pattern.seconds,
        "call_cid": task.cid,
        "orig_cid": pattern.cid,
        "req_ts_utc": pattern.requested_at,
        "context": pattern.context,
    }


def _pattern_task(pattern: Pattern, name: str, payload: Any, channel: str) -> Task:
    body, payload_format = encode_payload(payload)
    return Task(
        service=name,
        cid=new_cid() if pattern.kind == "retry" else pattern.cid,
        payload=body,
        payload_format=payload_format,
        channel=channel,
        in_reply_to=pattern.cid,
        caller=pattern.source,
        created_at=time.time(),
    )
