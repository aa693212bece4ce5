"""
What a part declares to add to the `zato` command: a tuple of `Command` behind the entry point group `zato.commands`.

    COMMANDS = (
        Command(
            path=("service", "list"),
            help="Services of the cluster, and the files they came from",
            configure=cluster.add_arguments,
            run=list_services,
            examples=("zato service list", "zato service list --json"),
        ),
    )

A module of commands is imported whenever somebody types `zato`, so it imports what the work needs inside `run`.
"""

import argparse
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zato.common.cli.console import Console
from zato.common.errors import ZatoError


class ExitCode(enum.IntEnum):
    OK = 0
    # It did not work; standard error says why.
    FAILED = 1
    # The command line itself is wrong.
    USAGE = 2
    # What was asked about does not run.
    NOT_RUNNING = 3
    # What was waited for had not happened in time.
    TIMEOUT = 4
    INTERRUPTED = 130


class UsageError(ZatoError):
    """The command line is wrong; the message says what was expected."""

    http_status = 400
    grpc_code = "INVALID_ARGUMENT"


@dataclass(frozen=True)
class Command:
    """
    Args:
        path: The words that choose it, e.g. ("service", "invoke").
        help: One line, without a full stop at its end.
        configure: Adds the arguments.
        run: Does the work and returns an `ExitCode`. What goes wrong it raises as a ZatoError, printed as one line.
        examples: Complete command lines that work, shown below the help.
    """

    path: tuple[str, ...]
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], int]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Says what the commands below `path` have in common, e.g. ("service",). May stand among a part's commands."""

    path: tuple[str, ...]
    help: str


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """The `configure` of a command that takes none."""


def completes_files(action: argparse.Action) -> argparse.Action:
    """Let the shell complete the argument with names of files."""
    return _completes(action, {"bash": "_shtab_compgen_files", "zsh": "_files"})


def completes_folders(action: argparse.Action) -> argparse.Action:
    """Let the shell complete the argument with names of folders."""
    return _completes(action, {"bash": "_shtab_compgen_dirs", "zsh": "_files -/"})


def _completes(action: argparse.Action, how: dict[str, str]) -> argparse.Action:
    # shtab looks for this attribute, which argparse does not declare.
    completed: Any = action
    completed.complete = how
    return action
