"""Whatever a client sends, it gets the right answer, learns nothing it should not, and keeps nobody else from being served."""

import base64
import json
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

from .conftest import Answer, Server, StartServer, deploy_samples, fetch

pytestmark = pytest.mark.redis

_HOST = b"Host: localhost\r\n"
_MAX_LOGGED_BYTES = 2000


@dataclass(frozen=True)
class Case:
    """One bad request and the status that it gets; `request` has all bytes that are sent."""

    name: str
    request: bytes
    status: int

    @property
    def is_head(self) -> bool:
        return self.request.startswith(b"HEAD ")


def get(target: bytes, *headers: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1", host: bytes = _HOST) -> bytes:
    return b"%s %s %s\r\n%s%s\r\n" % (method, target, version, host, b"".join(header + b"\r\n" for header in headers))


def post(target: bytes, body: bytes, *headers: bytes) -> bytes:
    return get(target, b"Content-Length: %d" % len(body), *headers, method=b"POST") + body


def chunked(*chunks: bytes, head: bytes = b"Transfer-Encoding: chunked") -> bytes:
    return get(b"/echo", head, method=b"POST") + b"".join(chunks)


def basic(credentials: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(credentials)


_DEEP = b"[" * 10_000 + b"]" * 10_000
_BOMB = (
    b'<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "'
    + b"&a;" * 50
    + b'"><!ENTITY c "'
    + b"&b;" * 50
    + b'">]><b>'
    + b"&c;" * 50
    + b"</b>"
)

CASES = [
    # Bodies
    Case("malformed JSON", post(b"/echo", b'{"a": '), 400),
    Case("JSON that is not UTF-8", post(b"/echo", b'{"a": "\xff"}'), 400),
    Case("NaN in JSON", post(b"/echo", b'{"a": NaN}'), 400),
    Case("a number too large for JSON's readers", post(b"/echo", b"[1e400]"), 400),
    Case("a lone surrogate", post(b"/echo", b'["\\ud800"]'), 400),
    Case("JSON 10,000 levels deep", post(b"/echo", _DEEP), 400),
    Case("malformed XML", post(b"/echo-xml", b"<a><b></a>"), 400),
    Case("XML with a DOCTYPE", post(b"/echo-xml", b"<!DOCTYPE a><a/>"), 400),
    Case("XML that reads a file", post(b"/echo-xml", b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>'), 400),
    Case("XML that expands to gigabytes", post(b"/echo-xml", _BOMB), 400),
    Case("a form that is not UTF-8", post(b"/form", b"name=\xff\xfe"), 400),
    Case("a form whose escapes are not UTF-8", post(b"/form", b"name=%ff%fe"), 400),
    Case("a form of 2,000 fields", post(b"/form", b"&".join(b"a%d=1" % number for number in range(2000))), 400),
    Case("a form with a NUL", post(b"/form", b"name=a%00b"), 400),
    # Paths and methods
    Case("an unknown path", get(b"/no/such/path"), 404),
    Case("HEAD of an unknown path", get(b"/no/such/path", method=b"HEAD"), 404),
    Case("a method that the service does not have", get(b"/verbs", method=b"DELETE"), 405),
    Case("a method that the channel does not have", get(b"/customers/1", b"Content-Length: 0", method=b"POST"), 405),
    Case("a method nobody knows", get(b"/customers/1", method=b"BREW"), 405),
    Case("a method in lower case", get(b"/customers/1", method=b"get"), 400),
    Case("CONNECT", get(b"example.com:443", method=b"CONNECT"), 405),
    Case("TRACE", get(b"/echo", method=b"TRACE"), 405),
    Case("the internal calls' path", post(b"/__rpc/Invoker/Invoke", b"\x0a\x09zato.ping"), 404),
    Case("a target that is no path", get(b"echo"), 400),
    Case("an asterisk", get(b"*", method=b"OPTIONS"), 400),
    Case("the authority form", get(b"localhost:80"), 400),
    Case("a scheme of files", get(b"file:///etc/passwd"), 400),
    Case("a space in the target", get(b"/echo /b"), 400),
    Case("a fragment", get(b"/echo#top"), 400),
    Case("a path that is not ASCII", get("/zażółć".encode()), 400),
    Case("a NUL in the path", get(b"/echo%00"), 400),
    Case("a raw NUL in the path", get(b"/ec\x00ho"), 400),
    Case("a broken escape", get(b"/echo%zz"), 400),
    Case("an escape that ends too early", get(b"/echo%4"), 400),
    Case("dot segments", get(b"/a/../echo"), 400),
    Case("encoded dot segments", get(b"/a/%2e%2e/echo"), 400),
    Case("an overlong encoding of a slash", get(b"/a%c0%afb"), 400),
    Case("a byte that is not UTF-8", get(b"/a%ff"), 400),
    Case("an encoded line break", get(b"/a%0d%0ab"), 400),
    Case("a NUL in the query", post(b"/input?a=%00", b"{}"), 400),
    Case("a query that is not UTF-8", post(b"/input?a=%ff", b"{}"), 400),
    # Heads
    Case("a huge header", get(b"/echo", b"X-Huge: " + b"x" * 100_000), 431),
    Case("too many headers", get(b"/echo", *[b"X-%d: 1" % number for number in range(200)]), 431),
    Case("a long request line", get(b"/" + b"x" * 20_000), 414),
    Case("no Host", get(b"/echo", host=b""), 400),
    Case("two Hosts", get(b"/echo", b"Host: elsewhere"), 400),
    Case("a Host with a path", get(b"/echo", host=b"Host: a/b\r\n"), 400),
    Case("a Host with a space", get(b"/echo", host=b"Host: a b\r\n"), 400),
    Case("a Host whose port is none", get(b"/echo", host=b"Host: a:b\r\n"), 400),
    Case("HEAD without Host", get(b"/echo", host=b"", method=b"HEAD"), 400),
    Case("HTTP/2.0", get(b"/echo", version=b"HTTP/2.0"), 400),
    Case("HTTP/3.7", get(b"/echo", version=b"HTTP/3.7"), 400),
    Case("HTTP/x", get(b"/echo", version=b"HTTP/x"), 400),
    Case("HTTP/0.9", b"GET /echo\r\n\r\n", 400),
    Case("two spaces after the method", b"GET  /echo HTTP/1.1\r\n" + _HOST + b"\r\n", 400),
    Case("two spaces before the version", b"GET /echo  HTTP/1.1\r\n" + _HOST + b"\r\n", 400),
    Case("no version", get(b"/echo", version=b""), 400),
    Case("a header that is folded", get(b"/echo", b"X-Folded: a\r\n b"), 400),
    Case("a space before the colon", get(b"/echo", b"X-Space : a"), 400),
    Case("a header without a name", get(b"/echo", b": a"), 400),
    Case("a header without a colon", get(b"/echo", b"X-Nothing"), 400),
    Case("a NUL in a header", get(b"/echo", b"X-Nul: a\x00b"), 400),
    Case("a bare CR in a header", get(b"/echo", b"X-CR: a\rb"), 400),
    Case("bare LFs", b"GET /echo HTTP/1.1\nHost: localhost\n\n", 400),
    Case("an expectation nobody can meet", get(b"/echo", b"Expect: a-miracle"), 417),
    # Framing
    Case("a body over the limit", get(b"/echo", b"Content-Length: 11000000", method=b"POST"), 413),
    Case("a body of astronomic length", get(b"/echo", b"Content-Length: " + b"9" * 18, method=b"POST"), 413),
    Case("a body longer than any number", get(b"/echo", b"Content-Length: " + b"9" * 400, method=b"POST"), 400),
    Case("chunks over the limit", chunked(*[b"%x\r\n%s\r\n" % (1_000_000, b"x" * 1_000_000)] * 11, b"0\r\n\r\n"), 413),
    Case("two Content-Lengths", post(b"/echo", b"{}", b"Content-Length: 3"), 400),
    Case("two equal Content-Lengths", post(b"/echo", b"{}", b"Content-Length: 2"), 400),
    Case("a list of Content-Lengths", get(b"/echo", b"Content-Length: 2, 2", method=b"POST") + b"{}", 400),
    Case("Content-Length with Transfer-Encoding", post(b"/echo", b"0\r\n\r\n", b"Transfer-Encoding: chunked"), 400),
    Case("a positive sign", get(b"/echo", b"Content-Length: +5", method=b"POST") + b"12345", 400),
    Case("a negative length", get(b"/echo", b"Content-Length: -1", method=b"POST"), 400),
    Case("a hexadecimal length", get(b"/echo", b"Content-Length: 0x5", method=b"POST") + b"12345", 400),
    Case("an empty length", get(b"/echo", b"Content-Length: ", method=b"POST"), 400),
    Case("gzip as transfer coding", chunked(head=b"Transfer-Encoding: gzip"), 501),
    Case("gzip before chunked", chunked(head=b"Transfer-Encoding: gzip, chunked"), 501),
    Case("chunked twice", chunked(head=b"Transfer-Encoding: chunked, chunked"), 400),
    Case("a disguised transfer coding", chunked(head=b"Transfer-Encoding: xchunked"), 400),
    Case(
        "HTTP/1.0 with Transfer-Encoding",
        get(b"/echo", b"Transfer-Encoding: chunked", method=b"POST", version=b"HTTP/1.0"),
        400,
    ),
    Case("a chunk size that is no number", chunked(b"xyz\r\nabc\r\n0\r\n\r\n"), 400),
    Case("a chunk size with a sign", chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("a negative chunk size", chunked(b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("a chunk size with 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("a chunk size beyond all numbers", chunked(b"f" * 40 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    Case("a chunk longer than its size", chunked(b"3\r\nabcdef\r\n0\r\n\r\n"), 400),
    # Credentials
    Case("no credentials", post(b"/secured", b"{}"), 401),
    Case("a wrong password", post(b"/secured", b"{}", basic(b"user:wrong")), 401),
    Case("credentials that are not base64", post(b"/secured", b"{}", b"Authorization: Basic ***"), 401),
    Case("credentials without a colon", post(b"/secured", b"{}", basic(b"user")), 401),
    Case("credentials of another scheme", post(b"/secured", b"{}", b"Authorization: Bearer the-right-one"), 401),
    Case("credentials that are not ASCII", post(b"/secured", b"{}", "Authorization: Basic zażółć".encode()), 401),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_bad_request_gets_the_right_answer_and_harms_nobody(server: Server, case: Case) -> None:
    logged_before = server.log_file.stat().st_size
    answer = fetch(server.http_port, case.request, is_head=case.is_head)
    assert answer is not None, "the server closed without an answer"
    assert answer.status == case.status, answer.body
    _check_error(answer, case)
    assert server.request("GET", "/zato/ping").status == 200
    # Lines of requests and calls come a moment later, and those of two workers in whichever order.
    eventually(lambda: answer.cid.encode() in server.log_file.read_bytes()[logged_before:], what="the log to name it")
    logged = server.log_file.read_bytes()[logged_before:]
    lines = [line for line in logged.splitlines() if b"/zato/ping" not in line and b'"service_invoked"' not in line]
    assert len(b"\n".join(lines)) <= _MAX_LOGGED_BYTES, logged.decode(errors="replace")


def _check_error(answer: Answer, case: Case) -> None:
    assert b"Traceback" not in answer.body + answer.rest
    if case.is_head:
        assert answer.body + answer.rest == b"", "the answer to HEAD has no body"
    elif answer.headers["content-type"] == "application/xml":
        assert f"<cid>{answer.cid}</cid>".encode() in answer.body
    elif answer.headers["content-type"].startswith("text/plain"):
        assert f"(cid {answer.cid})".encode() in answer.body
    else:
        assert answer.headers["content-type"] == "application/json"
        body = answer.json
        assert (body["result"], body["cid"]) == ("Error", answer.cid)
        assert body["details"]
    if case.status == 405:
        assert answer.headers["allow"]
    if case.status == 401:
        assert answer.headers["www-authenticate"] == 'Basic realm="API", charset="UTF-8"'


def test_the_table_is_as_long_as_was_asked_for() -> None:
    assert len(CASES) > 40
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_request_that_could_not_be_read_is_counted_too(start_server: StartServer) -> None:
    server = start_server()
    fetch(server.http_port, get(b"/" + b"x" * 20_000))
    line = 'zato_http_requests_total{channel="",method="other",status="414"} 1.0'
    eventually(lambda: line in server.request("GET", "/metrics").body.decode().splitlines())


def test_a_system_that_cannot_be_reached_is_named_to_the_log_and_not_to_the_client(server: Server) -> None:
    source = """
from zato.server.service import Service
class Ask(Service):
    def handle(self):
        self.out.rest["crm"].conn.get(self.cid)
"""
    port = free_port()
    server.deploy("asking.py", source)
    server.admin("zato.outgoing-http.create", name="crm", host=f"http://127.0.0.1:{port}", url_path="/")
    server.add_channel("ask", "/ask", "asking.ask")
    server.wait_until_applied()
    answer = server.request("GET", "/ask")
    assert answer.status == 503
    details = answer.json["details"]
    assert "'crm'" in details
    assert "127.0.0.1" not in details and str(port) not in details and "Errno" not in details
    logged = str([line for line in server.log_lines() if line.get("cid") == answer.cid])
    assert "127.0.0.1" in logged and str(port) in logged and "Connection refused" in logged


def test_bodies_beyond_what_a_worker_holds_at_a_time_are_put_off(start_server: StartServer) -> None:
    server = start_server(max_body_bytes=1_000_000, max_buffered_bytes=2_500_000)
    deploy_samples(server)
    head = b"POST /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
    with ExitStack() as stack:
        half_sent = [stack.enter_context(server.connect()) for _ in range(2)]
        for connection in half_sent:
            connection.send(head + b"\r\n" + b"x" * 800_000)
        late = eventually(lambda: refused_with_503(server, head), what="the worker to have read what was sent")
        assert late.headers["retry-after"] == "1"
        for connection in half_sent:
            connection.send(b"x" * 200_000)
            answer = connection.read_answer()
            assert answer is not None and answer.headers["x-received"] == "1000000"
    eventually(lambda: server.request("POST", "/raw", b"x" * 1_000_000).status == 200, what="room to be there again")


def refused_with_503(server: Server, head: bytes) -> Answer | None:
    """Announce a body; the answer when there is no room for it, before any of it is sent."""
    answer = fetch(server.http_port, head + b"Expect: 100-continue\r\n\r\n")
    return answer if answer is not None and answer.status == 503 else None


def test_a_wrong_user_learns_no_more_than_one_with_a_wrong_password(server: Server) -> None:
    nobody = fetch(server.http_port, post(b"/secured", b"{}", basic(b"nobody:the-right-one")))
    known = fetch(server.http_port, post(b"/secured", b"{}", basic(b"user:wrong")))
    assert nobody is not None and known is not None
    details = [answer.json["details"] for answer in (nobody, known)]
    assert (nobody.status, details[0]) == (known.status, details[1])
    right = fetch(server.http_port, post(b"/secured", b"{}", basic(b"user:the-right-one")))
    assert right is not None and right.status == 200


@pytest.mark.parametrize(
    ("how", "status"), [("raise", 500), ("exit", 500), ("timeout", 500), ("header", 500), ("status", 500), ("payload", 500)]
)
def test_a_service_that_breaks_gets_its_client_a_500_and_nothing_of_the_reason(server: Server, how: str, status: int) -> None:
    workers = server.worker_pids()
    answer = server.request("POST", "/fail", json.dumps({"how": how}).encode())
    assert answer.status == status
    assert answer.json["cid"] == answer.cid
    assert b"secret reason" not in answer.body and b"Traceback" not in answer.body
    assert "injected" not in answer.headers
    assert server.worker_pids() == workers, "no worker may die of a service"
    assert [line for line in server.log_lines() if line.get("cid") == answer.cid], "the cid finds the reason in the log"


@pytest.mark.parametrize("path", ["/fail", "/fail-xml"])
def test_an_error_whose_text_no_format_can_carry_is_an_answer_all_the_same(server: Server, path: str) -> None:
    body = b'{"how": "control"}' if path == "/fail" else b"<root><how>control</how></root>"
    answer = server.request("POST", path + "?how=control", body)
    assert answer.status == 400
    assert b"a text " in answer.body


def test_the_reason_of_a_failed_service_is_in_the_log_under_its_cid(server: Server) -> None:
    answer = server.request("POST", "/fail", b"{}")
    (line,) = [line for line in server.log_lines("service_failed") if line["cid"] == answer.cid]
    assert "the secret reason" in line["exception"]


def test_tracebacks_are_shown_where_the_developer_asked_for_them(start_server: StartServer) -> None:
    server = start_server(return_tracebacks=True)
    deploy_samples(server)
    answer = server.request("POST", "/fail", b"{}")
    assert answer.status == 500
    assert "RuntimeError: the secret reason" in answer.json["details"]
