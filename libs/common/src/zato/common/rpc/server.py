"""A threaded gRPC server for the parts that are plain processes: agent, scheduler, connectors, certificate authority."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from zato.common.errors import Unavailable
from zato.common.logs import bind_cid, get_logger
from zato.common.rpc.calls import ERROR_KEY, check_token, cid_of, status_of
from zato.common.rpc.details import as_zato_error, error_detail, sent_message
from zato.common.rpc.tls import TLSFiles

log = get_logger(__name__)


class ThreadedServer:
    """
    Args:
        address: host:port to listen at; port 0 takes a free one, see `port`.
        token: What callers have to send; without one nobody gets in.
        services: Full names, e.g. "zato.proto.load_balancer.v1.LoadBalancer", for health and reflection.
        add: Adds the servicers, e.g. `lambda server: add_LoadBalancerServicer_to_server(agent, server)`.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        services: Sequence[str],
        add: Callable[[grpc.Server], None],
        tls: TLSFiles | None = None,
        threads: int = 16,
    ) -> None:
        self._services = services
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            interceptors=[_Guard(token)],
            options=[("grpc.so_reuseport", 0)],
        )
        add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        try:
            if tls is not None and tls.is_on:
                self.port = self._server.add_secure_port(address, tls.server_credentials())
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
    """Checks the token, binds the correlation id, and sends errors so that they come out as themselves."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None or handler.response_streaming or handler.request_streaming:
            return handler
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata

        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            cid = cid_of(metadata)
            with bind_cid(cid):
                try:
                    check_token(method, metadata, self._token)
                    return handler.unary_unary(request, context)
                except Exception as exc:
                    error = as_zato_error(exc)
                    if error is not exc:
                        log.exception("grpc_call_failed", method=method)
                    context.set_trailing_metadata(((ERROR_KEY, error_detail(error, cid).SerializeToString()),))
                    context.abort(status_of(error), sent_message(error))

        return grpc.unary_unary_rpc_method_handler(guarded, handler.request_deserializer, handler.response_serializer)
