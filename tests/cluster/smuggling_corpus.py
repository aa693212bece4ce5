"""
Requests that two HTTP parsers in a row may read as different numbers of requests.

Each is the bytes of one connection. `{n}` is the case's number; where a parser that is too lenient goes on reading at the wrong
place, it finds a request for /echo/hidden-{n}, which nobody sent.
"""

from collections.abc import Iterator

HIDDEN = b"GET /echo/hidden-{n} HTTP/1.1\r\nHost: x\r\n\r\n"
_HOST = b"Host: x\r\n"


def _post(headers: bytes, body: bytes, line: bytes = b"POST /echo/{n} HTTP/1.1\r\n", host: bytes = _HOST) -> bytes:
    return line + host + headers + b"\r\n" + body


_ENCODINGS = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding:chunked",
    b"transfer-encoding: CHUNKED",
    b"Transfer-Encoding: \tchunked",
    b"Transfer-Encoding: chunked \t",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: chunked;q=1",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked\x0b",
    b"Transfer-Encoding: \x0cchunked",
    b"Transfer-Encoding: \x00chunked",
    b"Transfer-Encoding: chu\x00nked",
    b"Transfer-Encoding: \xa0chunked",
    b"Transfer-Encoding: chunked\x85",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\n chunked",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer_Encoding: chunked",
    b"Transfer-Encoding\x00: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\r\n\tTransfer-Encoding: chunked",
    b"Content-Encoding: chunked",
)
_LENGTHS = (
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: 0x5",
    b"Content-Length: 5,5",
    b"Content-Length: 5, 60",
    b"Content-Length: 05",
    b"Content-Length: 5 ",
    b"Content-Length:\t5",
    b"Content-Length: 5\x0b",
    b"Content-Length: 5;",
    b"Content-Length: 5 5",
    b"Content-Length: 1e1",
    b"Content-Length: 5.0",
    b"Content-Length: ",
    b"Content-Length: \xef\xbc\x95",
    b"Content-Length: 18446744073709551621",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 60",
    b"Content-Length: 0\r\nContent-Length: 5",
    b"Content-Length : 5",
    b" Content-Length: 5",
    b"Content_Length: 5",
    b"Content-Length:\r\n 5",
    b"Content-Length: 5\r\n 0",
    b"Content-Length: 5\nX: y",
    b"Content-Length: 5\rX: y",
    b"Content-Length: 5\x00",
    b"X: y\nContent-Length: 5",
    b"Content-Length: 0",
    b"X: no length",
)
_CHUNKS = (
    b"5;ext=1\r\nAAAAA\r\n0\r\n\r\n",
    b'5;ext="\r\n"\r\nAAAAA\r\n0\r\n\r\n',
    b"5 ; ext\r\nAAAAA\r\n0\r\n\r\n",
    b"5;\nAAAAA\r\n0\r\n\r\n",
    b"5;ext\nAAAAA\r\n0\r\n\r\n",
    b"5;ext\rAAAAA\r\n0\r\n\r\n",
    b"0x5\r\nAAAAA\r\n0\r\n\r\n",
    b"+5\r\nAAAAA\r\n0\r\n\r\n",
    b"-5\r\nAAAAA\r\n0\r\n\r\n",
    b" 5\r\nAAAAA\r\n0\r\n\r\n",
    b"5 \r\nAAAAA\r\n0\r\n\r\n",
    b"5\nAAAAA\r\n0\r\n\r\n",
    b"5\rAAAAA\r\n0\r\n\r\n",
    b"00000000000000005\r\nAAAAA\r\n0\r\n\r\n",
    b"10000000000000005\r\nAAAAA\r\n0\r\n\r\n",
    b"fffffffffffffffb\r\nAAAAA\r\n0\r\n\r\n",
    b"g\r\nAAAAA\r\n0\r\n\r\n",
    b"\r\nAAAAA\r\n0\r\n\r\n",
    b"5\r\nAAAAA0\r\n\r\n",
    b"5\r\nAAAAA\n0\r\n\r\n",
    b"5\r\nAAAAA\r0\r\n\r\n",
    b"5\r\nAAAAABB\r\n0\r\n\r\n",
    b"4\r\nAAAAA\r\n0\r\n\r\n",
    b"5\r\nAAAAA\r\n0\n\n",
    b"5\r\nAAAAA\r\n0\r\n\n",
    b"5\r\nAAAAA\r\n0\n\r\n",
    b"5\r\nAAAAA\r\n00\r\n\r\n",
    b"5\r\nAAAAA\r\n0;ext\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nTrailer: x\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nContent-Length: 70\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nTrailer : x\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\n folded\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nTrailer: x\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nTrailer: x\r\r\n\r\n",
    b"5\r\nAAAAA\r\n0\r\nno colon\r\n\r\n",
    b"5\r\nAAAAA\r\n0",
    b"5\r\nAAA",
)
_LINES = (
    b"POST /echo/{n} HTTP/1.1\n",
    b"POST /echo/{n} HTTP/1.1\r",
    b"POST  /echo/{n} HTTP/1.1\r\n",
    b"POST /echo/{n}  HTTP/1.1\r\n",
    b"POST\t/echo/{n}\tHTTP/1.1\r\n",
    b" POST /echo/{n} HTTP/1.1\r\n",
    b"POST /echo/{n} HTTP/1.1 \r\n",
    b"\r\nPOST /echo/{n} HTTP/1.1\r\n",
    b"\nPOST /echo/{n} HTTP/1.1\r\n",
    b"\r\n\r\nPOST /echo/{n} HTTP/1.1\r\n",
    b"POST /echo/{n} HTTP/1.0\r\n",
    b"POST /echo/{n} HTTP/1.2\r\n",
    b"POST /echo/{n} HTTP/1.10\r\n",
    b"POST /echo/{n} HTTP/2.0\r\n",
    b"POST /echo/{n} http/1.1\r\n",
    b"POST /echo/{n}\r\n",
    b"POST /echo/{n} HTTP/1.1 HTTP/1.1\r\n",
    b"POST http://x/echo/{n} HTTP/1.1\r\n",
    b"POST http://y/echo/{n} HTTP/1.1\r\n",
    b"POST http://x@y/echo/{n} HTTP/1.1\r\n",
    b"POST //echo/{n} HTTP/1.1\r\n",
    b"POST /echo/{n}?a=b HTTP/1.1\r\n",
    b"POST /echo/{n}#a HTTP/1.1\r\n",
    b"POST /echo/{n}\x00 HTTP/1.1\r\n",
    b"POST /echo/{n}\x80 HTTP/1.1\r\n",
    b"POST /echo/{n}\x0b HTTP/1.1\r\n",
    b"POST /other/../echo/{n} HTTP/1.1\r\n",
    b"POST /echo%2f{n} HTTP/1.1\r\n",
    b"POST echo/{n} HTTP/1.1\r\n",
    b"POST * HTTP/1.1\r\n",
    b"P\x00ST /echo/{n} HTTP/1.1\r\n",
    b"CONNECT x:80 HTTP/1.1\r\n",
    b"TRACE /echo/{n} HTTP/1.1\r\n",
    b"HEAD /echo/{n} HTTP/1.1\r\n",
    b"OPTIONS /echo/{n} HTTP/1.1\r\n",
    b"DELETE /echo/{n} HTTP/1.1\r\n",
    b"G(T /echo/{n} HTTP/1.1\r\n",
)
_HEADERS = (
    b"no colon\r\n",
    b": no name\r\n",
    b"Na me: x\r\n",
    b"Name : x\r\n",
    b"Name\x00: x\r\n",
    b"Name: a\x00b\r\n",
    b"Name: a\rb\r\n",
    b"Name: a\nb: c\r\n",
    b"Name: a\r\n folded\r\n",
    b"N\xc3\xa4me: x\r\n",
    b"Connection: Content-Length\r\n",
    b"Connection: Transfer-Encoding\r\n",
    b"Connection: close, Content-Length\r\n",
    b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
    b"Proxy-Connection: close\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: 100-continue\r\nExpect: 100-continue\r\n",
    b"Expect: y 100-continue\r\n",
    b"TE: trailers, chunked\r\n",
    b"Trailer: Content-Length\r\n",
    b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n",
    b"X-HTTP-Method-Override: GET\r\n",
)
_HOSTS = (
    b"",
    b"Host: x\r\nHost: x\r\n",
    b"Host: x\r\nHost: y\r\n",
    b"Host: x, y\r\n",
    b"Host: x y\r\n",
    b"Host: x/echo\r\n",
    b"Host: x:80:80\r\n",
    b"Host: \r\n",
    b"Host : x\r\n",
    b"Host:\r\n x\r\n",
)


def corpus() -> Iterator[tuple[str, bytes]]:
    """Yield what it is about, and the bytes."""
    chunked_end = b"0\r\n\r\n" + HIDDEN
    for encoding in _ENCODINGS:
        yield "CL.TE", _post(b"Content-Length: %d\r\n%s\r\n" % (len(chunked_end), encoding), chunked_end)
        yield "TE.CL", _post(b"%s\r\nContent-Length: 4\r\n" % encoding, b"38\r\n" + HIDDEN + b"\r\n0\r\n\r\n")
        yield "TE alone", _post(encoding + b"\r\n", b"5\r\nAAAAA\r\n0\r\n\r\n")
    for length in _LENGTHS:
        yield "CL", _post(length + b"\r\n", b"AAAAA" + HIDDEN)
        yield "0.CL", _post(length + b"\r\n", b"AAAAA", b"GET /echo/{n} HTTP/1.1\r\n")
    for chunks in _CHUNKS:
        yield "chunks", _post(b"Transfer-Encoding: chunked\r\n", chunks + HIDDEN)
    for line in _LINES:
        yield "request line", _post(b"Content-Length: 5\r\n", b"AAAAA", line)
        yield "request line, chunked", _post(b"Transfer-Encoding: chunked\r\n", b"5\r\nAAAAA\r\n0\r\n\r\n" + HIDDEN, line)
    for header in _HEADERS:
        yield "header", _post(header + b"Content-Length: 5\r\n", b"AAAAA" + HIDDEN)
    for host in _HOSTS:
        yield "host", _post(b"Content-Length: 5\r\n", b"AAAAA" + HIDDEN, host=host)
    yield "pipelined", _post(b"Content-Length: 5\r\n", b"AAAAA") * 5
    yield "pipelined, then garbage", _post(b"Content-Length: 5\r\n", b"AAAAA") * 2 + b"\x00garbage\r\n\r\n"
    yield "pipelined after a refusal", _post(b"Content-Length: x\r\n", b"AAAAA") + _post(b"Content-Length: 5\r\n", b"AAAAA")
    yield "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    yield "PROXY protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + _post(b"Content-Length: 5\r\n", b"AAAAA")
