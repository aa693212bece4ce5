"""The frame of the command: how commands are found, and what is said when something goes wrong."""

import argparse
import json
from collections.abc import Callable

import pytest

from zato.common.cli import main as frame
from zato.common.cli.commands import Command, Group, no_arguments
from zato.common.cli.console import Console
from zato.common.cli.entry_points import Broken, load_group
from zato.common.cli.main import main
from zato.common.errors import DeadlineExceeded, NotFound

Run = Callable[[argparse.Namespace, Console], int]


def with_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Whom to greet")
    parser.add_argument("--count", type=int, default=1, choices=(1, 2, 3), help="How often")


def greet(options: argparse.Namespace, console: Console) -> int:
    console.data({"greeted": options.name})
    console.print(f"Hello {options.name} " * options.count)
    return 0


def command_that(raises: BaseException) -> Command:
    def run(_options: argparse.Namespace, _console: Console) -> int:
        raise raises

    return Command(("fail",), "Fails", no_arguments, run)


GREET = Command(("people", "greet"), "Greet somebody", with_count, greet, examples=("zato people greet Ada",))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these commands the only ones."""

    def install(*commands: Command | Group, broken: tuple[Broken, ...] = ()) -> None:
        monkeypatch.setattr(frame, "load_commands", lambda: (commands, broken))

    monkeypatch.delenv("ZATO_DEBUG", raising=False)
    return install


def test_a_command_runs_and_its_exit_code_is_ours(install: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    install(GREET, Command(("seven",), "Seven", no_arguments, lambda _options, _console: 7))
    assert main(["people", "greet", "Ada"]) == 0
    assert capsys.readouterr().out == "Hello Ada \n"
    assert main(["seven"]) == 7


@pytest.mark.parametrize("arguments", [["--json", "people", "greet", "Ada"], ["people", "greet", "Ada", "--json"]])
def test_json_may_be_asked_for_before_and_after_the_command_and_nothing_else_is_printed(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    install(GREET)
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == {"greeted": "Ada"}


def test_an_error_is_one_line_and_no_traceback(install: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    install(command_that(NotFound("There is no service 'a': deploy it first")))
    assert main(["fail"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: There is no service 'a': deploy it first\n"


def test_an_error_as_json_is_a_document_too(install: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    install(command_that(NotFound("There is no service 'a'")))
    assert main(["fail", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"error": {"type": "NotFound", "message": "There is no service 'a'"}}


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DeadlineExceeded("Too slow"), 4, "error: Too slow"),
        (KeyboardInterrupt(), 130, "error: Interrupted"),
        (PermissionError(13, "Permission denied", "/etc/shadow"), 1, "error: /etc/shadow: Permission denied"),
        (ZeroDivisionError("division by zero"), 1, "error: The command broke: ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_goes_wrong_has_its_exit_code_and_its_line(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    install(command_that(error))
    assert main(["fail"]) == code
    captured = capsys.readouterr().err
    assert captured.startswith(said)
    assert captured.count("\n") == 1
    assert "Traceback" not in captured


def test_a_traceback_is_shown_to_whoever_asks_for_it(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(command_that(ZeroDivisionError()))
    monkeypatch.setenv("ZATO_DEBUG", "1")
    main(["fail"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["peeple"], "error: There is no command 'peeple', did you mean 'people'? See: zato --help\n"),
        (["zzz"], "error: There is no command 'zzz'; there are: people. See: zato --help\n"),
        (["people", "greet"], "error: The following arguments are required: NAME. See: zato people greet --help\n"),
        (
            ["people", "greet", "Ada", "--count", "many"],
            "error: Argument --count: invalid int value: 'many'. See: zato people greet --help\n",
        ),
        (["people", "greet", "Ada", "--loud"], "error: There is no option '--loud' here. See: zato people greet --help\n"),
        (
            ["people", "greet", "Ada", "--coun=3"],
            "error: There is no option '--coun' here, did you mean '--count'? See: zato people greet --help\n",
        ),
        (["people", "greet", "Ada", "Bob"], "error: 'Bob' is one argument too many. See: zato people greet --help\n"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_what_is_right(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    install(GREET)
    assert main(arguments) == 2
    assert capsys.readouterr().err == said


def test_options_are_not_guessed_from_their_beginning(install: Callable[..., None]) -> None:
    install(GREET)
    assert main(["people", "greet", "Ada", "--cou", "2"]) == 2


def test_a_part_whose_commands_are_broken_is_reported_and_the_others_work(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install(GREET, broken=(Broken("zato.commands", "scheduler", "ImportError: no module named 'x'"),))
    assert main(["people", "greet", "Ada", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"greeted": "Ada"}
    assert captured.err.startswith("warning: 'scheduler' brings zato.commands that cannot be loaded (ImportError")


def test_an_entry_point_that_raises_is_returned_as_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    class EntryPoint:
        name = "scheduler"
        dist = None

        def load(self) -> object:
            raise SyntaxError("half a line")

    monkeypatch.setattr("zato.common.cli.entry_points.entry_points", lambda group: [EntryPoint()])
    assert load_group("zato.parts") == ((), (Broken("zato.parts", "scheduler", "SyntaxError: half a line"),))


def test_help_lists_commands_with_their_meaning_and_examples(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install(Group(("people",), "Everybody"), GREET)
    assert main([]) == 0
    assert "\n  people  " in capsys.readouterr().out
    assert main(["people", "greet", "--help"]) == 0
    help = capsys.readouterr().out
    assert "Greet somebody." in help
    assert "  NAME " in help
    assert help.endswith("Examples:\n  zato people greet Ada\n")


def test_help_as_json_is_a_document(install: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    install(GREET)
    assert main(["people", "greet", "--help", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["help"].startswith("Usage: zato people greet")


def test_a_group_alone_shows_what_is_in_it(install: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    install(Group(("people",), "Everybody"), GREET)
    assert main(["people"]) == 2
    help = capsys.readouterr().out
    assert "Everybody." in help
    assert "\n  greet " in help


def test_versions_of_the_parts_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("zato ")
    assert main(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"]["redis"]
