"""Requests taken apart by gunicorn_h1c."""

from gunicorn_h1c import H1CProtocol, LimitRequestHeaders, LimitRequestLine
from gunicorn_h1c import ParseError as PackageParseError
from gunicorn_h1c._protocol import ParseError as ProtocolParseError

from zato.common.errors import BadRequest
from zato.server.http.tokenizer import OnBody, OnHead, ParserLimits

# Two unrelated classes, and which one is raised depends on where in the parser it happens.
_PARSE_ERRORS = (PackageParseError, ProtocolParseError, ValueError)


class H1CTokenizer(H1CProtocol):  # type: ignore[misc]  # the package has no types
    def __init__(self, limits: ParserLimits, on_head: OnHead, on_body: OnBody) -> None:
        super().__init__(
            on_headers_complete=on_head,
            on_body=on_body,
            limit_request_line=limits.request_line_bytes,
            limit_request_fields=limits.headers,
            limit_request_field_size=limits.header_bytes,
            limit_remaining=0,
        )
        self._limits = limits

    def feed(self, data: bytes) -> None:
        try:
            super().feed(data)
        except LimitRequestLine:
            raise self._limits.line_too_long() from None
        except LimitRequestHeaders:
            raise self._limits.headers_too_large() from None
        except _PARSE_ERRORS as exc:
            raise BadRequest(f"The request is not valid HTTP/1.1: {exc}") from None
