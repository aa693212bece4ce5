"""What channels can be told, against a real server with two workers."""

import gzip
import json
import time
from typing import Any

import pytest

from .conftest import Server, StartServer

SERVICES = '''
import csv
import json
import time

import gevent

from zato.server.service import Service


class Echo(Service):
    def handle(self):
        http = self.request.http
        self.response.payload = {
            "payload": self.request.payload,
            "input": {name: str(value) for name, value in self.request.input.items()},
            "get": http.GET,
            "raw_bytes": len(self.request.raw_request),
        }


class Rows(Service):
    def handle(self):
        self.response.payload = [row[::-1] for row in csv.reader(self.request.payload.splitlines())]


class Tag(Service):
    def handle(self):
        root = self.request.payload
        self.response.payload = {"tag": root.tag, "name": root.name.text, "number": int(root.number) + 1}


class Upload(Service):
    def handle(self):
        files = self.request.http.files
        self.response.payload = {
            "title": self.request.input.title,
            "fields": sorted(self.request.http.POST),
            "files": {name: [each.file_name, each.content_type, len(each.data)] for name, each in files.items()},
        }


class Text(Service):
    def handle(self):
        self.response.payload = "x" * int(self.request.http.GET.get("size", 10))


class Own(Service):
    """Answers pre-flights itself."""

    def handle_OPTIONS(self):
        self.response.headers = {"Access-Control-Allow-Origin": "*", "X-By": "service"}

    def handle_POST(self):
        self.response.payload = {}


class Refuse(Service):
    def handle(self):
        raise ValueError("inside")


class Wait(Service):
    def handle(self):
        self.kvdb.conn.set("wait", "begun")
        try:
            gevent.sleep(60)
        except Exception:
            self.kvdb.conn.set("wait", "swallowed")
        finally:
            self.kvdb.conn.set("wait-ended", "yes")


class Stubborn(Service):
    """Swallows whatever ends it, a few times."""

    def handle(self):
        for _ in range(3):
            try:
                gevent.sleep(60)
            except BaseException:
                pass
        self.response.payload = {"still": "here"}


class Compute(Service):
    def handle(self):
        while True:
            pass


class Breathe(Service):
    """Computes for long, yet lets others run."""

    def handle(self):
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            gevent.sleep(0)
        self.response.payload = {"done": True}
'''


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(workers=2, max_busy_s=1.0, server_header="ESB/1", methods_allowed=["GET", "POST", "OPTIONS", "PUT"])
    server.deploy("channels.py", SERVICES)
    for name, options in {
        "echo": {},
        "echo-text": {"service": "channels.echo", "data_format": ""},
        "body-wins": {"service": "channels.echo", "url_path": "/body-wins/{name}", "params_pri": "msg-over-channel-params"},
        "path-wins": {"service": "channels.echo", "url_path": "/path-wins/{name}", "url_params_pri": "path-over-qs"},
        "not-merged": {"service": "channels.echo", "url_path": "/not-merged/{name}", "merge_url_params_req": False},
        "small": {"service": "channels.echo", "max_body_bytes": 1000},
        "rows": {"data_format": "csv"},
        "tag": {"data_format": "xml"},
        "upload": {"data_format": "form"},
        "post": {"data_format": "post", "service": "channels.echo"},
        "text": {"data_format": ""},
        "zipped": {"data_format": "", "service": "channels.text", "content_encoding": "gzip"},
        "own": {},
        "cors": {
            "service": "channels.refuse",
            "method": "POST",
            "cors_origins": ["https://a.example", "https://b.example"],
            "cors_headers": ["content-type", "x-own"],
            "cors_credentials": True,
        },
        "cors-any": {"service": "channels.text", "data_format": "", "cors_origins": ["*"], "cors_headers": ["*"]},
        "wait": {"timeout_s": 0.5},
        "stubborn": {"timeout_s": 0.3},
        "compute": {"timeout_s": 0.5},
        "compute-freely": {"service": "channels.compute"},
        "breathe": {},
        "refuse": {},
        "refuse-text": {"service": "channels.refuse", "data_format": ""},
        "refuse-xml": {"service": "channels.refuse", "data_format": "xml"},
    }.items():
        server.add_channel(name, **{"url_path": f"/{name}", "service": f"channels.{name}", **options})
    server.wait_until_applied()
    return server


def post(server: Server, path: str, body: Any, **headers: str) -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.request("POST", path, sent, {name.replace("_", "-"): value for name, value in headers.items()})


# What comes in


def test_query_path_and_body_meet_in_the_input_as_the_channel_says(server: Server) -> None:
    assert post(server, "/echo?name=query", {"name": "body", "b": 1}).json["input"] == {"name": "query", "b": "1"}
    assert post(server, "/body-wins/path?name=query", {"name": "body"}).json["input"] == {"name": "body"}
    assert post(server, "/body-wins/path?name=query", {}).json["input"] == {"name": "query"}
    assert post(server, "/path-wins/path?name=query&b=1", {}).json["input"] == {"name": "path", "b": "1"}
    assert post(server, "/not-merged/path?name=query", {"a": 1}).json["input"] == {"a": "1"}


def test_repeated_keys_of_a_query_are_a_list(server: Server) -> None:
    assert post(server, "/echo?a=1&b=&a=2", {}).json["get"] == {"a": ["1", "2"], "b": ""}


def test_rows_of_csv_come_and_go(server: Server) -> None:
    answer = post(server, "/rows", b'a,b\r\n"1,5",2\r\n')
    assert (answer.headers["content-type"], answer.body) == ("text/csv; charset=utf-8", b'b,a\r\n2,"1,5"\r\n')
    assert post(server, "/rows", b"\xff").status == 400


def test_xml_is_objectified(server: Server) -> None:
    answer = post(server, "/tag", "<customer><name>Zoë</name><number>41</number></customer>".encode())
    assert answer.headers["content-type"] == "application/xml"
    assert "<tag>customer</tag><name>Zoë</name><number>42</number>".encode() in answer.body


@pytest.mark.parametrize("path", ["/post", "/upload"])
def test_fields_of_a_form_are_input(server: Server, path: str) -> None:
    answer = post(server, path, b"title=a+b&x=1", content_type="application/x-www-form-urlencoded").json
    assert answer.get("title", answer.get("payload", {}).get("title")) == "a b"


_MULTIPART = (
    b'--limit\r\nContent-Disposition: form-data; name="title"\r\n\r\nza\xc5\xbc\r\n'
    b'--limit\r\nContent-Disposition: form-data; name="doc"; filename="../a.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    + bytes(range(256)) * 1000
    + b"\r\n--limit--\r\n"
)


def test_files_of_a_multipart_form_are_in_input_and_files(server: Server) -> None:
    answer = post(server, "/upload", _MULTIPART, content_type="multipart/form-data; boundary=limit").json
    assert answer == {
        "title": "zaż",
        "fields": ["doc", "title"],
        "files": {"doc": ["../a.pdf", "application/pdf", 256_000]},
    }


def test_a_body_comes_compressed(server: Server) -> None:
    answer = post(server, "/echo", gzip.compress(b'{"a": 1}'), content_encoding="gzip")
    assert (answer.status, answer.json["payload"], answer.json["raw_bytes"]) == (200, {"a": 1}, 8)


def test_a_compressed_body_is_as_bounded_as_any(server: Server) -> None:
    bomb = gzip.compress(b"0" * 200_000_000)
    assert post(server, "/echo", bomb, content_encoding="gzip").status == 413
    assert post(server, "/small", gzip.compress(b" " * 1001), content_encoding="gzip").status == 413
    assert post(server, "/small", gzip.compress(b" " * 996 + b'"ok"'), content_encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"no gzip", 400),
        ("gzip", gzip.compress(b"{}")[:-5], 400),
        ("gzip", gzip.compress(b"{}") + b"more", 400),
        ("br", b"{}", 415),
        ("gzip, gzip", b"{}", 415),
        ("identity", b"{}", 200),
    ],
)
def test_another_encoding_or_a_broken_one_is_refused(server: Server, encoding: str, body: bytes, status: int) -> None:
    assert post(server, "/echo", body, content_encoding=encoding).status == status


def test_methods_that_are_allowed_nowhere_are_405_everywhere(server: Server) -> None:
    answer = server.request("DELETE", "/echo")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, OPTIONS, POST, PUT")


# What goes out


def test_the_server_is_called_what_it_was_told(server: Server) -> None:
    assert server.request("GET", "/text").headers["server"] == "ESB/1"


@pytest.mark.parametrize("accepts", [None, "gzip", "br, gzip;q=0.5", "*"])
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_an_answer_is_compressed_for_who_takes_it(server: Server, accepts: str | None, size: int) -> None:
    # http.client would say "identity" by itself.
    accept = f"Accept-Encoding: {accepts}\r\n" if accepts else ""
    with server.connect() as connection:
        connection.send(f"GET /zipped?size={size} HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n".encode())
        answer = connection.read_answer()
    assert answer is not None
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.body) == b"x" * size


@pytest.mark.parametrize("accepts", ["identity", "gzip;q=0", "br", "gzip;q=0.000, *"])
def test_an_answer_is_not_compressed_for_who_does_not(server: Server, accepts: str) -> None:
    answer = server.request("GET", "/zipped", headers={"Accept-Encoding": accepts})
    assert (answer.body, answer.headers["vary"]) == (b"x" * 10, "Accept-Encoding")
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/refuse", "application/json"), ("/refuse-text", "text/plain; charset=utf-8"), ("/refuse-xml", "application/xml")],
)
def test_an_error_comes_in_the_channels_format_and_with_its_cid(server: Server, path: str, content_type: str) -> None:
    answer = post(server, path, b"")
    assert (answer.status, answer.headers["content-type"]) == (500, content_type)
    assert answer.cid.encode() in answer.body and b"inside" not in answer.body


# Pages of other origins


def preflight(
    server: Server, path: str, origin: str = "https://a.example", method: str = "POST", headers: str = "x-own"
) -> Any:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers, "Origin": origin}
    return server.request("OPTIONS", path, headers=asked)


def cors_headers(answer: Any) -> dict[str, str]:
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)}


def test_a_preflight_is_answered_where_a_channel_has_origins(server: Server) -> None:
    answer = preflight(server, "/cors")
    assert (answer.status, answer.body, answer.headers["vary"]) == (204, b"", "Origin")
    assert cors_headers(answer) == {
        "allow-origin": "https://a.example",
        "allow-methods": "POST",
        "allow-headers": "content-type, x-own",
        "allow-credentials": "true",
        "expose-headers": "X-Zato-CID",
        "max-age": "600",
    }


def test_a_page_of_a_strange_origin_is_told_nothing(server: Server) -> None:
    answer = preflight(server, "/cors", origin="https://evil.example")
    assert {"allow-origin", "allow-credentials"}.isdisjoint(cors_headers(answer))
    answer = server.request("POST", "/cors", headers={"Origin": "https://evil.example"})
    assert cors_headers(answer) == {}
    assert answer.headers["vary"] == "Origin"


def test_a_page_may_read_errors_too(server: Server) -> None:
    answer = server.request("POST", "/cors", headers={"Origin": "https://b.example"})
    assert answer.status == 500
    assert cors_headers(answer)["allow-origin"] == "https://b.example"


def test_any_origin_may_call_what_is_open_to_all(server: Server) -> None:
    answer = preflight(server, "/cors-any", origin="null", method="PUT", headers="a, b")
    assert (answer.status, cors_headers(answer)["allow-origin"]) == (204, "*")
    assert (cors_headers(answer)["allow-methods"], cors_headers(answer)["allow-headers"]) == ("PUT", "a, b")
    assert cors_headers(server.request("GET", "/cors-any", headers={"Origin": "https://x"}))["allow-origin"] == "*"
    assert cors_headers(server.request("GET", "/cors-any")) == {}


def test_elsewhere_a_preflight_is_the_services(server: Server) -> None:
    answer = preflight(server, "/own")
    assert (answer.status, answer.headers["x-by"]) == (200, "service")
    assert cors_headers(answer) == {"allow-origin": "*"}


# How long a service may take


def test_a_service_that_waits_too_long_is_ended(server: Server) -> None:
    started = time.monotonic()
    answer = post(server, "/wait", {})
    assert (answer.status, answer.json["result"]) == (504, "Error"), server.log_lines("service_failed")
    assert 0.5 <= time.monotonic() - started < 20
    assert answer.cid in [line["cid"] for line in server.log_lines("service_interrupted")]


def test_the_work_of_an_ended_service_stops_and_its_clean_up_runs(server: Server) -> None:
    import redis

    with redis.Redis.from_url(server.redis_url, decode_responses=True) as kvdb:
        kvdb.delete("wait", "wait-ended")
        assert post(server, "/wait", {}).status == 504
        assert (kvdb.get("wait"), kvdb.get("wait-ended")) == ("begun", "yes")


def test_a_service_that_swallows_its_end_is_ended_again(server: Server) -> None:
    answer = post(server, "/stubborn", {})
    assert (answer.status, answer.json) == (200, {"still": "here"}), "it had an answer at last, which is not thrown away"


def test_a_service_that_computes_too_long_is_ended_too_and_its_worker_lives(server: Server) -> None:
    workers = server.worker_pids()
    for path, reason in (("/compute", "longer than its"), ("/compute-freely", "without a pause")):
        answer = post(server, path, {})
        assert (answer.status, reason in answer.json["details"]) == (504, True), answer.body
    assert server.worker_pids() == workers
    assert post(server, "/echo", {}).status == 200


def test_others_are_answered_after_the_longest_that_a_service_may_compute(server: Server) -> None:
    with server.connect() as first, server.connect() as second, server.connect() as third:
        for connection in (first, second, third):
            connection.send(b"GET /compute-freely HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert post(server, "/echo", {}).status == 200
        for connection in (first, second, third):
            answer = connection.read_answer()
            assert answer is not None and answer.status == 504


def test_a_service_that_lets_others_run_may_compute_longer_than_one_that_does_not(server: Server) -> None:
    assert post(server, "/breathe", {}).json == {"done": True}
