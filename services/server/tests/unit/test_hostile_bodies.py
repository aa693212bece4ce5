"""
Thousands of generated bad requests for each parser: none may break the server, or show its insides.

ZATO_TEST_HOSTILE is how many for each parser; 10,000 unless it is set.
"""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from zato.common.errors import ZatoError
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.encodings import make_decompress_step
from zato.server.http.endpoint import make_endpoint
from zato.server.http.errors import make_error_step
from zato.server.http.parser import RequestParser
from zato.server.http.request import Request, Response
from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.http.steps import fold
from zato.server.http.tokenizer import ParserLimits
from zato.server.http.wire import HeadWriter
from zato.server.service import Bool, Date, Int, Model, Service
from zato.server.services.context import KeyValueDB, ServerContext
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker
from zato.server.services.store import ServiceStore

COUNT = int(os.environ.get("ZATO_TEST_HOSTILE", "10000"))
# Of each body that was thought of, its beginnings come too: what ends too early is the worst for many a parser.
_BEGINNINGS = 10
_MAX_GROWTH_BYTES = 64 * 1024 * 1024
_MAX_BODY_BYTES = 100_000


class Look(Service):
    """Looks at all that can be looked at."""

    def handle(self) -> None:
        request: Any = self.request
        payload = request.payload
        seen = [type(payload).__name__, len(request.input), len(request.http.GET), len(request.http.POST), request.http.files]
        if hasattr(payload, "iter"):
            seen += [f"{element.tag} {element.text}" for element in payload.iter()]
        self.response.payload = repr(seen)


class LookAtRows(Service):
    """Looks at rows of CSV as SimpleIO declares them."""

    class SimpleIO:
        input_required = ("a", Int("b"))
        input_optional = ("c", Date("d"), Bool("is_e"))

    def handle(self) -> None:
        self.response.payload = repr(self.request.input)


@dataclass
class Address(Model):
    street: str
    number: int = 1
    since: datetime | None = None


@dataclass
class Customer(Model):
    name: str
    age: int
    score: float | None = None
    tags: list[str] | None = None
    address: Address | None = None
    former: list[Address] | None = None
    more: dict | None = None  # type: ignore[type-arg]


class LookAtModel(Service):
    """Looks at a model, with models in it."""

    class SimpleIO:
        input = Customer

    def handle(self) -> None:
        self.response.payload = repr(self.request.input)


def _make_pipeline() -> Callable[[Request], Response]:
    store = ServiceStore()
    store.replace_deployed(describe_service(cls, "m") for cls in (Look, LookAtRows, LookAtModel))
    invoker = Invoker(store)
    invoker.context = ServerContext("server", invoker, None, KeyValueDB(""))  # type: ignore[arg-type]
    return fold([make_error_step(return_tracebacks=False), make_decompress_step(_MAX_BODY_BYTES)], make_endpoint(invoker))


pipeline = _make_pipeline()
writer = HeadWriter()


def _channel(service: str, data_format: str) -> Channel:
    return compile_channel("c", HTTPChannelOptions(url_path="/c", service=service, data_format=data_format), None)


CHANNELS = {
    **{data_format: _channel("m.look", data_format) for data_format in ("json", "xml", "csv", "form", "")},
    "rows": _channel("m.look-at-rows", "csv"),
    "model": _channel("m.look-at-model", "json"),
}
CHANNELS["soap"] = compile_channel("c", SOAPChannelOptions(url_path="/c", service="m.look"), None)
CHANNELS["soap-1.2"] = compile_channel("c", SOAPChannelOptions(url_path="/c", service="m.look", soap_version="1.2"), None)


def check(request: Request) -> None:
    answer = pipeline(request)
    head, body = writer.encode(answer, request.cid, is_head=False, keep_alive=True, is_http_1_0=False)
    assert answer.status < 500, body
    assert b"Traceback" not in body and b"zato/server" not in body
    assert request.cid.encode() in head


def send(data_format: str, body: bytes, content_type: str = "", query: str = "", encoding: str = "") -> None:
    headers = [(b"content-type", content_type.encode("latin-1")), (b"content-encoding", encoding.encode())]
    request = Request("POST", f"/c?{query}" if query else "/c", headers, body, cid="the-cid")
    request.channel = CHANNELS[data_format]
    check(request)


_GOOD = {
    "json": [b'{"a": [1, 2.5e10, "x\\u0142\\n", null, true, {"b": {}}]}', b'[[[["deep"]]]]', b'"text"', b"-0.1e-5"],
    "xml": [
        b'<?xml version="1.0" encoding="UTF-8"?><a b="1"><c>x</c><!-- no --><d xmlns="urn:d"/>&amp;&#65;<![CDATA[<]]></a>',
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></a>',
    ],
    "soap": [
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><h/></s:Header><s:Body><a>1</a></s:Body>'
        b"</s:Envelope>",
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
    ],
    "form": [b"a=1&b=%C5%82&a=2&c=", b"a[]=1;b&&=x&%00", b"name=%F0%9F%98%80+x"],
    "csv": [b'a,b,c\r\n"1,5",2,"say ""x"""\r\n\r\n,,\n', b"a;b\tc\x00\n"],
    "rows": [b"a,b,c,d,is_e\r\nx,1,y,2026-11-24,true\r\n", b'"x ""1""",2,\r\n', b"b,a\n1,2\n3,4\n"],
    "model": [
        b'{"name": "Jane", "age": 7, "score": 1.5, "tags": ["a"], "address": {"street": "s", "number": 2, '
        b'"since": "2026-11-24T08:00:00"}, "former": [{"street": "t"}], "more": {"x": [1, null]}}',
        b'{"name": "", "age": "12", "score": null, "address": [], "former": {"0": {}}}',
        b'[{"name": "Jane", "age": 7}]',
    ],
    "multipart": [
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name="f"; '
        b'filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--b--\r\n',
        b"--b\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''%C5%82\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b'YQ==\r\n--b\r\ncontent-disposition: FORM-DATA; name="a\\"b"\r\n\r\n\r\n--b--\r\n',
    ],
}
# What a parser may stumble over, in any of them.
_PIECES = [
    *(bytes([number]) for number in range(256)),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\\ud800", b"\\u0000", b"%00", b"%u0041", b"%", b"&#0;"),
    *(b"<", b">", b"</a>", b"<![CDATA[", b"]]>", b"<!--", b"<?", b"&lt", b"<!DOCTYPE a>", b'xmlns="', b"<a " * 50),
    *(b"[" * 300, b"{" * 300, b'{"a":' * 200, b"1" * 400, b"1e999", b"-", b"NaN", b"0x1", b'"', b"'", b"\\"),
    *(b"\r\n", b"\n", b"\r", b"--b", b"--b--", b"--b\r\n", b"; filename=", b"=", b"&", b";", b",", b'""', b"a" * 200),
]
_NUMBERS = [b"7", b'"7"', b"-1", b"1e400", b"7.5", b"null", b"[]", b"{}", b"true", b'"x"']
_edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), st.sampled_from(_PIECES)), min_size=1, max_size=4)


def _edit(body: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for position, removed, piece in edits:
        start = position % (len(body) + 1)
        body = body[:start] + piece + body[start + removed :]
    return body


def bodies(kind: str) -> st.SearchStrategy[bytes]:
    """Good bodies that were damaged, and bytes of no sense at all."""
    return st.one_of(st.builds(_edit, st.sampled_from(_GOOD[kind]), _edits), st.binary(max_size=60))


def beginnings(body: bytes) -> list[bytes]:
    return [body[: len(body) * tenths // _BEGINNINGS] for tenths in range(1, _BEGINNINGS + 1)]


def hostile(strategy: st.SearchStrategy[Any]) -> Callable[[Callable[[Any], None]], Callable[[], None]]:
    """Run a test for `COUNT` examples, and see that they leave nothing behind in memory."""

    def decorate(test: Callable[[Any], None]) -> Callable[[], None]:
        checks = list(HealthCheck)
        phases = (Phase.explicit, Phase.generate, Phase.shrink)
        run = settings(
            max_examples=COUNT // _BEGINNINGS, database=None, deadline=None, suppress_health_check=checks, phases=phases
        )(given(strategy)(test))

        def wrapped() -> None:
            gc.collect()
            process = psutil.Process()
            before = process.memory_info().rss
            run()
            gc.collect()
            assert process.memory_info().rss - before < _MAX_GROWTH_BYTES

        wrapped.__name__ = test.__name__
        return wrapped

    return decorate


@hostile(bodies("json"))
def test_json(body: bytes) -> None:
    for each in beginnings(body):
        send("json", each, "application/json")


@hostile(bodies("xml"))
def test_xml(body: bytes) -> None:
    for each in beginnings(body):
        send("xml", each, "application/xml")


@hostile(bodies("soap"))
def test_soap(body: bytes) -> None:
    for index, each in enumerate(reversed(beginnings(body))):
        send(*(("soap", each, "text/xml") if index % 2 else ("soap-1.2", each, "application/soap+xml")))


@hostile(bodies("form"))
def test_form(body: bytes) -> None:
    for each in beginnings(body):
        send("form", each, "application/x-www-form-urlencoded")


@hostile(bodies("csv"))
def test_csv(body: bytes) -> None:
    for each in beginnings(body):
        send("csv", each, "text/csv")


@hostile(bodies("rows"))
def test_rows_of_simpleio(body: bytes) -> None:
    for each in beginnings(body):
        send("rows", each, "text/csv")


@hostile(bodies("model"))
def test_models(body: bytes) -> None:
    # Cut, it is no JSON any more, and never comes to the model.
    for piece in _NUMBERS:
        send("model", body.replace(b"7", piece).replace(b'"s"', piece), "application/json")


@hostile(bodies("multipart"))
def test_multipart(body: bytes) -> None:
    for each in beginnings(body):
        send("form", each, "multipart/form-data; boundary=b")


@hostile(bodies("form"))
def test_query(query: bytes) -> None:
    for each in beginnings(query):
        send("json", b"{}", query=each.decode("latin-1"))


_BOUNDARIES = [b"b", b"", b'"b', b"b" * 71, b"=?", b'"a b"', b"\\", b"b; boundary=c", b"\xff"]
_header_lines = st.one_of(
    st.builds(lambda value: b"Content-Type: multipart/form-data; boundary=" + value, st.sampled_from(_BOUNDARIES)),
    st.builds(lambda value: b"Content-Type: multipart/form-data" + value, st.binary(max_size=20)),
    st.builds(lambda value: b"Content-Encoding: " + value, st.sampled_from([b"gzip", b"br", b"", b"gzip\xff", b"identity"])),
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from([b"Accept", b"Content-Type", b"SOAPAction", b"Origin", b"Authorization", b"Cookie", b"X"]),
        st.binary(max_size=30),
    ),
    st.binary(max_size=30),
)


@hostile(st.tuples(st.lists(_header_lines, max_size=4), st.sampled_from([body for good in _GOOD.values() for body in good])))
def test_headers(case: tuple[list[bytes], bytes]) -> None:
    lines, body = case
    for cut in beginnings(b"".join(line + b"\r\n" for line in lines)):
        head = b"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%s\r\n" % (len(body), cut)
        parser = RequestParser(ParserLimits(8190, 100, 8190, _MAX_BODY_BYTES))
        try:
            parser.feed(head + body)
        except ZatoError as error:
            status = error.http_status
        else:
            status = 0
        assert status < 500 or status == 501
        if status == 0 and parser.is_complete:
            send_parsed(parser)


def send_parsed(parser: RequestParser) -> None:
    for data_format in ("json", "form", "soap", ""):
        request = Request(parser.method, parser.target, parser.headers, parser.body, cid="the-cid")
        request.channel = CHANNELS[data_format]
        check(request)


@pytest.mark.parametrize("data_format", CHANNELS)
def test_what_is_good_is_good(data_format: str) -> None:
    """The tests above prove little if everything is refused."""
    good = {"soap-1.2": _GOOD["soap"][1:], "soap": _GOOD["soap"][:1], "xml": _GOOD["xml"][:1], "": [b"x"]}
    for body in good.get(data_format) or _GOOD[data_format][:1]:
        request = Request("POST", "/c", [], body, cid="the-cid")
        request.channel = CHANNELS[data_format]
        assert pipeline(request).status == 200
