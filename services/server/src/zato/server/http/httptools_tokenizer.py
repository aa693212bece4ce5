"""Requests taken apart by httptools, for those who would rather trust llhttp, the parser of Node.js."""

import re

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from zato.common.errors import BadRequest, ZatoError
from zato.server.http.tokenizer import OnBody, OnHead, ParserLimits

_CRLF = b"\r\n"
_END = b"\r\n\r\n"
_CR = 13
_REQUEST_LINE = re.compile(rb"([A-Z][A-Z0-9!$%&'*+.^_`|~-]*) +(\S+) +HTTP/1\.([01])")
_BEFORE_CHUNKS = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_NO_TRAILERS = frozenset({b"transfer-encoding", b"content-length", b"host", b"trailer", b"connection", b"te"})


class HttptoolsTokenizer:
    """
    httptools does not say where in its input a request ends, refuses methods that it does not know, and drops the bodies of
    requests that offer HTTP/2 (`Upgrade: h2c`). So it is given heads by themselves, and then, when the body is chunked, pieces
    that end where such a body can: behind an empty line. A body that has a length is only counted.
    """

    def __init__(self, limits: ParserLimits, on_head: OnHead, on_body: OnBody) -> None:
        self._limits = limits
        self._on_head = on_head
        self._on_body = on_body
        self.reset()

    def reset(self) -> None:
        self._head = bytearray()
        self._line_start, self._lines = 0, 0
        self._skipped_bytes = 0
        self._chunks: _Chunks | None = None
        self._missing_bytes = 0
        self._rest = b""
        self.method = b""
        self.path = b""
        self.http_version = (1, 1)
        self.asgi_headers: list[tuple[bytes, bytes]] = []
        self.should_keep_alive = False
        self.is_complete = False

    def remaining(self) -> bytes:
        return self._rest

    def feed(self, data: bytes) -> None:
        if not self.method:
            self._head += data
            if not self._has_whole_head():
                return
            data = bytes(self._head[self._line_start :])
            self._take_head(bytes(self._head[self._skipped_bytes : self._line_start]))
        if self._chunks is not None:
            self._rest, self.is_complete = self._chunks.feed(data)
        else:
            part, self._rest = data[: self._missing_bytes], data[self._missing_bytes :]
            if part:
                self._missing_bytes -= len(part)
                self._on_body(part)
            self.is_complete = not self._missing_bytes

    def _has_whole_head(self) -> bool:
        """Look at the lines that were not looked at yet, the one that is not complete included."""
        head = self._head
        while True:
            end = head.find(b"\n", self._line_start)
            self._check_length((len(head) if end < 0 else end - 1) - self._line_start)
            if end < 0:
                return False
            if not end or head[end - 1] != _CR:
                raise BadRequest("The request is not valid HTTP/1.1: a line ends without a carriage return")
            is_empty = end - 1 == self._line_start
            self._line_start = end + 1
            if not is_empty:
                self._lines += 1
            elif self._lines or self._skipped_bytes:
                return True
            else:
                self._skipped_bytes = self._line_start

    def _check_length(self, length: int) -> None:
        if not self._lines:
            if length > self._limits.request_line_bytes:
                raise self._limits.line_too_long()
        elif length > self._limits.header_bytes or (length > 0 and self._lines > self._limits.headers):
            raise self._limits.headers_too_large()

    def _take_head(self, head: bytes) -> None:
        line, _, fields = head.partition(_CRLF)
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise BadRequest("The request is not valid HTTP/1.1: its first line is not method, target and version")
        self.method, self.path = match[1], match[2]
        self.http_version = (1, int(match[3]))
        found = _Head(b"GET / HTTP/1." + match[3] + _CRLF + fields)
        self.asgi_headers = found.headers
        self.should_keep_alive = _keeps_alive(found.headers, self.http_version)
        self._on_head()
        framing = dict(self.asgi_headers)
        if b"transfer-encoding" in framing:
            self._chunks = _Chunks(self._on_body, self._limits)
        else:
            self._missing_bytes = int(framing.get(b"content-length", 0))


class _Head:
    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._is_complete = False
        try:
            HttpRequestParser(self).feed_data(data)
        except HttpParserUpgrade:
            pass
        except HttpParserError as exc:
            # What it says of a complete head is about the body, and that is not for it to judge.
            if not self._is_complete:
                raise BadRequest(f"The request is not valid HTTP/1.1: {exc}") from None

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._is_complete = True


def _keeps_alive(headers: list[tuple[bytes, bytes]], version: tuple[int, int]) -> bool:
    """httptools would also heed Proxy-Connection, which nothing defines."""
    values = b",".join(value for name, value in headers if name == b"connection")
    tokens = {token.strip().lower() for token in values.split(b",")}
    return b"close" not in tokens and (version == (1, 1) or b"keep-alive" in tokens)


class _Chunks:
    def __init__(self, on_body: OnBody, limits: ParserLimits) -> None:
        self._take = on_body
        self._limits = limits
        self._is_complete = False
        self._tail = b""
        # Sizes of chunks, extensions, trailers: what has arrived since the last byte of a body.
        self._between_bytes = 0
        self._is_begun = False
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(_BEFORE_CHUNKS)
        self._is_begun = True

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what is not part of this body, and whether it is complete."""
        start = len(self._tail)
        data = self._tail + data
        view = memoryview(data)
        while start < len(data) and not self._is_complete:
            found = data.find(_END, max(0, start - 3))
            end = len(data) if found < 0 else found + len(_END)
            self._between_bytes += end - start
            self._feed(view[start:end])
            if self._between_bytes > self._limits.header_bytes:
                raise BadRequest("The request's chunks are not acceptable: there is too much between them")
            start = end
        self._tail = data[max(0, start - 3) : start]
        return data[start:], self._is_complete

    def _feed(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserError as exc:
            # Of our own, raised by who takes the body.
            if isinstance(exc.__context__, ZatoError):
                raise exc.__context__ from None
            raise BadRequest(f"The request's chunks are not valid HTTP/1.1: {exc}") from None

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Of a trailer: nobody reads them, and those that would mean something in a head may not be there."""
        if self._is_begun and name.lower() in _NO_TRAILERS:
            raise BadRequest(f"The request has the trailer {name.decode('latin-1')}, which may only be a header")

    def on_body(self, part: bytes) -> None:
        self._between_bytes = 0
        self._take(part)

    def on_message_complete(self) -> None:
        self._is_complete = True
