"""Starts the authority: `python -m zato.ca --folder PATH`."""

import argparse
import dataclasses
import enum
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from zato.ca.config import PART_NAME, CASettings
from zato.common import logs
from zato.common.errors import InvalidOptions, ZatoError
from zato.common.settings import describe_settings, env_prefix, load_settings

_DEFAULT_WORK_FOLDER = Path("work")


class ExitCode(enum.IntEnum):
    OK = 0
    # It could not start; standard error says why.
    FAILED = 1
    # The settings or the command line are wrong; standard error says which.
    BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the authority until SIGTERM or SIGINT. The console script `zato-ca`."""
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


def read_settings(folder: Path | None, environ: Mapping[str, str]) -> CASettings:
    """
    Args:
        folder: The one that `zato create ca` made; None takes everything from the environment.

    Raises:
        InvalidOptions: Says which setting is wrong and what was wanted.
    """
    files: tuple[Path, ...] = ()
    if folder is not None:
        secrets = folder / "secrets.toml"
        files = (folder / "settings.toml", *([secrets] if secrets.exists() else []))
    settings = load_settings(CASettings, PART_NAME, files=files, environ=environ)
    if folder is not None and settings.work_folder == _DEFAULT_WORK_FOLDER:
        settings = dataclasses.replace(settings, work_folder=folder / _DEFAULT_WORK_FOLDER)
    return settings


def _run(settings: CASettings) -> int:
    # gRPC takes a moment to import; whoever only looks at the settings need not wait for it.
    from zato.ca.app import CertificateAuthority

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    CertificateAuthority(settings).run(stop)
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zato-ca",
        description="The certificate authority: enrols the parts of a cluster, renews and revokes their certificates.",
        epilog=f"Each setting can be given as an environment variable, e.g. {env_prefix(PART_NAME)}LIFETIME_S.\n\n"
        "exit codes: 0 ended when told to, 1 could not start, 2 wrong settings\n\n"
        "example: zato-ca --folder ~/cluster/ca",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder", type=Path, metavar="PATH", help="folder with settings.toml and secrets.toml (default: environment only)"
    )
    parser.add_argument("--show-config", action="store_true", help="print the settings, secrets masked, and end")
    return parser


def _fail(exc: ZatoError, code: ExitCode) -> int:
    print(f"zato-ca: {exc.message}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
