import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from zato.common.logs import bind_cid, configure, get_logger


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Callable[[], list[dict[str, Any]]]:
    configure("server", log_format="json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


Lines = Callable[[], list[dict[str, Any]]]


def fail() -> None:
    password = "hunter2"
    raise ValueError(f"not {len(password)}")


def test_a_line_is_one_json_object_with_event_fields_level_time_logger_and_part(lines: Lines) -> None:
    get_logger("zato.scheduler.jobs").info("job_fired", job_id=7, late_s=0.4)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job_fired",
        "job_id": 7,
        "late_s": 0.4,
        "level": "info",
        "logger": "zato.scheduler.jobs",
        "part": "server",
    }


def test_the_cid_is_in_every_line_of_its_request_and_in_no_other(lines: Lines) -> None:
    log = get_logger("test")
    log.info("before")
    with bind_cid("abc"):
        log.info("inside")
        logging.getLogger("of.a.library").warning("inside too")
    log.info("after")
    assert [line.get("cid") for line in lines()] == [None, "abc", "abc", None]


def test_requests_at_the_same_time_keep_their_own_cid(lines: Lines) -> None:
    async def handle(cid: str) -> None:
        with bind_cid(cid):
            await asyncio.sleep(0)
            get_logger("test").info("handled", wanted=cid)

    async def handle_all() -> None:
        await asyncio.gather(*(handle(f"task-{number}") for number in range(20)))

    asyncio.run(handle_all())
    with bind_cid("main"):
        thread = threading.Thread(target=lambda: get_logger("test").info("handled", wanted=None))
        thread.start()
        thread.join()
    assert len(lines()) == 21
    assert all(line.get("cid") == line["wanted"] for line in lines())


def test_the_standard_librarys_loggers_write_the_same_lines(lines: Lines) -> None:
    logging.getLogger("gunicorn.error").error("Worker %s died", 17)
    (line,) = lines()
    assert (line["event"], line["level"], line["part"]) == ("Worker 17 died", "error", "server")


def test_a_traceback_is_one_field_of_one_line(lines: Lines) -> None:
    try:
        fail()
    except ValueError:
        get_logger("test").exception("failed")
    (line,) = lines()
    assert line["exception"].endswith("ValueError: not 7")


@pytest.mark.parametrize(
    "field",
    [
        *("x" * 1_000_000, b"x" * 1_000_000, ["x" * 1000] * 1000, {"key": "x" * 1_000_000}, {"x" * 1_000_000: 1}),
        *(10**5000, "ż" * 5000, "\0" * 5000, "🎉" * 5000),
    ],
    ids=["text", "bytes", "list", "dict", "key", "number", "letters", "nuls", "emoji"],
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_field_makes_a_line_of_more_than_two_kilobytes(stream: io.StringIO, field: object, log_format: str) -> None:
    configure("server", log_format=log_format, stream=stream)
    get_logger("test").info("request", path=field)
    assert 100 < len(stream.getvalue()) < 2048


def test_a_long_traceback_keeps_its_end_where_the_reason_is(lines: Lines) -> None:
    try:
        raise ValueError("x" * 5000 + " the reason")
    except ValueError:
        get_logger("test").exception("failed")
    (line,) = lines()
    assert line["exception"].endswith(" the reason")
    assert len(line["exception"]) < 2000


def test_a_line_stays_one_line_whatever_a_client_sends(stream: io.StringIO) -> None:
    configure("server", log_format="json", stream=stream)
    get_logger("test").info("request", path='/a\n{"event": "forged"}\r\u2028\x1b[2J')
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_no_control_characters_of_a_clients(stream: io.StringIO) -> None:
    configure("server", log_format="console", stream=stream)
    get_logger("test").info("request", path="/a\n2026-01-01 forged\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()


def test_a_terminal_gets_columns_for_people(stream: io.StringIO) -> None:
    configure("server", log_format="console", stream=stream)
    get_logger("test").info("job_fired", job_id=7)
    assert "job_fired" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_tracebacks_show_no_values_of_variables(stream: io.StringIO) -> None:
    configure("server", log_format="console", stream=stream)
    try:
        fail()
    except ValueError:
        get_logger("test").exception("failed")
    assert "ValueError: not 7" in stream.getvalue()
    # The line of source is shown, once; what the variable held is not shown again.
    assert stream.getvalue().count("hunter2") == 0


def test_auto_means_json_where_there_is_no_terminal(stream: io.StringIO) -> None:
    configure("server", log_format="auto", stream=stream)
    get_logger("test").info("started")
    assert json.loads(stream.getvalue())["event"] == "started"


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    configure("server", log_format="json", level="WARNING", stream=stream)
    get_logger("test").info("quiet")
    get_logger("test").warning("loud")
    assert json.loads(stream.getvalue())["event"] == "loud"
