"""What a package that takes requests apart does for our parser, which judges what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zato.common.errors import HeadersTooLarge, UriTooLong

OnHead = Callable[[], None]
OnBody = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class ParserLimits:
    request_line_bytes: int
    headers: int
    header_bytes: int
    body_bytes: int

    def line_too_long(self) -> UriTooLong:
        return UriTooLong(f"The request line is longer than {self.request_line_bytes} bytes")

    def headers_too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(f"The request has more than the accepted {self.headers} headers of {self.header_bytes} bytes")


class Tokenizer(Protocol):
    """
    One connection's. It calls `on_head` when the headers are complete, and `on_body` with each part of the body as it comes.

    Attributes:
        path: The request's target, as it came.
        asgi_headers: Names in lower case.
    """

    @property
    def method(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...
    @property
    def http_version(self) -> tuple[int, int]: ...
    @property
    def asgi_headers(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def should_keep_alive(self) -> bool: ...
    @property
    def is_complete(self) -> bool: ...

    def feed(self, data: bytes) -> None:
        """
        Raises:
            UriTooLong, HeadersTooLarge: There is more than the limits allow, complete or not.
            BadRequest: It is not HTTP/1.
        """

    def remaining(self) -> bytes:
        """Return what came after the request."""

    def reset(self) -> None:
        """Begin with the next request."""


# Of the limits, `on_head` and `on_body`.
MakeTokenizer = Callable[[ParserLimits, OnHead, OnBody], Tokenizer]
