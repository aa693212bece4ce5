"""What one call carries beside its message: the caller's token, the correlation id, and the error when it fails."""

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc

from zato.common.cid import new_cid
from zato.common.errors import PUBLIC, Unauthorized, Unreachable, WorkerLost, ZatoError, error_from
from zato.proto.errors.v1.errors_pb2 import ErrorDetail

CID_KEY = "zato-cid"
TOKEN_KEY = "authorization"  # noqa: S105 (a name)
# Where a person's browser is. Believed of the web admin's certificate only.
ADDRESS_KEY = "zato-address"
ERROR_KEY = "zato-error-bin"
# Health checks and reflection say nothing of the cluster, and the tools that ask for them send no token.
OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")

Metadata = Sequence[tuple[str, str | bytes]]

_details_by_code = {
    grpc.StatusCode.UNAVAILABLE: "Nobody answers at {target}: is it running? ({details})",
    grpc.StatusCode.DEADLINE_EXCEEDED: "{target} did not answer in time ({details})",
}
# What gRPC says of a call that was under way when its connection broke; of one that was never taken it says other things.
_BROKEN = ("Stream removed", "Socket closed", "recvmsg:", "Connection reset", "Broken pipe")
_PUBLIC = "A part of the platform that this needs cannot be used now: try again in a moment"


def call_metadata(token: str, cid: str, address: str = "") -> Metadata:
    """
    Args:
        address: Of whom this is done for, when that is not the caller.
    """
    made = ((TOKEN_KEY, f"Bearer {token}"), (CID_KEY, cid))
    return (*made, (ADDRESS_KEY, address)) if address else made


def find(metadata: Iterable[tuple[str, str | bytes]] | None, key: str) -> str:
    for name, value in metadata or ():
        if name == key:
            return value.decode() if isinstance(value, bytes) else value
    return ""


def cid_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    return find(metadata, CID_KEY) or new_cid()


# Whether a call with another token than the cluster's is let in, to be judged by whoever answers it: method and token.
LetsIn = Callable[[str, str], bool]


def lets_nobody_in(_method: str, _token: str) -> bool:
    return False


def check_token(
    method: str, metadata: Iterable[tuple[str, str | bytes]] | None, expected: str, lets_in: LetsIn = lets_nobody_in
) -> None:
    """Raise Unauthorized unless the call carries the cluster's token, goes to an open service, or is let in."""
    if method.startswith(OPEN_SERVICES):
        return
    given = find(metadata, TOKEN_KEY).removeprefix("Bearer ")
    if lets_in(method, given):
        return
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unauthorized("The call carries no valid token of this cluster: give the one in its secrets file")


def guarded(handler: Any, unary: Callable[[Any], Any], stream: Callable[[Any], Any]) -> Any:
    """
    Return a method's handler with its behavior replaced, of whichever of the four kinds it is.

    Args:
        unary, stream: Make the behavior of a method that answers once, or with a stream, from the one that it had.
    """
    return _Handler(handler, unary, stream)


class _Handler(grpc.RpcMethodHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """Made for each call, and made faster than gRPC's own functions make one."""

    unary_unary = unary_stream = stream_unary = stream_stream = None

    def __init__(self, handler: Any, unary: Callable[[Any], Any], stream: Callable[[Any], Any]) -> None:
        self.request_streaming = handler.request_streaming
        self.response_streaming = handler.response_streaming
        self.request_deserializer = handler.request_deserializer
        self.response_serializer = handler.response_serializer
        if self.response_streaming:
            if self.request_streaming:
                self.stream_stream = stream(handler.stream_stream)
            else:
                self.unary_stream = stream(handler.unary_stream)
        elif self.request_streaming:
            self.stream_unary = unary(handler.stream_unary)
        else:
            self.unary_unary = unary(handler.unary_unary)


def status_of(error: ZatoError) -> grpc.StatusCode:
    return grpc.StatusCode[error.grpc_code]


def error_from_call(call: Any, target: str) -> ZatoError:
    """Turn a failed call into the error that was raised at the other side, or into what kept us from reaching it."""
    code, details = call.code(), call.details() or ""
    for name, value in call.trailing_metadata() or ():
        if name == ERROR_KEY:
            detail = ErrorDetail.FromString(value)
            return error_from(detail.type, detail.message, detail.attributes, code.name)
    if code is grpc.StatusCode.CANCELLED:
        # By the other side, which stops.
        return WorkerLost(f"The call to {target} was cancelled", public=_PUBLIC)
    template = _details_by_code.get(code, "{target}: {details}")
    type_name = ""
    if code is grpc.StatusCode.UNAVAILABLE:
        type_name = (WorkerLost if details.startswith(_BROKEN) else Unreachable).__name__
    return error_from(type_name, template.format(target=target, details=details), {PUBLIC: _PUBLIC}, code.name)
