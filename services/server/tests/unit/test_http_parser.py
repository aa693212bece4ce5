import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.errors import (
    BadRequest,
    HeadersTooLarge,
    MethodNotAllowed,
    NotImplementedHere,
    PayloadTooLarge,
    Unavailable,
    UriTooLong,
    ZatoError,
)
from zato.server.http.body_budget import BodyBudget
from zato.server.http.h1c_tokenizer import H1CTokenizer
from zato.server.http.httptools_tokenizer import HttptoolsTokenizer
from zato.server.http.parser import ExpectationFailed, RequestParser
from zato.server.http.tokenizer import MakeTokenizer, ParserLimits

LIMITS = ParserLimits(request_line_bytes=200, headers=10, header_bytes=200, body_bytes=1000)
TOKENIZERS: dict[str, MakeTokenizer] = {"gunicorn_h1c": H1CTokenizer, "httptools": HttptoolsTokenizer}


@pytest.fixture(scope="module", autouse=True, params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this holds whatever takes requests apart."""
    global make_tokenizer
    make_tokenizer = TOKENIZERS[request.param]
    yield
    del make_tokenizer


def new_parser(budget: BodyBudget | None = None) -> RequestParser:
    return RequestParser(LIMITS, budget, make_tokenizer)


@dataclass(frozen=True)
class Parsed:
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    keep_alive: bool


def parse(*parts: bytes) -> list[Parsed]:
    """Feed the parts as a connection does, and return the requests in them."""
    parser = new_parser()
    found: list[Parsed] = []
    for part in parts:
        pending = part
        while pending:
            parser.feed(pending)
            pending = b""
            if parser.is_complete:
                found.append(Parsed(parser.method, parser.target, tuple(parser.headers), parser.body, parser.should_keep_alive))
                pending = parser.remaining()
                parser.reset()
    return found


STREAM = (
    b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello"
    b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"
    b"HEAD http://x/d?e HTTP/1.1\r\nHost: x\r\n\r\n"
    b"PUT /e HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    b"GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    b"GET /g HTTP/1.0\r\n\r\n"
)


def test_what_is_in_a_stream_is_found() -> None:
    found = parse(STREAM)
    assert [(each.method, each.target, each.body) for each in found] == [
        ("POST", "/a?b=c", b"hello"),
        ("GET", "/b", b""),
        ("POST", "/c", b"abc0123456789"),
        ("HEAD", "/d?e", b""),
        ("PUT", "/e", b""),
        ("GET", "/f", b""),
        ("GET", "/g", b""),
    ]
    assert [each.keep_alive for each in found] == [True] * 6 + [False]
    assert (b"x-a", b"1") in found[0].headers


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_however_a_stream_is_cut_the_same_is_found(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[start:end] for start, end in itertools.pairwise(places)]
    assert parse(*parts) == parse(STREAM)


def test_byte_by_byte_the_same_is_found() -> None:
    assert parse(*(STREAM[index : index + 1] for index in range(len(STREAM)))) == parse(STREAM)


@given(st.binary(max_size=80), st.integers(0, 80))
def test_bytes_of_any_sort_are_refused_or_wait_for_more(data: bytes, cut: int) -> None:
    for start in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"):
        parser = new_parser()
        try:
            parser.feed(start + data[:cut])
            if not parser.is_complete:
                parser.feed(data[cut:])
        except ZatoError as error:
            assert 400 <= error.http_status < 500 or error.http_status == 501  # noqa: PT017


def head(*headers: bytes, line: bytes = b"POST /a HTTP/1.1", host: bytes = b"Host: x\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (head(b"Content-Length: 1001"), PayloadTooLarge),
        (head(b"Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001 + b"\r\n", PayloadTooLarge),
        (head(line=b"GET /" + b"x" * 300 + b" HTTP/1.1"), UriTooLong),
        (b"GET /" + b"x" * 300, UriTooLong),
        (head(*[b"X-%d: 1" % number for number in range(11)]), HeadersTooLarge),
        (head(b"X: " + b"x" * 300), HeadersTooLarge),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 5000, HeadersTooLarge),
        (head(b"Content-Length: 1", b"Content-Length: 1"), BadRequest),
        (head(b"Content-Length: 1", b"Transfer-Encoding: chunked"), BadRequest),
        (head(b"Transfer-Encoding: gzip"), NotImplementedHere),
        (head(b"Transfer-Encoding: identity"), NotImplementedHere),
        (head(b"Transfer-Encoding: chunked", line=b"POST /a HTTP/1.0"), BadRequest),
        (head(b"Content-Length: +1"), BadRequest),
        (head(b"Content-Length: 1_0"), BadRequest),
        (head("Content-Length: ١".encode()), BadRequest),
        (head(host=b""), BadRequest),
        (head(b"Host: y"), BadRequest),
        (head(host=b"Host: x@y\r\n"), BadRequest),
        (head(host=b"Host: [::1\r\n"), BadRequest),
        (head(b"Expect: 200-ok"), ExpectationFailed),
        (head(line=b"CONNECT x:1 HTTP/1.1"), MethodNotAllowed),
        (head(line=b"TRACE / HTTP/1.1"), MethodNotAllowed),
        (head(line=b"GET a HTTP/1.1"), BadRequest),
        (head(line=b"GET ftp://x/ HTTP/1.1"), BadRequest),
        (head(line=b"GET http:/// HTTP/1.1"), BadRequest),
        (head(line=b"GET http://user@x/ HTTP/1.1"), BadRequest),
        (head(line=b"GET / HTTP/1.1 "), BadRequest),
        (head(line=b" GET / HTTP/1.1"), BadRequest),
        (head(b"A : 1"), BadRequest),
        (head(b"A: 1\r\n 2"), BadRequest),
        (head(b"A: \x01"), BadRequest),
        (b"GET / HTTP/1.1\nHost: x\n\n", BadRequest),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", BadRequest),
        (head(line=b"get / HTTP/1.1"), BadRequest),
        (head(line=b"GET / HTTP/1.2"), BadRequest),
        (head(line=b"GET / HTTP/2.0"), BadRequest),
        (head(b"Transfer-Encoding: chunked") + b"3\nabc\n0\n\n", BadRequest),
        (head(b"Transfer-Encoding: chunked") + b"3;" + b"x" * 300, BadRequest),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else value.__name__,
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes, error: type[ZatoError]) -> None:
    with pytest.raises(error) as raised:
        parse(data)
    assert type(raised.value) is error


@pytest.mark.parametrize("host", [b"x", b"x.example.com:80", b"127.0.0.1", b"[::1]:80", b"[::1]", b""])
def test_hosts_of_all_forms_are_accepted(host: bytes) -> None:
    assert len(parse(head(host=b"Host: %s\r\n" % host, line=b"GET /a HTTP/1.1"))) == 1


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://x/a?b", "/a?b"),
        (b"http://x", "/"),
        (b"https://x:1/a", "/a"),
        (b"http://x?b=/etc", "/?b=/etc"),
        (b"HTTP://x/a", "/a"),
        (b"/http://x/a", "/http://x/a"),
        (b"//x/a", "//x/a"),
    ],
)
def test_the_absolute_form_is_left_with_path_and_query(target: bytes, path: str) -> None:
    assert parse(head(line=b"GET " + target + b" HTTP/1.1"))[0].target == path


def test_a_client_that_waits_is_told_apart_from_one_that_does_not() -> None:
    parser = new_parser()
    parser.feed(head(b"Content-Length: 5", b"Expect: 100-Continue"))
    assert parser.has_head
    assert parser.wants_continue
    assert not parser.is_complete
    parser.feed(b"hello")
    assert parser.is_complete
    parser.reset()
    assert not parser.wants_continue
    assert not parser.has_head


def test_a_head_request_is_known_by_its_first_bytes() -> None:
    parser = new_parser()
    for byte in b"HEAD / HT":
        parser.feed(bytes([byte]))
    assert parser.is_head
    with pytest.raises(BadRequest):
        parser.feed(b"TP/9.9\r\n\r\n")
    assert parser.is_head
    parser.reset()
    assert not parser.is_head


def test_an_empty_line_before_a_request_is_passed_over() -> None:
    parser = new_parser()
    parser.feed(b"\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert parser.is_complete and parser.is_head


@pytest.mark.parametrize(
    "line", [b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET   /   HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1"]
)
@pytest.mark.parametrize("is_split", [False, True])
def test_the_parts_of_a_request_line_have_one_space_between_them(line: bytes, is_split: bool) -> None:
    data = line + b"\r\nHost: x\r\n\r\n"
    with pytest.raises(BadRequest):
        parse(*([bytes([byte]) for byte in data] if is_split else [data]))


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size


def test_bodies_are_taken_from_what_all_connections_share_and_given_back() -> None:
    budget = BodyBudget(1500)
    first, second = new_parser(budget), new_parser(budget)
    first.feed(post(900) + b"x" * 900)
    assert budget.taken_bytes == 900
    with pytest.raises(Unavailable):
        second.feed(post(700))
    second.release()
    second = new_parser(budget)
    second.feed(post(600) + b"x" * 600)
    assert second.is_complete
    first.reset()
    assert budget.taken_bytes == 600
    second.release()
    second.release()
    assert budget.taken_bytes == 0


def test_what_is_only_announced_takes_nothing_from_others() -> None:
    budget = BodyBudget(1000)
    announced, sent = new_parser(budget), new_parser(budget)
    announced.feed(post(1000))
    sent.feed(post(1000) + b"x" * 1000)
    assert sent.is_complete
    with pytest.raises(Unavailable):
        announced.feed(b"x")
    announced.release()
    assert budget.taken_bytes == 1000


def test_chunks_that_come_when_there_is_no_room_are_refused() -> None:
    parser = new_parser(BodyBudget(10))
    with pytest.raises(Unavailable):
        parser.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n")


def test_exactly_the_limits_are_accepted() -> None:
    assert parse(head(b"Content-Length: 1000") + b"x" * 1000)[0].body == b"x" * 1000
    assert len(parse(head(*[b"X-%d: 1" % number for number in range(9)], line=b"GET / HTTP/1.1"))) == 1


def test_the_body_of_a_request_that_offers_another_protocol_is_kept() -> None:
    """Clients of Java offer HTTP/2 with each request; we go on with what we speak."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAAA")
    counted = head(*offer, b"Content-Length: 5") + b"hello"
    chunked = head(*offer, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
    found = parse(counted + chunked + head(line=b"GET /b HTTP/1.1"))
    assert [each.body for each in found] == [b"hello", b"abc", b""]
    assert all(each.keep_alive for each in found)


def test_a_chunk_that_holds_what_could_be_its_end_is_whole() -> None:
    data = head(b"Transfer-Encoding: chunked") + b"9\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"
    for size in range(1, len(data)):
        (found,) = parse(*(data[start : start + size] for start in range(0, len(data), size)))
        assert found.body == b"\r\n\r\n0\r\n\r\n"
