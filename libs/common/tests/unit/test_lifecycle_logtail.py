"""The end of a log, made readable."""

from pathlib import Path

from zato.common.lifecycle.logtail import last_lines, log_size, reason_of


def test_json_lines_become_columns_and_other_lines_stay(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(
        '{"timestamp": "2026-11-24T04:27:50.697801Z", "level": "info", "event": "started", "port": 1, "part": "server"}\n'
        "plain text\n"
        "{not json\n"
    )
    assert last_lines(file, 10) == ["04:27:50 info started port=1", "plain text", "{not json"]


def test_a_traceback_inside_a_json_line_is_shown_as_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text('{"level": "error", "event": "died", "exception": "Traceback:\\n  File x\\nValueError: no"}\n')
    lines = last_lines(file, 10)
    assert lines == ["error died", "Traceback:", "  File x", "ValueError: no"]
    assert reason_of(lines) == "ValueError: no"


def test_only_the_last_lines_are_returned_and_only_those_written_since(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"old {number}\n" for number in range(100)))
    since = log_size(file)
    with file.open("a") as stream:
        stream.write("new 1\n\nnew 2\n")
    assert last_lines(file, 3) == ["old 99", "new 1", "new 2"]
    assert last_lines(file, 10, since=since) == ["new 1", "new 2"]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "nowhere", 5) == []
    assert log_size(tmp_path / "nowhere") == 0
    assert reason_of([]) == ""


def test_a_huge_log_is_not_read_whole_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * 10_000_000 + b"\n\xff\xfe broken\n")
    assert len(last_lines(file, 2)[0]) < 100_000
    assert last_lines(file, 1) == ["�� broken"]
