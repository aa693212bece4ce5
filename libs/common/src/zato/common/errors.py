"""
The platform's errors. Each has one HTTP status and one gRPC code, so it crosses parts and comes out as itself.

    ZatoError                   500  INTERNAL
    ├── BadRequest              400  INVALID_ARGUMENT
    │   ├── InvalidOptions      400  INVALID_ARGUMENT      what is wrong with which option
    │   ├── ElementMissing      400  INVALID_ARGUMENT      of a service's input
    │   ├── ElementIsNotAList   400  INVALID_ARGUMENT
    │   └── WrongElement        400  INVALID_ARGUMENT
    ├── Unauthorized            401  UNAUTHENTICATED
    ├── Forbidden               403  PERMISSION_DENIED
    ├── NotFound                404  NOT_FOUND
    ├── MethodNotAllowed        405  UNIMPLEMENTED
    ├── NotAcceptable           406  INVALID_ARGUMENT
    ├── RequestTimeout          408  DEADLINE_EXCEEDED     the client was too slow
    ├── Conflict                409  FAILED_PRECONDITION
    │   └── AlreadyExists       409  ALREADY_EXISTS
    ├── PayloadTooLarge         413  OUT_OF_RANGE
    ├── UriTooLong              414  OUT_OF_RANGE
    ├── UnsupportedMediaType    415  INVALID_ARGUMENT
    ├── TooManyRequests         429  RESOURCE_EXHAUSTED    a rate limit is reached
    ├── HeadersTooLarge         431  OUT_OF_RANGE
    ├── InternalError           500  INTERNAL              details stay in the log
    ├── NotImplementedHere      501  UNIMPLEMENTED
    ├── Unavailable             503  UNAVAILABLE
    │   ├── Unreachable         503  UNAVAILABLE           nobody took the call
    │   └── WorkerLost          503  UNAVAILABLE           it went away in the middle of the work
    └── DeadlineExceeded        504  DEADLINE_EXCEEDED     we were too slow
"""

from collections.abc import Mapping
from typing import ClassVar

# The attribute with the sentence that clients from outside get, where the message has an address or a library's text.
PUBLIC = "public"

_classes: dict[str, type["ZatoError"]] = {}


class ZatoError(Exception):
    """
    The base of all errors that the platform raises on purpose.

    Users' services raise the same classes, in the form that was published for them, with a correlation id before the
    message: `BadRequest(self.cid, "No such customer")`, or `BadRequest(cid=self.cid, msg="No such customer")`.

    Args:
        message: One sentence for whoever has to act: what, where and what to do. The cid where `text` is given.
        text: The message, in the published form.
        attributes: The error's data, by name, e.g. kind="channel-http". Sent along to other parts. One named `public` is
            what HTTP clients are told instead of the message, which operators and the log get.
    """

    http_status: int = 500
    grpc_code: ClassVar[str] = "INTERNAL"

    # Positional-only, so that an attribute may have any name.
    def __init__(self, message: str | None = None, text: str | None = None, /, **attributes: object) -> None:
        self.cid = ""
        if text is not None:
            self.cid, message = str(message or ""), text
        elif message is None:
            self.cid, message = str(attributes.pop("cid", None) or ""), str(attributes.pop("msg", None) or "")
        super().__init__(message)
        self.message = self.msg = str(message)
        self.attributes = {key: str(value) for key, value in attributes.items()}

    @property
    def status(self) -> int:
        """The HTTP status, under the name that users' services know."""
        return self.http_status

    def __init_subclass__(cls) -> None:
        _classes[cls.__name__] = cls

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self).__name__, self.message, self.attributes)


_classes["ZatoError"] = ZatoError


class BadRequest(ZatoError):
    http_status = 400
    grpc_code = "INVALID_ARGUMENT"


class InvalidOptions(BadRequest):
    """Options or settings do not fit their declaration; `attributes` maps each bad option to what was wanted."""


class ElementMissing(BadRequest):
    """A required element of a service's input was not given. `path` is e.g. /customer/addresses[0]/city."""


class ElementIsNotAList(BadRequest):
    """An element takes a list and was given something else."""


class WrongElement(BadRequest):
    """An element was given a value that it does not take."""


class Unauthorized(ZatoError):
    """No valid credentials. `challenge` is the value of the WWW-Authenticate header, if any."""

    http_status = 401
    grpc_code = "UNAUTHENTICATED"

    def __init__(
        self, message: str | None = None, text: str | None = None, /, challenge: str = "", **attributes: object
    ) -> None:
        super().__init__(message, text, challenge=challenge, **attributes)
        self.challenge = challenge


class Forbidden(ZatoError):
    http_status = 403
    grpc_code = "PERMISSION_DENIED"


class NotFound(ZatoError):
    http_status = 404
    grpc_code = "NOT_FOUND"


class MethodNotAllowed(ZatoError):
    """`allow` is the value of the Allow header, e.g. "GET, HEAD"."""

    http_status = 405
    grpc_code = "UNIMPLEMENTED"

    def __init__(self, message: str | None = None, text: str | None = None, /, allow: str = "", **attributes: object) -> None:
        super().__init__(message, text, allow=allow, **attributes)
        self.allow = allow


class NotAcceptable(ZatoError):
    http_status = 406
    grpc_code = "INVALID_ARGUMENT"


class RequestTimeout(ZatoError):
    http_status = 408
    grpc_code = "DEADLINE_EXCEEDED"


class Conflict(ZatoError):
    http_status = 409
    grpc_code = "FAILED_PRECONDITION"


class AlreadyExists(Conflict):
    grpc_code = "ALREADY_EXISTS"


class PayloadTooLarge(ZatoError):
    http_status = 413
    grpc_code = "OUT_OF_RANGE"


class UriTooLong(ZatoError):
    http_status = 414
    grpc_code = "OUT_OF_RANGE"


class UnsupportedMediaType(ZatoError):
    http_status = 415
    grpc_code = "INVALID_ARGUMENT"


class TooManyRequests(ZatoError):
    """`retry_after_s` is the value of the Retry-After header: whole seconds until it is worth to try again."""

    http_status = 429
    grpc_code = "RESOURCE_EXHAUSTED"

    def __init__(
        self, message: str | None = None, text: str | None = None, /, retry_after_s: int | str = 1, **attributes: object
    ) -> None:
        super().__init__(message, text, retry_after_s=retry_after_s, **attributes)
        self.retry_after_s = int(retry_after_s) if str(retry_after_s).isdecimal() else 1


class HeadersTooLarge(ZatoError):
    http_status = 431
    grpc_code = "OUT_OF_RANGE"


class InternalError(ZatoError):
    """Something of ours or of a user's service broke. The message never holds details of it."""


class NotImplementedHere(ZatoError):
    http_status = 501
    grpc_code = "UNIMPLEMENTED"


class Unavailable(ZatoError):
    """`retry_after_s` is the value of the Retry-After header: whole seconds until it is worth to try again."""

    http_status = 503
    grpc_code = "UNAVAILABLE"

    def __init__(
        self, message: str | None = None, text: str | None = None, /, retry_after_s: int | str = 0, **attributes: object
    ) -> None:
        if retry_after_s:
            attributes["retry_after_s"] = retry_after_s
        super().__init__(message, text, **attributes)
        self.retry_after_s = max(1, int(retry_after_s)) if str(retry_after_s).isdecimal() else 1


class Unreachable(Unavailable):
    """
    Nobody took the call, so another address is worth a try; what raises a plain `Unavailable` is there, and lacks something.

    Only ever raised where a call is made from: whoever asked us has reached us, and is sent an `Unavailable`.
    """


class WorkerLost(Unavailable):
    """Whoever had taken the work went away before it was done: nobody knows how far it came, or whether it was to blame."""


class DeadlineExceeded(ZatoError):
    http_status = 504
    grpc_code = "DEADLINE_EXCEEDED"


_class_by_code: dict[str, type[ZatoError]] = {
    "INVALID_ARGUMENT": BadRequest,
    "UNAUTHENTICATED": Unauthorized,
    "PERMISSION_DENIED": Forbidden,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": Conflict,
    "OUT_OF_RANGE": PayloadTooLarge,
    "UNIMPLEMENTED": NotImplementedHere,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
}


_code_by_status = {cls.http_status: cls.grpc_code for cls in _class_by_code.values()}


def grpc_code_of(http_status: int) -> str:
    """Return the gRPC code of what has this status, for errors of types that this part does not know."""
    return _code_by_status.get(http_status, "INVALID_ARGUMENT" if 400 <= http_status < 500 else "INTERNAL")


def error_from(type_name: str, message: str, attributes: Mapping[str, str], grpc_code: str = "INTERNAL") -> ZatoError:
    """
    Rebuild an error that another part sent.

    A class that this part does not know, since the other one is newer, or that takes more than a message and
    attributes, becomes the nearest one by its gRPC code.
    """
    nearest = _class_by_code.get(grpc_code, InternalError)
    try:
        return _classes.get(type_name, nearest)(message, **attributes)
    except TypeError:
        return nearest(message, **attributes)


def _rebuild(type_name: str, message: str, attributes: Mapping[str, str]) -> ZatoError:
    return error_from(type_name, message, attributes)
