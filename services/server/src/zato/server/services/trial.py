"""Imports a package to see whether that works: `python -m zato.server.services.trial FOLDER`, started by a worker."""

# Before anything else: services run in patched workers, so that is how they are tried.
from gevent import monkey

monkey.patch_all()

import math  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import msgspec  # noqa: E402

from zato.server.services.canary import SOURCES, TRIAL_FILE, VERDICT_FILE, Trial, Verdict  # noqa: E402
from zato.server.services.deployer import Deployer  # noqa: E402
from zato.server.services.name_patterns import NamePatterns  # noqa: E402
from zato.server.services.schemas import Schemas  # noqa: E402
from zato.server.services.simpleio import defaults  # noqa: E402
from zato.server.services.store import ServiceStore  # noqa: E402

_MB = 1024 * 1024


def try_package(trial: Trial, sources: Path) -> Verdict:
    services_folder = Path(trial.services_folder)
    defaults.use(defaults.read_defaults(services_folder))
    deployer = Deployer(
        ServiceStore(),
        sources,
        schemas=Schemas(services_folder / "schema" / "json"),
        allowed=NamePatterns(trial.allowed),
        calls_hooks=False,
    )
    # What runs in the worker runs here too; if it does not, the package will say so that imports it.
    deployer.apply([each.package for each in trial.others])
    outcome = deployer.check(trial.package.package, trial.services)
    return Verdict(outcome.reason, outcome.missing, outcome.traceback)


def main() -> None:
    folder = Path(sys.argv[1])
    trial = msgspec.msgpack.decode((folder / TRIAL_FILE).read_bytes(), type=Trial)
    # Should the worker die meanwhile, this ends all the same.
    signal.alarm(math.ceil(trial.bounds.timeout_s))
    _limit_memory(trial.bounds.memory_mb)
    try:
        verdict = try_package(trial, folder / SOURCES)
    except MemoryError:
        verdict = Verdict("MemoryError")
    except BaseException as exc:
        verdict = Verdict(f"{type(exc).__name__}: {exc}")
    temporary = folder / f"{VERDICT_FILE}.tmp"
    temporary.write_bytes(msgspec.msgpack.encode(verdict))
    temporary.rename(folder / VERDICT_FILE)
    # Threads that the package has started, and what it wants to do at exit, are of no interest.
    os._exit(0)


def _limit_memory(megabytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * _MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
