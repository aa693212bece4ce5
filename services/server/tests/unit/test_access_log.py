"""Lines of requests."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from zato.server.http.access_log import AccessLog, make_access_log_step
from zato.server.http.request import Request, Response


class NoMetrics:
    def __init__(self) -> None:
        self.observed: list[tuple[Any, ...]] = []

    def observe_request(self, *what: Any) -> None:
        self.observed.append(what)


@pytest.fixture(autouse=True)
def informative() -> Iterator[None]:
    logger = logging.getLogger("zato.access")
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(logging.NOTSET)


def lines_of(requests: list[Request], status: int = 200) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    access_log = AccessLog("server1", stream)
    step = make_access_log_step(NoMetrics(), access_log)  # type: ignore[arg-type]
    for request in requests:
        step(request, lambda _: Response(status, b"12345"))
    assert stream.getvalue() == b"", "it is written later, with others"
    access_log.flush()
    written = stream.getvalue()
    access_log.flush()
    assert stream.getvalue() == written, "each line once"
    return [json.loads(line) for line in written.splitlines()]


def request_of(path: str = "/orders?id=1", agent: bytes = b"curl/8", cid: str = "cid-1") -> Request:
    return Request("POST", path, [(b"user-agent", agent)], b"123", cid=cid, remote_address="10.0.0.1")


def test_a_line_says_what_was_asked_and_answered() -> None:
    (line,) = lines_of([request_of()], 201)
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "method": "POST",
        "path": "/orders",
        "channel": "",
        "status": 201,
        "bytes_in": 3,
        "bytes_out": 5,
        "remote_address": "10.0.0.1",
        "user_agent": "curl/8",
        "event": "http_request",
        "cid": "cid-1",
        "logger": "zato.access",
        "level": "info",
        "part": "server1",
    }


def test_lines_are_written_in_the_order_of_the_answers() -> None:
    assert [line["cid"] for line in lines_of([request_of(cid=f"cid-{number}") for number in range(5)])] == [
        f"cid-{number}" for number in range(5)
    ]


def test_no_client_writes_to_the_terminal_of_who_reads_the_log_or_fills_a_disk() -> None:
    (line,) = lines_of([request_of("/" + "x" * 10_000, b"\x9b31m\x1b[0m" + b"y" * 10_000)])
    assert len(json.dumps(line)) < 1500
    assert line["user_agent"].startswith("\\x9b31m")


def test_half_of_a_character_is_no_reason_to_lose_a_line() -> None:
    (line,) = lines_of([request_of("/\ud800")])
    assert line["path"] == "/\ud800"


def test_too_many_lines_do_not_wait() -> None:
    stream = io.BytesIO()
    access_log = AccessLog("server1", stream)
    for _ in range(1000):
        access_log.add("cid", {})
    assert stream.getvalue().count(b"\n") == 1000


def test_nothing_is_written_below_the_level_that_is_wanted() -> None:
    logging.getLogger("zato.access").setLevel(logging.WARNING)
    stream = io.BytesIO()
    access_log = AccessLog("server1", stream)
    access_log.add("cid", {})
    access_log.flush()
    assert stream.getvalue() == b""
