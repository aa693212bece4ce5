"""
Processor time until a body that attacks a parser is refused: at most 50 ms, 100 ms for 64 MiB.

    .venv/bin/python services/server/benchmarks/attacks.py
"""

import gzip
import sys
import time
from collections.abc import Callable

from zato.common.errors import ZatoError
from zato.server.http import formats
from zato.server.http.encodings import gunzip
from zato.server.http.forms import load_form, load_multipart
from zato.server.http.parser import RequestParser
from zato.server.http.tokenizer import ParserLimits

MIB = 1024 * 1024
_LIMIT_MS, _LARGE_LIMIT_MS = 50.0, 100.0
_LAUGHS = '<!DOCTYPE l [<!ENTITY e0 "ha">' + "".join(
    f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 12)
)
_PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


def load_json(body: bytes) -> object:
    return formats.load("json", body)


def load_xml(body: bytes) -> object:
    return formats.load("xml", body)


def load_over_http(body: bytes) -> None:
    """With the server's own limit, as it is unless it was set."""
    parser = RequestParser(ParserLimits(8190, 100, 8190, 10 * MIB))
    parser.feed(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body))
    for start in range(0, len(body), 65536):
        parser.feed(body[start : start + 65536])


def multipart(body: bytes) -> object:
    return load_multipart(body, "multipart/form-data; boundary=b")


ATTACKS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "external entity": (load_xml, b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>'),
    "external DTD": (load_xml, b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>'),
    "billion laughs": (load_xml, f"{_LAUGHS}]><l>&e11;</l>".encode()),
    "billion laughs, UTF-16": (load_xml, f'{_LAUGHS}]><l a="&e11;"/>'.encode("utf-16")),
    "quadratic blow-up": (
        load_xml,
        f'<!DOCTYPE l [<!ENTITY a "{"ha" * 50_000}">]><l>{"&a;" * 50_000}</l>'.encode(),
    ),
    "XML, 100,000 deep": (load_xml, b"<a>" * 100_000),
    "XML of 2.6 million elements": (load_xml, b"<r>" + b"<a/>" * (10 * MIB // 4)),
    "JSON, 10,000 deep": (load_json, b"[" * 10_000 + b"]" * 10_000),
    "JSON of 3.5 million lists": (load_json, b"[" + b"[]," * (10 * MIB // 3) + b"0]"),
    "JSON of 64 MiB, many values": (load_json, b"[" + b"1," * (32 * MIB) + b"1]"),
    "JSON of 64 MiB, over HTTP": (load_over_http, b'"' + b"x" * (64 * MIB) + b'"'),
    "a number of a million digits": (load_json, b"1" * MIB),
    "gzip of 200 MiB": (lambda body: gunzip(body, 10 * MIB), gzip.compress(b"\0" * (200 * MIB), 1)),
    "form of a million fields": (lambda body: load_form(body.decode()), b"a&" * MIB),
    "form of 3.5 million escapes": (lambda body: load_form(body.decode()), b"a=" + b"%41" * (10 * MIB // 3)),
    "multipart of 100,000 parts": (multipart, (_PART + b"x\r\n") * 100_000),
    "multipart of line breaks": (multipart, _PART + b"\r\n" * (5 * MIB)),
    "multipart of near boundaries": (multipart, _PART + b"\r\n--" * (2 * MIB)),
}


def main() -> int:
    formats.load_xml(b"<a/>")
    is_slow = False
    for name, (load, body) in ATTACKS.items():
        started = time.process_time()
        try:
            load(body)
            result = "NOT REFUSED"
        except ZatoError as error:
            result = str(error.http_status)
        elapsed_ms = (time.process_time() - started) * 1000
        limit_ms = _LARGE_LIMIT_MS if len(body) > 32 * MIB else _LIMIT_MS
        is_slow |= elapsed_ms > limit_ms or result == "NOT REFUSED"
        print(f"{elapsed_ms:8.1f} ms of {limit_ms:3.0f}   {result:12} {name}")
    return int(is_slow)


if __name__ == "__main__":
    sys.exit(main())
