"""What is printed where: terminals, pipes, programs."""

import io
import json
import os
import pty

import pytest
from rich.text import Text

from zato.common.cli.console import Console
from zato.common.cli.units import duration, mebibytes

ESCAPE = "\x1b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def everything(console: Console) -> None:
    console.print("plain", style="bold red")
    console.table(("Name", "State"), [("server1", console.state("ready"))])
    console.panel("Cluster", [("User", "pubapi")])
    with console.progress() as progress:
        progress.start("server1", "starting")
        progress.done("server1", "up")
    console.error("broken")


def test_a_terminal_has_colours() -> None:
    terminal = Terminal()
    everything(Console(stdout=terminal, stderr=Terminal()))
    assert f"{ESCAPE}[1;31mplain" in terminal.getvalue()
    assert f"{ESCAPE}[32mready" in terminal.getvalue()


def test_a_pipe_has_none_and_no_blanks_at_the_ends_of_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    everything(Console(stdout=out, stderr=err))
    assert ESCAPE not in out.getvalue() + err.getvalue()
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())
    assert "✓ server1" in out.getvalue()
    assert err.getvalue() == "error: broken\n"


def test_no_color_and_its_variable_leave_no_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for color, variable in ((False, ""), (None, "1")):
        monkeypatch.setenv("NO_COLOR", variable)
        terminal = Terminal()
        console = Console(color=color, stdout=terminal, stderr=Terminal())
        console.print("plain", style="bold red")
        console.table(("Name",), [("server1",)])
        assert ESCAPE not in terminal.getvalue()


def test_json_is_one_document_and_nothing_else() -> None:
    out = io.StringIO()
    console = Console(is_json=True, stdout=out, stderr=io.StringIO())
    everything(console)
    console.data({"first": 1})
    console.data({"second": "ü"})
    console.finish()
    assert json.loads(out.getvalue()) == {"second": "ü"}


def test_a_command_that_gives_no_data_still_prints_a_document() -> None:
    out = io.StringIO()
    Console(is_json=True, stdout=out).finish()
    assert json.loads(out.getvalue()) == {}


def test_text_is_printed_as_it_is_whatever_it_looks_like() -> None:
    out = io.StringIO()
    console = Console(stdout=out)
    console.print("[bold]a[/bold] :smile: 'x' 12")
    console.table(("[red]Column",), [("[/]",)])
    assert out.getvalue() == "[bold]a[/bold] :smile: 'x' 12\n[red]Column\n[/]\n"


def test_a_long_line_stays_one_line() -> None:
    terminal = Terminal()
    Console(stdout=terminal, color=False).print("curl " + "x" * 300)
    assert terminal.getvalue() == "curl " + "x" * 300 + "\n"


def test_a_table_without_rows_says_what_to_do() -> None:
    out = io.StringIO()
    Console(stdout=out).table(("Service",), [], empty="Deploy one with: zato service deploy FILE")
    assert out.getvalue() == "Deploy one with: zato service deploy FILE\n"


def test_the_columns_of_a_table_are_aligned() -> None:
    out = io.StringIO()
    Console(stdout=out).table(("Part", "Pid"), [("redis", 7), ("lb-agent", Text("8"))])
    assert out.getvalue().splitlines() == ["Part       Pid", "redis      7", "lb-agent   8"]


def test_a_question_is_answered_with_no_unless_a_person_is_there() -> None:
    assert not Console(stdout=Terminal(), is_json=True).confirm("Delete?")
    assert not Console(stdout=io.StringIO()).confirm("Delete?")


def test_what_a_stream_cannot_encode_does_not_break_the_command() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="ascii") as stream:
        Console(stdout=stream, color=False).print("✓ done")
    assert os.read(leader, 100).decode().strip() == "? done"
    os.close(leader)


def test_steps_that_were_not_finished_are_closed_when_the_progress_ends() -> None:
    out = io.StringIO()
    with Console(stdout=out).progress() as progress:
        progress.start("server1", "starting")
    assert out.getvalue().startswith("– server1")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (356_400, "4 d 3 h")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_is_counted_as_system_monitors_do() -> None:
    assert mebibytes(120 * 1024 * 1024) == "120 MB"
