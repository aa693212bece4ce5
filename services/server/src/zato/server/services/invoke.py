"""Running a service: a new instance, its context, its handler, and its response. Every channel comes through here."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, MethodNotAllowed
from zato.server.services.context import ChannelInfo, ServerContext
from zato.server.services.reqresp import ServiceRequest, ServiceResponse
from zato.server.services.store import ServiceEntry, ServiceStore

if TYPE_CHECKING:
    from zato.server.service import Service

INVOKE_CHANNEL = ChannelInfo("", "invoke", "dict")


class Invoker:
    """
    Args:
        store: Where services are found.

    `context` is set once, when the worker has built it: services reach each other through it, and so back to here.
    """

    context: ServerContext

    def __init__(self, store: ServiceStore) -> None:
        self._store = store

    def invoke(
        self, name: str, request: ServiceRequest, *, cid: str, channel: ChannelInfo, environ: dict[str, Any] | None = None
    ) -> ServiceResponse:
        """
        Run the service and return its response.

        Raises:
            NotFound: There is no such service.
            MethodNotAllowed: It answers other HTTP methods only.
            Exception: Whatever the service raised.
        """
        entry = self._store.get(name)
        instance = self._new(entry, request, cid, channel, {} if environ is None else environ)
        handle = _handler(entry, instance, request)
        if entry.io is None:
            handle()
        else:
            entry.io.before_handle(instance)
            handle()
            entry.io.after_handle(instance)
        return instance.response

    def invoke_from(self, caller: "Service", name: str, payload: Any) -> Any:
        """Run a service for another one and return its payload. One that calls itself would never end, so it may not."""
        if self._store.get(name).cls is type(caller):
            raise BadRequest(f"Service '{name}' may not invoke itself")
        return self.invoke(
            name, in_process_request(payload), cid=caller.cid, channel=INVOKE_CHANNEL, environ=caller.environ
        ).payload

    def _new(
        self, entry: ServiceEntry, request: ServiceRequest, cid: str, channel: ChannelInfo, environ: dict[str, Any]
    ) -> "Service":
        context = self.context
        instance = entry.cls()
        # `name` is an attribute of the class for those who gave one, and the made one for those who did not.
        instance.__dict__.update(
            name=entry.name,
            cid=cid,
            request=request,
            response=ServiceResponse(),
            channel=channel,
            logger=_service_logger(entry.name),
            environ=environ,
            outgoing=context.outgoing,
            out=context.outgoing,
            kvdb=context.kvdb,
            server=context,
        )
        return instance


def in_process_request(payload: Any) -> ServiceRequest:
    """The request of a call that has its payload as a Python object already."""
    return ServiceRequest(payload, lambda: payload, {}, None)


def _handler(entry: ServiceEntry, instance: "Service", request: ServiceRequest) -> Any:
    if not entry.verbs or request.http is None:
        return instance.handle if not entry.verbs else _only_handler(entry, instance)
    method = request.http.method
    if method in entry.verbs:
        return getattr(instance, f"handle_{method}")
    if method == "HEAD" and "GET" in entry.verbs:
        return instance.handle_GET  # type: ignore[attr-defined]
    allowed = entry.verbs | {"HEAD"} if "GET" in entry.verbs else entry.verbs
    raise MethodNotAllowed(f"Method {method} is not allowed here", allow=", ".join(sorted(allowed)))


def _only_handler(entry: ServiceEntry, instance: "Service") -> Any:
    """Outside HTTP there is no method to choose a handler by: POST's is the one that takes a payload."""
    verb = "POST" if "POST" in entry.verbs else min(entry.verbs)
    return getattr(instance, f"handle_{verb}")


@cache
def _service_logger(name: str) -> logging.Logger:
    return logging.getLogger(name)


def as_mapping(payload: Any) -> Mapping[str, Any]:
    """Return an admin service's input. Raises BadRequest unless it is a JSON object."""
    if payload in ("", None):
        return {}
    if not isinstance(payload, Mapping):
        raise BadRequest("The input has to be a JSON object of option names and values")
    return payload
