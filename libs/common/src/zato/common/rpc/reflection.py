"""Reflection, by which tools such as grpcurl learn what a server offers. Its library is imported when somebody asks."""

import functools
from collections.abc import Sequence
from typing import Any

import grpc

_SERVICE = "grpc.reflection.v1alpha.ServerReflection"


class Reflection(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """
    Args:
        services: Full names of those that it tells of, beside itself.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = (*services, _SERVICE)

    def service(self, handler_call_details: Any) -> Any:
        return self._handler if handler_call_details.method == f"/{_SERVICE}/ServerReflectionInfo" else None

    @functools.cached_property
    def _handler(self) -> Any:
        from grpc_reflection.v1alpha import reflection, reflection_pb2

        return grpc.stream_stream_rpc_method_handler(
            reflection.ReflectionServicer(self._services).ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
