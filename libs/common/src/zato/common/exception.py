"""
`zato.common.exception`: the errors by the names that users' services import them under.

Nearly all are the platform's own classes (`zato.common.errors`), so what a service catches is what the platform raises.
"""

from zato.common.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    ZatoError,
)

ZatoException = ZatoError
InternalServerError = InternalError
ServiceUnavailable = Unavailable
ConnectionException = Unavailable
TimeoutException = DeadlineExceeded
ClientSecurityException = Forbidden
ParsingException = BadRequest


class HTTPException(ZatoError):
    """
    An answer of any HTTP status: `HTTPException(self.cid, "I am a teapot", 418)`.

    Args:
        status: The status that the client gets.
    """

    def __init__(
        self,
        message: str | None = None,
        text: str | None = None,
        status: int | str = 500,
        /,
        **attributes: object,
    ) -> None:
        status = str(attributes.pop("status", status))
        super().__init__(message, text, status=status, **attributes)
        self.http_status = int(status)


class Inactive(NotFound):
    """What was to be used is switched off."""


class ServiceMissingException(NotFound): ...


__all__ = [
    "AlreadyExists",
    "BadRequest",
    "ClientSecurityException",
    "Conflict",
    "ConnectionException",
    "Forbidden",
    "HTTPException",
    "Inactive",
    "InternalServerError",
    "MethodNotAllowed",
    "NotFound",
    "ParsingException",
    "ServiceMissingException",
    "ServiceUnavailable",
    "TimeoutException",
    "TooManyRequests",
    "Unauthorized",
    "ZatoException",
]
