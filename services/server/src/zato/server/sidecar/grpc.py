"""The contracts that a server serves, each call forwarded as the bytes it came as."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc import aio

from zato.common.errors import DeadlineExceeded, Unavailable
from zato.common.logs import get_logger
from zato.common.rpc.calls import cid_of, find
from zato.proto.control_plane.v1 import control_plane_pb2
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent, WatchRequest
from zato.proto.invoker.v1 import invoker_pb2
from zato.proto.jobs.v1 import jobs_pb2
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

INVOKER = invoker_pb2.DESCRIPTOR.services_by_name["Invoker"].full_name
CONTROL_PLANE = control_plane_pb2.DESCRIPTOR.services_by_name["ControlPlane"].full_name
JOBS = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
SERVICES = (INVOKER, CONTROL_PLANE, JOBS)

# Callers give deadlines; for one that does not this is it.
_DEFAULT_TIMEOUT_S = 60.0
_WATCH_WAIT_S = 20.0
_WATCH_RETRY_S = 0.5

_UNARY = {
    INVOKER: ("Invoke",),
    CONTROL_PLANE: ("RegisterKinds", "ReportStatus", "Deploy"),
    JOBS: ("Lead", "Resign", "GetState", "Claim", "Run", "SetPaused"),
}


def add_services(server: aio.Server, workers: Workers) -> None:
    for service, methods in _UNARY.items():
        contract = service.rpartition(".")[2]
        handlers: dict[str, Any] = {
            method: grpc.unary_unary_rpc_method_handler(_forwarding(workers, f"{contract}/{method}")) for method in methods
        }
        if service == CONTROL_PLANE:
            handlers["Watch"] = grpc.unary_stream_rpc_method_handler(_watching(workers), WatchRequest.FromString, _serialize)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _serialize(event: WatchEvent) -> bytes:
    return event.SerializeToString()


def _forwarding(workers: Workers, method: str) -> Any:
    async def forward(message: bytes, context: aio.ServicerContext[Any, Any]) -> bytes:
        metadata = context.invocation_metadata()
        remaining = context.time_remaining()
        return await workers.call(
            method,
            message,
            cid=cid_of(metadata),
            actor=find(metadata, "zato-actor") or "cluster",
            timeout_s=_DEFAULT_TIMEOUT_S if remaining is None else remaining,
        )

    return forward


def _watching(workers: Workers) -> Any:
    async def watch(request: WatchRequest, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[WatchEvent]:
        """
        Ask a worker for what is new, again and again.

        A worker that goes away, or hangs, ends one question, not the stream: the next worker answers from the same version.
        """
        cid = cid_of(context.invocation_metadata())
        has_snapshot = False
        while True:
            try:
                message = await workers.call_until_stop(
                    "ControlPlane/Watch",
                    request.SerializeToString(),
                    cid=cid,
                    actor=request.watcher,
                    timeout_s=_WATCH_WAIT_S + 10,
                    wait_s=_WATCH_WAIT_S,
                )
            except (Unavailable, DeadlineExceeded):
                if workers.is_stopping:
                    raise
                await asyncio.sleep(_WATCH_RETRY_S)
                continue
            event = WatchEvent.FromString(message)
            if event.version != request.from_version or (event.is_snapshot and not has_snapshot):
                request.from_version, has_snapshot = event.version, True
                yield event
            elif event.is_snapshot:
                # Version 0 is both "I have nothing" and "nothing was ever configured": nobody waits for it in a worker.
                await asyncio.sleep(_WATCH_RETRY_S)

    return watch
