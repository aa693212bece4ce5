"""The step that turns errors into answers: the right status, a body in the channel's format, never a traceback."""

import re
import traceback
from collections.abc import Mapping

from greenlet import GreenletExit

from zato.common.errors import (
    PUBLIC,
    InternalError,
    MethodNotAllowed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    ZatoError,
)
from zato.common.logs import get_logger
from zato.server.http import formats
from zato.server.http.request import Request, Response
from zato.server.http.soap.actions import is_soap
from zato.server.http.soap.endpoint import fault_response
from zato.server.http.steps import Handler, Step

log = get_logger(__name__)

# What XML 1.0 has no form for, and JSON none for the surrogates.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

OUR_FAULT = "An error has occurred; its cause is in the server's log under this cid"


def make_error_step(*, return_tracebacks: bool) -> Step:
    """`return_tracebacks` shows the client why a service failed: for development only."""

    def answer_errors(request: Request, next: Handler) -> Response:
        try:
            return next(request)
        except ZatoError as error:
            if error.http_status >= 500:
                log.error("request_failed", error=type(error).__name__, details=error.message, exc_info=True)
            return error_response(request, error)
        except GreenletExit:
            raise
        # A service may leave by `sys.exit()`, or by a gevent.Timeout that it forgot: its client gets an answer all the same,
        # and the worker has other requests to serve.
        except BaseException as exc:
            log.exception("service_failed", channel=request.channel.name if request.channel else "")
            details = "".join(traceback.format_exception(exc)) if return_tracebacks else OUR_FAULT
            return error_response(request, InternalError(details))

    return answer_errors


def error_response(request: Request, error: ZatoError) -> Response:
    channel = request.channel
    if channel.soap is not None if channel is not None else is_soap(request):
        response = fault_response(channel.soap if channel else None, error, _details(error), request)
        response.headers.update(_headers(error))
        return response
    return make_error_response(error, request.cid, channel.options.data_format if channel else "json")


def make_error_response(error: ZatoError, cid: str, data_format: str = "json") -> Response:
    """
    Return the answer that a client gets: {"result": "Error", "cid": …, "details": …}, the same in XML, or text.

    Text is what clients of channels get whose format has no form for a structure.
    """
    details = _details(error)
    if data_format not in ("json", "xml"):
        text = f"{details} (cid {cid})\n"
        return Response(error.http_status, text.encode(), formats.CONTENT_TYPES[""], _headers(error))
    body = {"result": "Error", "cid": cid, "details": details}
    encoded, content_type = formats.dump(data_format, body)
    return Response(error.http_status, encoded, content_type, _headers(error))


def _details(error: ZatoError) -> str:
    details = OUR_FAULT if type(error) is ZatoError else error.attributes.get(PUBLIC, error.message)
    return _UNSENDABLE.sub("\ufffd", details)


def _headers(error: ZatoError) -> Mapping[str, str]:
    if isinstance(error, Unauthorized) and error.challenge:
        return {"WWW-Authenticate": error.challenge}
    if isinstance(error, MethodNotAllowed) and error.allow:
        return {"Allow": error.allow}
    if isinstance(error, TooManyRequests | Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    return {}
