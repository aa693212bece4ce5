"""Errors as messages. Knows nothing of gRPC, so that processes that speak none can send and read them too."""

from zato.common.errors import InternalError, Unavailable, Unreachable, ZatoError
from zato.proto.errors.v1.errors_pb2 import ErrorDetail

# A call whose trailers are over 8 kB fails in gRPC instead. The message goes twice, also as the status's own text,
# where one byte can take three.
_MAX_MESSAGE_BYTES = 1000
_MAX_ATTRIBUTE_BYTES = 500
_MAX_ATTRIBUTES_BYTES = 2000


def error_detail(error: ZatoError, cid: str) -> ErrorDetail:
    """Return what is sent of an error, cut to what a trailer holds."""
    # Whom we could not reach is our matter: whoever is told this has reached us.
    kind = Unavailable if isinstance(error, Unreachable) else type(error)
    detail = ErrorDetail(type=kind.__name__, message=sent_message(error), http_status=error.http_status, cid=cid)
    left = _MAX_ATTRIBUTES_BYTES
    for name, value in error.attributes.items():
        name, value = _sendable(name, _MAX_ATTRIBUTE_BYTES), _sendable(value, _MAX_ATTRIBUTE_BYTES)
        left -= len(name.encode()) + len(value.encode())
        if left < 0:
            break
        detail.attributes[name] = value
    return detail


def sent_message(error: ZatoError) -> str:
    """Return an error's message as it can travel in a gRPC status."""
    return _sendable(error.message, _MAX_MESSAGE_BYTES)


def _sendable(text: str, max_bytes: int) -> str:
    encoded = text.encode(errors="replace")
    return encoded.decode() if len(encoded) <= max_bytes else f"{encoded[:max_bytes].decode(errors='ignore')}…"


def as_zato_error(exc: BaseException) -> ZatoError:
    """Return what the caller may know of an exception: its own text only when it was raised for the caller."""
    return exc if isinstance(exc, ZatoError) else InternalError("Internal error: its cause is in the log of the called part")
