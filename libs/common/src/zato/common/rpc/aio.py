"""What the builders of `rpc.server` and `rpc.client` do, for processes that run on asyncio."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from zato.common.cid import new_cid
from zato.common.errors import Unauthorized, Unavailable, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.common.rpc.access import Doorkeeper
from zato.common.rpc.calls import (
    ERROR_KEY,
    OPEN_SERVICES,
    LetsIn,
    call_metadata,
    check_token,
    cid_of,
    guarded,
    lets_nobody_in,
    status_of,
)
from zato.common.rpc.channels import ReloadingChannel
from zato.common.rpc.client import RECONNECT_OPTIONS
from zato.common.rpc.details import as_zato_error, error_detail, sent_message
from zato.common.rpc.distrust import Distrust
from zato.common.rpc.refusals import Refusal
from zato.common.rpc.tls import TLSFiles, channel_credentials, server_credentials

log = get_logger(__name__)
Response = TypeVar("Response")

# Longer than any call of an asyncio client takes.
_RETIRED_CHANNEL_S = 300.0


class AioServer:
    """
    The asyncio twin of `zato.common.rpc.server.ThreadedServer`. `door` decides who gets in.

    Args:
        on_refusal: Is told of each call that was not let in.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        services: Sequence[str],
        add: Callable[[aio.Server], None],
        tls: TLSFiles | None = None,
        checks_roles: bool = False,
        on_refusal: Callable[[Refusal], None] | None = None,
        max_message_bytes: int = 64 * 1024 * 1024,
        lets_in: LetsIn = lets_nobody_in,
    ) -> None:
        self._services = services
        reader = tls.reader() if tls is not None and tls.is_on else None
        self.door = Doorkeeper(reader, checks_roles=checks_roles, on_refusal=on_refusal)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        limits = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.max_send_message_length", max_message_bytes)]
        guard = _Guard(token, self.door, lets_in)
        self._server = aio.server(handlers=[guard], options=[("grpc.so_reuseport", 0), *limits])
        add(cast("aio.Server", guard))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        try:
            if reader is not None:
                self.port = self._server.add_secure_port(address, server_credentials(reader))
            else:
                self.port = self._server.add_insecure_port(address)
        except RuntimeError as exc:
            raise Unavailable(f"gRPC cannot listen at {address}: is the port taken?") from exc

    async def start(self) -> None:
        await self._server.start()

    async def set_serving(self, is_serving: bool) -> None:
        serving = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", *self._services):
            await self._health.set(name, serving.SERVING if is_serving else serving.NOT_SERVING)

    async def stop(self, grace_s: float = 5.0) -> None:
        await self.set_serving(False)
        await self._server.stop(grace_s)


class _Guard(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """
    Refuses calls without the token, whatever they call, and stands around those that it lets in.

    It has the methods itself, as a server has, and is asked for them: an interceptor would cost each call two coroutines more.
    """

    def __init__(self, token: str, door: Doorkeeper, lets_in: LetsIn) -> None:
        self._token = token
        self._door = door
        self._lets_in = lets_in
        self._handlers: list[grpc.GenericRpcHandler[Any, Any]] = []

    def add_generic_rpc_handlers(self, handlers: Iterable["grpc.GenericRpcHandler[Any, Any]"]) -> None:
        self._handlers += handlers

    def add_registered_method_handlers(self, _service: str, _methods: Mapping[str, Any]) -> None:
        """Generated code adds its methods in both ways; servers of asyncio use the other."""

    def service(self, handler_call_details: Any) -> Any:
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        if method.startswith(OPEN_SERVICES):
            return None
        call = _Call(method, metadata, self._door)
        try:
            check_token(method, metadata, self._token, self._lets_in)
        except Unauthorized as exc:
            return call.refusal(exc)
        found = (each.service(handler_call_details) for each in self._handlers)
        handler = next((each for each in found if each is not None), None)
        return None if handler is None else guarded(handler, call.unary, call.stream)


class _KnownContext:
    """A call's context that remembers what gRPC makes anew, and slowly, each time it is asked."""

    def __init__(self, context: Any, metadata: Any) -> None:
        self._context = context
        self._metadata = metadata
        self._auth_context: Mapping[str, Iterable[bytes]] | None = None

    def invocation_metadata(self) -> Any:
        return self._metadata

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        if self._auth_context is None:
            self._auth_context = self._context.auth_context()
        return self._auth_context

    def time_remaining(self) -> float | None:
        remaining: float | None = self._context.time_remaining()
        return remaining

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class _Call:
    """Binds the correlation id, and sends errors so that they come out as themselves."""

    def __init__(self, method: str, metadata: Any, door: Doorkeeper) -> None:
        self._method = method
        self._metadata = metadata
        self._cid = cid_of(metadata)
        self._door = door

    def unary(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            known = _KnownContext(context, self._metadata)
            with bind_cid(self._cid):
                try:
                    self._door.check_call(self._method, known, self._cid)
                    return await behavior(request, known)
                except Exception as exc:
                    await self._fail(exc, context)

        return guarded

    def stream(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            known = _KnownContext(context, self._metadata)
            with bind_cid(self._cid):
                try:
                    self._door.check_call(self._method, known, self._cid)
                    async for response in behavior(request, known):
                        yield response
                except Exception as exc:
                    await self._fail(exc, context)

        return guarded

    def refusal(self, error: ZatoError) -> Any:
        """A handler that fails before it reads anything: taken for any kind of call."""

        async def refuse(_requests: Any, context: aio.ServicerContext[Any, Any]) -> None:
            await self._fail(error, context)

        return grpc.stream_stream_rpc_method_handler(refuse)

    async def _fail(self, exc: Exception, context: aio.ServicerContext[Any, Any]) -> None:
        if isinstance(exc, aio.AbortError):
            raise exc
        error = as_zato_error(exc)
        if error is not exc:
            log.exception("grpc_call_failed", method=self._method)
        detail = error_detail(error, self._cid).SerializeToString()
        await context.abort(status_of(error), sent_message(error), ((ERROR_KEY, detail),))


class AioClient:
    """The asyncio twin of `zato.common.rpc.client.Client`."""

    def __init__(
        self, target: str, *, token: str, tls: TLSFiles | None = None, on_refusal: Callable[[Refusal], None] | None = None
    ) -> None:
        self.target = target
        self._distrust = Distrust(target, on_refusal)
        self._token = token
        self._closing: set[asyncio.Task[None]] = set()
        self.channel: aio.Channel
        if tls is not None and tls.is_on:
            channel = ReloadingChannel(
                tls.reader(),
                make=lambda material: aio.secure_channel(target, channel_credentials(material), options=RECONNECT_OPTIONS),
                retire=self._retire,
            )
            self.channel = cast("aio.Channel", channel)
        else:
            self.channel = aio.insecure_channel(target, options=RECONNECT_OPTIONS)

    async def call(self, method: Any, request: Any, *, timeout_s: float, cid: str = "") -> Any:
        """Call `method` and return its answer; raises as `Client.call` does."""
        try:
            return await method(request, timeout=timeout_s, metadata=call_metadata(self._token, cid or new_cid()))
        except aio.AioRpcError as exc:
            raise self._distrust.error_of(exc) from exc

    async def close(self) -> None:
        await self.channel.close(None)
        for task in tuple(self._closing):
            task.cancel()

    def _retire(self, channel: aio.Channel) -> None:
        # Waits for the calls that run on it. The loop itself keeps no task alive.
        task = asyncio.get_running_loop().create_task(channel.close(_RETIRED_CHANNEL_S))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
