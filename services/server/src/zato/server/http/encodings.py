"""Compressed bodies: requests that come in gzip, and answers that go out in it."""

import re
import zlib

from gevent import get_hub

from zato.common.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from zato.server.http.cors import add_vary
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step

_GZIP = frozenset({"gzip", "x-gzip"})
# zlib's sign for "with gzip's header and checksum".
_GZIP_WINDOW_BITS = 31
_LEVEL = 5
# Compressing more than this takes long enough for others to notice: it is done in a thread, without the GIL.
_IN_THREAD_BYTES = 65536
_NOT_WANTED = re.compile(r"0(\.0*)?", re.ASCII)


def make_decompress_step(max_body_bytes: int) -> Step:
    """
    Args:
        max_body_bytes: Largest body when decompressed; a channel's own limit is the smaller one.
    """

    def decompress_body(request: Request, next: Handler) -> Response:
        if request.body and (encoding := request.header(b"content-encoding").strip().lower()) not in ("", "identity"):
            if encoding not in _GZIP:
                raise UnsupportedMediaType("The one accepted Content-Encoding is gzip")
            own = request.channel.options.max_body_bytes if request.channel is not None else 0
            request.body = gunzip(request.body, min(own or max_body_bytes, max_body_bytes))
        return next(request)

    return decompress_body


def gunzip(body: bytes, max_bytes: int) -> bytes:
    """
    Return what was compressed; never more than `max_bytes` of it are in memory.

    Raises:
        BadRequest: It is no gzip, ends too early or goes on after its end.
        PayloadTooLarge: It is larger than `max_bytes`.
    """
    unpacker = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise BadRequest("The request's body is not valid gzip") from None
    if len(unpacked) > max_bytes:
        raise PayloadTooLarge(f"The body, decompressed, is larger than the accepted {max_bytes} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise BadRequest("The request's body is not one whole gzip stream")
    return unpacked


def compress_response(request: Request, response: Response) -> None:
    """Compress an answer for a client that takes it. Who says nothing of encodings takes any (RFC 9110, 12.5.3)."""
    if not response.body or any(name.lower() == "content-encoding" for name in response.headers):
        return
    add_vary(response, "Accept-Encoding")
    if not accepts_gzip(request):
        return
    is_small = len(response.body) <= _IN_THREAD_BYTES
    response.body = _gzip(response.body) if is_small else get_hub().threadpool.apply(_gzip, (response.body,))
    response.headers["Content-Encoding"] = "gzip"


def accepts_gzip(request: Request) -> bool:
    values = [value for name, value in request.headers if name == b"accept-encoding"]
    if not values:
        return True
    wanted = {}
    for part in b",".join(values).decode("latin-1").lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        qualities = [parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")]
        wanted[coding] = not (qualities and _NOT_WANTED.fullmatch(qualities[0]))
    for coding in ("gzip", "x-gzip", "*"):
        if coding in wanted:
            return wanted[coding]
    return False


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    return packer.compress(body) + packer.flush()
