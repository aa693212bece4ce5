"""Errors as messages. Knows nothing of gRPC, so that processes that speak none can send and read them too."""

from zato.common.errors import InternalError, ZatoError
from zato.proto.errors.v1.errors_pb2 import ErrorDetail


def error_detail(error: ZatoError, cid: str) -> ErrorDetail:
    return ErrorDetail(
        type=type(error).__name__, message=error.message, http_status=error.http_status, cid=cid, attributes=error.attributes
    )


def as_zato_error(exc: BaseException) -> ZatoError:
    """Return what the caller may know of an exception: its own text only when it was raised for the caller."""
    return exc if isinstance(exc, ZatoError) else InternalError("Internal error: its cause is in the log of the called part")
