"""
Trying a package in a process of its own, so that code which ends, hangs or eats memory while it is imported harms nobody.

The process, which `zato.server.services.trial` says more of, imports the package beside what it needs and writes down how that
went. What it starts itself ends with it.
"""

import signal
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from gevent.lock import BoundedSemaphore

from zato.common.logs import get_logger
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer, Outcome
from zato.server.services.trial_processes import TrialProcesses

log = get_logger(__name__)

# Each takes a core for as long as it imports: those that come at once wait for one another.
_AT_ONCE = 2
TRIAL_FILE, VERDICT_FILE, SOURCES = "trial", "verdict", "sources"


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    Args:
        timeout_s: How long an import may take.
        memory_mb: How much it may take beyond what Python and the platform do.
    """

    timeout_s: float = 30.0
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class TriedPackage:
    name: str
    version: int
    source: bytes

    @classmethod
    def of(cls, package: Package) -> "TriedPackage":
        return cls(package.name, package.version, package.source)

    @property
    def package(self) -> Package:
        return Package(self.name, self.version, self.source)


@dataclass(frozen=True, slots=True)
class Trial:
    """
    What the process is told.

    Args:
        others: Packages that run beside it.
        services: Which package has each service.
        services_folder: What services read, their defaults and schemas for one.
        allowed: Names that services may have, as in the settings.
    """

    package: TriedPackage
    others: list[TriedPackage]
    services: dict[str, str]
    services_folder: str
    allowed: tuple[str, ...]
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the process says, as `Outcome` has it."""

    reason: str = ""
    missing: str = ""
    traceback: str = ""


class Canary:
    """
    Args:
        deployer: Knows what runs, beside which a package is tried.
        folder: For files that are there during a trial.
    """

    def __init__(
        self,
        deployer: Deployer,
        folder: Path,
        services_folder: Path,
        allowed: tuple[str, ...] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self._deployer = deployer
        self._folder = folder
        self._services_folder = services_folder
        self._allowed = allowed
        self._bounds = bounds or Bounds()
        self._turns = BoundedSemaphore(_AT_ONCE)
        self._processes = TrialProcesses()

    def check(self, package: Package) -> Outcome:
        """Say what would become of a package if it was deployed now."""
        surroundings = self._deployer.surroundings(package)
        trial = Trial(
            TriedPackage.of(package),
            [TriedPackage.of(each) for each in surroundings.packages],
            dict(surroundings.services),
            str(self._services_folder),
            self._allowed,
            self._bounds,
        )
        with self._turns:
            began = time.monotonic()
            verdict = self._run(package, trial)
        seconds = round(time.monotonic() - began, 2)
        log.info("package_tried", file_name=package.name, version=package.version, is_ok=not verdict.reason, duration_s=seconds)
        running = self._deployer.version_running(package.name)
        return Outcome(package.name, package.version, running, verdict.reason, verdict.missing, verdict.traceback)

    def _run(self, package: Package, trial: Trial) -> Verdict:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / TRIAL_FILE).write_bytes(msgspec.msgpack.encode(trial))
            how_it_ended = self._run_process(folder)
            try:
                verdict = msgspec.msgpack.decode((folder / VERDICT_FILE).read_bytes(), type=Verdict)
            except (OSError, msgspec.MsgspecError):
                log.warning("package_not_tried", file_name=package.name, reason=how_it_ended)
                return Verdict(how_it_ended)
        if verdict.reason.endswith("MemoryError"):
            limit = f"importing it may take {self._bounds.memory_mb} MB, 'package_check_memory_mb' in the settings"
            return replace(verdict, reason=f"{verdict.reason}: {limit}")
        return verdict

    def _run_process(self, folder: Path) -> str:
        """Run the process to its end, or end it; return how it ended, for where it left no verdict."""
        status = self._processes.run(str(folder), self._bounds.timeout_s)
        if status == -signal.SIGALRM:
            return self._too_long()
        if status < 0:
            return f"the process that imported it was ended by {signal.Signals(-status).name}; does it take too much memory?"
        return f"the process that imported it ended with exit code {status} before it was done; does it call os._exit()?"

    def _too_long(self) -> str:
        return (
            f"importing it did not end within {self._bounds.timeout_s:g} s, 'package_check_timeout_s' in the settings; "
            "does it wait for something, or never end?"
        )
