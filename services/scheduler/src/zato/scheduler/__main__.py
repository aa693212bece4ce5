"""Starts the scheduler: `python -m zato.scheduler --folder PATH`."""

import argparse
import enum
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from zato.common import logs
from zato.common.errors import InvalidOptions, ZatoError
from zato.common.settings import describe_settings, env_prefix, load_settings
from zato.scheduler.config import PART_NAME, SchedulerSettings


class ExitCode(enum.IntEnum):
    OK = 0
    # It could not start; standard error says why.
    FAILED = 1
    # The settings or the command line are wrong; standard error says which.
    BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scheduler until SIGTERM or SIGINT. The console script `zato-scheduler`."""
    parsed = _parser().parse_args(arguments)
    try:
        settings = read_settings(parsed.folder, os.environ)
    except InvalidOptions as exc:
        return _fail(exc, ExitCode.BAD_SETTINGS)
    if parsed.show_config:
        print(json.dumps(describe_settings(settings), indent=2))  # noqa: T201
        return ExitCode.OK
    logs.configure(PART_NAME, log_format=settings.log_format, level=settings.log_level)
    try:
        return _run(settings)
    except InvalidOptions as exc:
        return _fail(exc, ExitCode.BAD_SETTINGS)
    except ZatoError as exc:
        return _fail(exc, ExitCode.FAILED)


def read_settings(folder: Path | None, environ: Mapping[str, str]) -> SchedulerSettings:
    """
    Args:
        folder: The one that `zato create scheduler` made; None takes everything from the environment.

    Raises:
        InvalidOptions: Says which setting is wrong and what was wanted.
    """
    files: tuple[Path, ...] = ()
    if folder is not None:
        secrets = folder / "secrets.toml"
        files = (folder / "settings.toml", *([secrets] if secrets.exists() else []))
    return load_settings(SchedulerSettings, PART_NAME, files=files, environ=environ)


def _run(settings: SchedulerSettings) -> int:
    # gRPC takes a moment to import; whoever only looks at the settings need not wait for it.
    from zato.scheduler.app import App

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    App(settings).run(stop)
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zato-scheduler",
        description="The scheduler: runs services when it is time.",
        epilog=f"Each setting can be given as an environment variable, e.g. {env_prefix(PART_NAME)}GRPC_ADDRESS.\n\n"
        "exit codes: 0 ended when told to, 1 could not start, 2 wrong settings\n\n"
        "example: zato-scheduler --folder ~/cluster/scheduler",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder", type=Path, metavar="PATH", help="folder with settings.toml and secrets.toml (default: environment only)"
    )
    parser.add_argument("--show-config", action="store_true", help="print the settings, secrets masked, and end")
    return parser


def _fail(exc: ZatoError, code: ExitCode) -> int:
    print(f"zato-scheduler: {exc.message}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
