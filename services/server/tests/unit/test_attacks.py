"""
Bodies made to read files, to reach other machines, or to use up a server.

How fast each is refused: services/server/benchmarks/attacks.py.
"""

import gzip
import socket
from collections.abc import Callable, Iterator

import pytest

from zato.common.errors import PayloadTooLarge, ZatoError
from zato.server.http import formats
from zato.server.http.encodings import gunzip
from zato.server.http.forms import load_form, load_multipart

MIB = 1024 * 1024


def load_json(body: bytes) -> object:
    return formats.load("json", body)


def load_xml(body: bytes) -> object:
    return formats.load("xml", body)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Where a parser that follows addresses would be seen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.0)
        yield listener


def laughs(reference: str) -> str:
    entities = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 12))
    return f'<!DOCTYPE l [<!ENTITY e0 "ha">{entities}]><l{reference}</l>'


QUADRATIC = f'<!DOCTYPE l [<!ENTITY a "{"ha" * 50_000}">]><l>{"&a;" * 50_000}</l>'
XML = {
    "a file": '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
    "a file in an attribute": '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a b="&f;"/>',
    "another machine": '<!DOCTYPE a [<!ENTITY f SYSTEM "http://{address}/a">]><a>&f;</a>',
    "an external DTD": '<!DOCTYPE a SYSTEM "http://{address}/a.dtd"><a/>',
    "a public DTD": '<!DOCTYPE a PUBLIC "-//X//X" "http://{address}/a.dtd"><a/>',
    "a parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://{address}/a.ent"> %p;]><a/>',
    "billion laughs": laughs(">&e11;"),
    "billion laughs in an attribute": laughs(' a="&e11;">'),
    "quadratic blow-up": QUADRATIC,
    "depth": "<a>" * 10_000 + "</a>" * 10_000,
    "millions of elements": f"<r>{'<a/>' * 2_000_000}</r>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("attack", XML)
def test_xml_that_attacks_is_refused_and_reaches_nobody(listener: socket.socket, attack: str, encoding: str) -> None:
    host, port = listener.getsockname()
    with pytest.raises(ZatoError) as caught:
        load_xml(XML[attack].replace("{address}", f"{host}:{port}").encode(encoding))
    assert caught.value.http_status in (400, 413)
    assert "root:" not in caught.value.message
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    "document",
    [
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="http://{address}/a"/></a>',
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></a>',
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        "<xsl:copy-of select=\"document('http://{address}/a')\"/></xsl:template></xsl:stylesheet>",
        '<?xml-stylesheet href="http://{address}/a.xsl" type="text/xsl"?><a/>',
        '<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a http://{address}/a.xsd"/>',
    ],
    ids=lambda document: document[:60],
)
def test_xml_that_names_other_documents_is_read_without_them(listener: socket.socket, document: str) -> None:
    host, port = listener.getsockname()
    sent = document.replace("{address}", f"{host}:{port}")
    root = formats.load_xml(sent.encode())
    text = formats.dump_xml(root).decode()
    assert "root:" not in text
    assert ("xi:include" in sent) == ("xi:include" in text), "what would be included stays what was sent"
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("load", "body"),
    [
        (load_json, lambda: b"[" * 10_000 + b"]" * 10_000),
        (load_json, lambda: b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        (load_json, lambda: b"[" * 64 * MIB),
        (load_json, lambda: b"[" + b"1," * 32 * MIB + b"1]"),
        (load_json, lambda: b"[" + b"[]," * 3 * MIB + b"0]"),
        (load_json, lambda: b"1" * MIB),
        (lambda body: load_form(body.decode()), lambda: b"a&" * MIB),
        (lambda body: load_form(body.decode()), lambda: b"a=" + b"%41" * MIB),
        (lambda body: load_multipart(body, "multipart/form-data; boundary=b"), lambda: b"--b\r\n" + b"a: b\r\n" * MIB),
        (lambda body: load_multipart(body, "multipart/form-data; boundary=b"), lambda: b"x" * MIB),
        (
            lambda body: load_multipart(body, "multipart/form-data; boundary=b"),
            lambda: b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 2000 + b"--b--",
        ),
        (lambda body: gunzip(body, 10 * MIB), lambda: gzip.compress(b"\0" * 200 * MIB, 1)),
        (lambda body: gunzip(body, 10 * MIB), lambda: gzip.compress(gzip.compress(b"\0" * 10 * MIB)) * 1000),
    ],
)
def test_a_body_that_costs_too_much_is_refused(load: Callable[[bytes], object], body: Callable[[], bytes]) -> None:
    with pytest.raises(ZatoError) as caught:
        load(body())
    assert caught.value.http_status in (400, 413)


@pytest.mark.parametrize("size", [100, 101])
def test_a_body_may_be_as_large_as_the_limit_when_it_is_decompressed(size: int) -> None:
    packed = gzip.compress(b"x" * size)
    if size > 100:
        with pytest.raises(PayloadTooLarge):
            gunzip(packed, 100)
    else:
        assert gunzip(packed, 100) == b"x" * 100
