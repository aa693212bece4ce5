"""A threaded gRPC server for the parts that are plain processes: agent, scheduler, connectors, certificate authority."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from zato.common.errors import Unauthorized, Unavailable, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.common.rpc.access import Doorkeeper
from zato.common.rpc.calls import ERROR_KEY, OPEN_SERVICES, check_token, cid_of, guarded, status_of
from zato.common.rpc.details import as_zato_error, error_detail, sent_message
from zato.common.rpc.reflection import Reflection
from zato.common.rpc.refusals import Refusal
from zato.common.rpc.tls import TLSFiles, server_credentials

log = get_logger(__name__)


class ThreadedServer:
    """
    Args:
        address: host:port to listen at; port 0 takes a free one, see `port`.
        token: What callers have to send; without one nobody gets in.
        services: Full names, e.g. "zato.proto.load_balancer.v1.LoadBalancer", for health and reflection.
        add: Adds the servicers, e.g. `lambda server: add_LoadBalancerServicer_to_server(agent, server)`.
        tls: Files that are read again when they change.
        checks_roles: Whether callers are let in by the role in their certificates, see `zato.common.rpc.access`.
        demands_certificates: Of clients, when there is TLS.
        on_refusal: Is told of each call that was not let in.
        tokenless: Methods, e.g. "/zato.proto.certificate_authority.v1.Enrolment/Enrol", that know callers by other means.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        services: Sequence[str],
        add: Callable[[grpc.Server], None],
        tls: TLSFiles | None = None,
        checks_roles: bool = False,
        demands_certificates: bool = True,
        on_refusal: Callable[[Refusal], None] | None = None,
        tokenless: Sequence[str] = (),
        threads: int = 16,
    ) -> None:
        self._services = services
        reader = tls.reader() if tls is not None and tls.is_on else None
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            interceptors=[_Guard(token, Doorkeeper(reader, checks_roles=checks_roles, on_refusal=on_refusal), tokenless)],
            options=[("grpc.so_reuseport", 0)],
        )
        add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((Reflection([*services, health.SERVICE_NAME]),))
        try:
            if reader is not None:
                credentials = server_credentials(reader, demands_certificates=demands_certificates)
                self.port = self._server.add_secure_port(address, credentials)
            else:
                self.port = self._server.add_insecure_port(address)
        except RuntimeError as exc:
            raise Unavailable(f"gRPC cannot listen at {address}: is the port taken?") from exc

    def start(self) -> None:
        self._server.start()
        self.set_serving(True)

    def set_serving(self, is_serving: bool) -> None:
        """Say in health checks whether calls should come here."""
        serving = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", *self._services):
            self._health.set(name, serving.SERVING if is_serving else serving.NOT_SERVING)

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no new calls, give running ones `grace_s` seconds, then cancel them."""
        self.set_serving(False)
        self._server.stop(grace_s).wait()


class _Guard(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Refuses calls without the token, whatever they call, and stands around those that it lets in."""

    def __init__(self, token: str, door: Doorkeeper, tokenless: Sequence[str]) -> None:
        self._token = token
        self._door = door
        self._tokenless = frozenset(tokenless)

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        call = _Call(method, cid_of(metadata), self._door)
        try:
            if method not in self._tokenless:
                check_token(method, metadata, self._token)
        except Unauthorized as exc:
            return call.refusal(exc)
        handler = continuation(handler_call_details)
        if handler is None or method.startswith(OPEN_SERVICES):
            return handler
        return guarded(handler, call.unary, call.stream)


class _Call:
    """Binds the correlation id, and sends errors so that they come out as themselves."""

    def __init__(self, method: str, cid: str, door: Doorkeeper) -> None:
        self._method = method
        self._cid = cid
        self._door = door

    def unary(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            with bind_cid(self._cid):
                try:
                    self._door.check_call(self._method, context, self._cid)
                    return behavior(request, context)
                except Exception as exc:
                    self._fail(exc, context)

        return guarded

    def stream(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            with bind_cid(self._cid):
                try:
                    self._door.check_call(self._method, context, self._cid)
                    yield from behavior(request, context)
                except Exception as exc:
                    self._fail(exc, context)

        return guarded

    def refusal(self, error: ZatoError) -> Any:
        """A handler that fails before it reads anything: taken for any kind of call."""
        return grpc.stream_stream_rpc_method_handler(lambda _requests, context: self._fail(error, context))

    def _fail(self, exc: Exception, context: grpc.ServicerContext) -> None:
        error = as_zato_error(exc)
        if error is not exc:
            log.exception("grpc_call_failed", method=self._method)
        context.set_trailing_metadata(((ERROR_KEY, error_detail(error, self._cid).SerializeToString()),))
        context.abort(status_of(error), sent_message(error))
