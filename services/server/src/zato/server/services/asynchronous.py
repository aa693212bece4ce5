"""`self.invoke_async()`: what a call of a service becomes."""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zato.common.cid import new_cid
from zato.common.errors import BadRequest
from zato.server.http import formats
from zato.server.services.context import ChannelInfo
from zato.server.services.invoke import Invoker, in_process_request
from zato.server.services.tasks import Task, encode_payload

if TYPE_CHECKING:
    from zato.server.service import Service

_CONVENTION = "{}-async-callback"


def invoke_async(
    caller: "Service",
    name: str,
    payload: Any,
    *,
    channel: str,
    data_format: str,
    expires_s: float | None = None,
    to_json_string: bool = False,
    cid: str | None = None,
    callback: Any = None,
    environ: Mapping[str, Any] | None = None,
    delay_s: float = 0.0,
    target: str | None = None,
) -> str:
    """
    Args:
        target: Run it in each worker of the servers that are this target, of all servers when "". In any one worker when None.
    """
    if delay_s < 0 or (expires_s or 0) < 0:
        raise BadRequest("'delay' and 'expiration' take seconds, not less than 0")
    if to_json_string:
        payload = formats.dump_json(payload).decode()
    body, payload_format = encode_payload(payload)
    now = time.time()
    task = Task(
        service=name,
        cid=cid or new_cid(),
        payload=body,
        payload_format=payload_format,
        channel=channel,
        data_format=data_format,
        environ=dict(environ or {}),
        callbacks=_callbacks(caller, callback),
        caller=caller.name,
        created_at=now,
        expires_at=now + delay_s + expires_s if expires_s else 0.0,
    )
    if target is None:
        caller.server.tasks.publish([task], delay_s=delay_s)
    elif delay_s:
        raise BadRequest(f"Service '{name}' cannot be invoked in all workers with a 'delay': only who listens now hears of it")
    else:
        caller.server.tasks.broadcast(task, target)
    return task.cid


def run_task(invoker: Invoker, task: Task) -> Any:
    """Run a task's service in this worker, and return its response's payload."""
    request = in_process_request(task.decoded_payload, task.data_format)
    channel = ChannelInfo("", task.channel, task.data_format)
    response = invoker.invoke(
        task.service, request, cid=task.cid, channel=channel, environ=task.environ, in_reply_to=task.in_reply_to
    )
    return response.payload


def service_names(caller: "Service", services: Any) -> tuple[str, ...]:
    """
    Return the names of services that are given as a name, a class, a service itself, or several of these.

    Raises:
        NotFound: There is no such service.
    """
    if not services:
        return ()
    several = services if isinstance(services, Iterable) and not isinstance(services, str) else (services,)
    named = (each if isinstance(each, str | type) else each.name for each in several)
    return tuple(_callback_name(caller, each) for each in named)


def _callback_name(caller: "Service", service: Any) -> str:
    invoker = caller.server.invoker
    # A service may answer itself, and need not list itself for that.
    entry = invoker.store.find(service)
    return entry.name if entry.name == caller.name else invoker.entry_for(caller, service).name


def _callbacks(caller: "Service", callback: Any) -> tuple[str, ...]:
    if callback:
        return service_names(caller, callback)
    by_convention = _CONVENTION.format(caller.name)
    return (by_convention,) if by_convention in caller.server.invoker.store else ()
