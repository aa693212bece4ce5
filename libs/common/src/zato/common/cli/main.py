"""The `zato` command: finds the parts' commands, runs one, and turns whatever goes wrong into one clear line."""

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from zato.common.cli.commands import Command, ExitCode, Group, UsageError
from zato.common.cli.console import Console
from zato.common.cli.entry_points import Broken, load_group
from zato.common.cli.parser import HelpWanted, build_parser, styled_help
from zato.common.errors import DeadlineExceeded, ZatoError

DEBUG_VARIABLE = "ZATO_DEBUG"
_DISTRIBUTION = "zato-common"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. The console script `zato`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Known before the arguments are parsed, since errors of parsing are printed in the same way.
    console = Console(is_json="--json" in arguments, color=False if "--no-color" in arguments else None)
    try:
        code = _guarded(arguments, console)
        console.finish()
    except BrokenPipeError:
        # Whoever read us has seen enough, e.g. `head`; the interpreter must not try to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return code


def load_commands() -> tuple[tuple[Command | Group, ...], tuple[Broken, ...]]:
    """Return the commands of all installed parts, and what could not be loaded."""
    found, broken = load_group("zato.commands")
    return tuple(command for entry in found for command in entry.value), broken


def _guarded(arguments: Sequence[str], console: Console) -> int:
    try:
        return _run(arguments, console)
    except KeyboardInterrupt:
        return _failed(console, "Interrupted", "Interrupted", ExitCode.INTERRUPTED)
    except UsageError as exc:
        return _failed(console, "UsageError", exc.message, ExitCode.USAGE)
    except ZatoError as exc:
        _trace()
        code = ExitCode.TIMEOUT if isinstance(exc, DeadlineExceeded) else ExitCode.FAILED
        return _failed(console, type(exc).__name__, exc.message, code)
    except BrokenPipeError:
        raise
    except OSError as exc:
        _trace()
        return _failed(console, type(exc).__name__, _os_error(exc), ExitCode.FAILED)
    except Exception as exc:  # a command's bug: a line for whoever typed it, the rest for whoever repairs it
        _trace()
        text = f"The command broke: {type(exc).__name__}: {exc}. This is a bug; {DEBUG_VARIABLE}=1 shows where"
        return _failed(console, type(exc).__name__, text, ExitCode.FAILED)


def _run(arguments: Sequence[str], console: Console) -> int:
    commands, broken = load_commands()
    for each in broken:
        console.warn(str(each))
    parser = build_parser(commands)
    options: argparse.Namespace | None = None
    try:
        options = parser.parse_all(arguments)
        if options.version:
            return _print_versions(console)
        if options.command is None:
            options.parser.print_help()
    except HelpWanted as exc:
        console.data({"help": exc.text})
        console.print(styled_help(exc.text))
        # A group alone, e.g. `zato service`, is an unfinished command line.
        is_asked_for = options is None or options.parser is parser
        return ExitCode.OK if is_asked_for else ExitCode.USAGE
    command: Command = options.command
    return int(command.run(options, console))


def _print_versions(console: Console) -> int:
    found, _ = load_group("zato.parts")
    parts = {entry.value.name: entry.version for entry in found}
    with contextlib.suppress(PackageNotFoundError):
        common = version(_DISTRIBUTION)
        console.data({"zato": common, "parts": parts})
        console.print(f"zato {common}")
        for name, part_version in parts.items():
            if part_version != common:
                console.print(f"{name} {part_version}")
    return ExitCode.OK


def _failed(console: Console, error_type: str, message: str, code: int) -> int:
    console.data({"error": {"type": error_type, "message": message}})
    console.error(message)
    return int(code)


def _os_error(exc: OSError) -> str:
    where = f"{exc.filename}: " if exc.filename else ""
    return f"{where}{exc.strerror or exc}"


def _trace() -> None:
    if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
