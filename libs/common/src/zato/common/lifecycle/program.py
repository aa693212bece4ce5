"""How the program of a part starts: its command line, settings and log, and its end on SIGTERM or SIGINT."""

import argparse
import dataclasses
import enum
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from zato.common import logs
from zato.common.certificates.settings import TrustSettings
from zato.common.errors import InvalidOptions, ZatoError
from zato.common.settings import describe_settings, env_prefix, load_settings

# An `@options` class with at least `log_format` and `log_level`.
S = TypeVar("S")
_DEFAULT_WORK_FOLDER = Path("work")


class ExitCode(enum.IntEnum):
    OK = 0
    # It could not start; standard error says why.
    FAILED = 1
    # The settings or the command line are wrong; standard error says which.
    BAD_SETTINGS = 2


@dataclass(frozen=True)
class Program(Generic[S]):
    """
    Args:
        part: e.g. "scheduler", whose program is called zato-scheduler.
        settings: Its settings. A `work_folder` that is left at its default is in the part's own folder. With those of
            `TrustSettings` the part gets its certificate before it runs, and keeps it fresh meanwhile.
        description: A sentence for the program's help.
        example: A setting to name there, e.g. "GRPC_ADDRESS".
        run: Runs the part until the event is set, given its settings and its folder, if it has one. Imports what it needs
            itself: whoever only looks at the settings need not wait for it.
        is_forking: Whether it forks. Then whoever is forked keeps the certificate: no thread may run before.
    """

    part: str
    settings: type[S]
    description: str
    example: str
    run: Callable[[S, Path | None, threading.Event], None]
    is_forking: bool = False

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the part until it is told to end."""
        parsed = self._parser().parse_args(arguments)
        try:
            settings: Any = self.read_settings(parsed.folder, os.environ)
        except InvalidOptions as exc:
            return self._fail(exc, ExitCode.BAD_SETTINGS)
        if parsed.show_config:
            print(json.dumps(describe_settings(settings), indent=2))  # noqa: T201
            return ExitCode.OK
        logs.configure(self.part, log_format=settings.log_format, level=settings.log_level)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        try:
            self._run(settings, parsed.folder, stop)
        except InvalidOptions as exc:
            return self._fail(exc, ExitCode.BAD_SETTINGS)
        except ZatoError as exc:
            return self._fail(exc, ExitCode.FAILED)
        return ExitCode.OK

    def _run(self, settings: S, folder: Path | None, stop: threading.Event) -> None:
        trust = settings if isinstance(settings, TrustSettings) else TrustSettings()
        if not trust.is_enrolled or self.is_forking:
            self.run(settings, folder, stop)
            return
        from zato.common.certificates.keeping import CertificateKeeper

        keeper = CertificateKeeper(trust, stop.wait)
        if keeper.begin():
            try:
                self.run(settings, folder, stop)
            finally:
                keeper.end()

    def read_settings(self, folder: Path | None, environ: Mapping[str, str]) -> S:
        """
        Args:
            folder: The one that `zato create` made; None takes everything from the environment.

        Raises:
            InvalidOptions: Says which setting is wrong and what was wanted.
        """
        files: tuple[Path, ...] = ()
        if folder is not None:
            secrets = folder / "secrets.toml"
            files = (folder / "settings.toml", *([secrets] if secrets.exists() else []))
        settings: Any = load_settings(self.settings, self.part, files=files, environ=environ)
        if folder is not None and getattr(settings, "work_folder", None) == _DEFAULT_WORK_FOLDER:
            settings = dataclasses.replace(settings, work_folder=folder / _DEFAULT_WORK_FOLDER)
        made: S = settings
        return made

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=f"zato-{self.part}",
            description=self.description,
            epilog=f"Each setting can be given as an environment variable, e.g. {env_prefix(self.part)}{self.example}.\n\n"
            "exit codes: 0 ended when told to, 1 could not start, 2 wrong settings\n\n"
            f"example: zato-{self.part} --folder ~/cluster/{self.part}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--folder", type=Path, metavar="PATH", help="folder with settings.toml and secrets.toml (default: environment only)"
        )
        parser.add_argument("--show-config", action="store_true", help="print the settings, secrets masked, and end")
        return parser

    def _fail(self, exc: ZatoError, code: ExitCode) -> int:
        print(f"zato-{self.part}: {exc.message}", file=sys.stderr)  # noqa: T201
        return code
