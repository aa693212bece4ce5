"""The contracts that a server serves, each call forwarded as the bytes it came as."""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from zato.common.errors import BadRequest, DeadlineExceeded, PayloadTooLarge, Unavailable
from zato.common.logs import get_logger
from zato.common.rpc.access import Doorkeeper
from zato.common.rpc.calls import ADDRESS_KEY, TOKEN_KEY, cid_of, find
from zato.common.rpc.roles import WEBADMIN
from zato.proto.accounts.v1 import accounts_pb2
from zato.proto.control_plane.v1 import control_plane_pb2
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, WatchEvent, WatchRequest
from zato.proto.invoker.v1 import invoker_pb2
from zato.proto.invoker.v1.invoker_pb2 import DeliverRequest, InvokeManyRequest, InvokeRequest
from zato.proto.jobs.v1 import jobs_pb2
from zato.server.accounts.tokens import NO_TOKEN
from zato.server.accounts.tokens import PREFIX as PERSONAL
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

INVOKER = invoker_pb2.DESCRIPTOR.services_by_name["Invoker"].full_name
CONTROL_PLANE = control_plane_pb2.DESCRIPTOR.services_by_name["ControlPlane"].full_name
ACCOUNTS = accounts_pb2.DESCRIPTOR.services_by_name["Accounts"].full_name
JOBS = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
SERVICES = (INVOKER, CONTROL_PLANE, JOBS, ACCOUNTS)

# What runs services, and so has to say which.
_RUNS_SERVICES: Mapping[str, Callable[[bytes], Iterable[str]]] = {
    "Invoker/Invoke": lambda message: (InvokeRequest.FromString(message).service,),
    "Invoker/InvokeMany": lambda message: {each.service for each in InvokeManyRequest.FromString(message).invocations},
    "Invoker/Deliver": lambda message: (DeliverRequest.FromString(message).service,),
}
# Callers give deadlines; for one that does not this is it.
_DEFAULT_TIMEOUT_S = 60.0
_WATCH_WAIT_S = 20.0
_WATCH_RETRY_S = 0.5
# Messages of one stream that are worked on at the same time: a few keep all workers busy, and leave others their slots.
_AT_A_TIME = 8

_UNARY = {
    INVOKER: ("Invoke", "Deliver", "HoldLease"),
    CONTROL_PLANE: ("RegisterKinds", "ReportStatus", "ReportRefusals", "Deploy"),
    ACCOUNTS: ("SignIn", "SignOut"),
    JOBS: ("Lead", "Resign", "GetState", "Claim", "Run", "SetPaused"),
}


def add_services(
    server: aio.Server, workers: Workers, token: str, door: Callable[[], Doorkeeper], max_upload_bytes: int = 32 * 1024 * 1024
) -> None:
    """
    Args:
        token: The cluster's, which parts show.
        door: Returns who lets calls in; the server has it, which is not there yet.
        max_upload_bytes: Of what comes in pieces: nobody has to send more to hear that it is too much.
    """
    for service, methods in _UNARY.items():
        contract = service.rpartition(".")[2]
        handlers: dict[str, Any] = {
            method: grpc.unary_unary_rpc_method_handler(_forwarding(workers, f"{contract}/{method}", token, door))
            for method in methods
        }
        if service == INVOKER:
            handlers["InvokeMany"] = grpc.stream_stream_rpc_method_handler(
                _forwarding_each(_forwarding(workers, "Invoker/InvokeMany", token, door))
            )
        if service == CONTROL_PLANE:
            handlers["Upload"] = grpc.stream_unary_rpc_method_handler(
                _gathering(_forwarding(workers, "ControlPlane/Deploy", token, door), max_upload_bytes), DeployRequest.FromString
            )
            handlers["Watch"] = grpc.unary_stream_rpc_method_handler(
                _watching(workers, token), WatchRequest.FromString, _serialize
            )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _services_of(method: str, message: bytes) -> Iterable[str]:
    """Return which services a call means that runs some."""
    try:
        return _RUNS_SERVICES[method](message)
    except DecodeError:
        raise BadRequest(f"The message of {method} cannot be read: was it made from another contract?") from None


def _serialize(event: WatchEvent) -> bytes:
    return event.SerializeToString()


def _forwarding(workers: Workers, method: str, cluster_token: str, door: Callable[[], Doorkeeper]) -> Any:
    runs_service = method in _RUNS_SERVICES

    async def forward(message: bytes, context: aio.ServicerContext[Any, Any]) -> bytes:
        metadata = context.invocation_metadata()
        if runs_service and door().checks_roles:
            for service in _services_of(method, message):
                door().check_service(f"/{INVOKER}/{method.removeprefix('Invoker/')}", service, context, cid_of(metadata))
        remaining = context.time_remaining()
        return await workers.call(
            method,
            message,
            cid=cid_of(metadata),
            actor=find(metadata, "zato-actor") or "cluster",
            address=_address(metadata, context, door()),
            token=_persons_token(metadata, cluster_token),
            timeout_s=_DEFAULT_TIMEOUT_S if remaining is None else remaining,
        )

    return forward


def _forwarding_each(forward: Callable[..., Awaitable[bytes]]) -> Any:
    async def forward_each(messages: AsyncIterator[bytes], context: aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        """Forward the messages of a stream as they come, and send the answers in the order of the messages."""
        answers: asyncio.Queue[asyncio.Future[bytes] | None] = asyncio.Queue()
        free = asyncio.Semaphore(_AT_A_TIME)
        begun: set[asyncio.Future[bytes]] = set()

        async def begin() -> None:
            try:
                async for message in messages:
                    await free.acquire()
                    answer = asyncio.ensure_future(forward(message, context))
                    begun.add(answer)
                    answers.put_nowait(answer)
            finally:
                answers.put_nowait(None)

        reading = asyncio.ensure_future(begin())
        try:
            while (answer := await answers.get()) is not None:
                yield await answer
                begun.discard(answer)
                free.release()
            await reading
        finally:
            # The caller has gone, or one of them failed: nobody waits for the others.
            reading.cancel()
            for answer in begun:
                answer.cancel()
            await asyncio.gather(reading, *begun, return_exceptions=True)

    return forward_each


def _gathering(forward: Any, max_bytes: int) -> Any:
    async def gather(pieces: AsyncIterator[DeployRequest], context: aio.ServicerContext[Any, Any]) -> bytes:
        """Put together what comes in pieces, and forward it as one."""
        request, source = DeployRequest(), bytearray()
        async for piece in pieces:
            source += piece.source
            if len(source) > max_bytes:
                raise PayloadTooLarge(f"More than {max_bytes} bytes are not taken: 'package_max_bytes' in the settings")
            piece.ClearField("source")
            request.MergeFrom(piece)
        request.source = bytes(source)
        forwarded: bytes = await forward(request.SerializeToString(), context)
        return forwarded

    return gather


def _persons_token(metadata: Iterable[tuple[str, str | bytes]] | None, cluster_token: str) -> str:
    """Return the token for the worker to look at, or that there is none; "" of a part, which showed the cluster's."""
    token = find(metadata, TOKEN_KEY).removeprefix("Bearer ")
    if hmac.compare_digest(token.encode(), cluster_token.encode()):
        return ""
    return token if token.startswith(PERSONAL) else NO_TOKEN


def lets_in(method: str, token: str) -> bool:
    """Whether a call without the cluster's token goes on to a worker, which finds out who it is."""
    return method == f"/{ACCOUNTS}/SignIn" or token.startswith(PERSONAL)


def _address(metadata: Iterable[tuple[str, str | bytes]] | None, context: Any, door: Doorkeeper) -> str:
    """Return where the call comes from; of what people do in the web admin, where their browser is."""
    told = find(metadata, ADDRESS_KEY)
    if told and door.is_called_by(WEBADMIN, context):
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(told))
    return _host(context.peer())


def _host(peer: str) -> str:
    """Return the address of e.g. "ipv4:127.0.0.1:50123" or "ipv6:[::1]:50123"; a peer is told with its escapes."""
    scheme, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if scheme in ("ipv4", "ipv6") else scheme


def _watching(workers: Workers, cluster_token: str) -> Any:
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
                    token=_persons_token(context.invocation_metadata(), cluster_token),
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
