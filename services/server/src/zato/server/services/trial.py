"""
Imports packages to see whether that works: `python -m zato.server.services.trial`, started by a worker.

Each line of its input, `SECONDS FOLDER`, is a trial, which a process forked for it carries out. What that ended with is a line
of the output.
"""

# Before anything else: services run in patched workers, so that is how they are tried.
from gevent import monkey

monkey.patch_all()

import contextlib  # noqa: E402
import math  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import msgspec  # noqa: E402

import zato.server.service  # noqa: E402, F401 (each package needs it)
from zato.server.services.canary import SOURCES, TRIAL_FILE, VERDICT_FILE, Trial, Verdict  # noqa: E402
from zato.server.services.deployer import Deployer  # noqa: E402
from zato.server.services.name_patterns import NamePatterns  # noqa: E402
from zato.server.services.schemas import Schemas  # noqa: E402
from zato.server.services.simpleio import defaults  # noqa: E402
from zato.server.services.store import ServiceStore  # noqa: E402

# The loop of gevent is the forked process's own: this one never has any.
_fork = monkey.get_original("os", "fork")
_waitpid = monkey.get_original("os", "waitpid")

_MB = 1024 * 1024
# The alarm of the forked process is given this long to end it before this one does.
_GRACE_S = 5.0


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    for line in sys.stdin:
        timeout_s, _, folder = line.rstrip("\n").partition(" ")
        sys.stdout.write(f"{run_forked(Path(folder), float(timeout_s))}\n")
        sys.stdout.flush()


def run_forked(folder: Path, timeout_s: float) -> int:
    """Return the exit code, or minus the signal that ended it. What it has started is ended as well."""
    pid: int = _fork()
    if pid == 0:
        _run(folder)
    has_ended = _ends_within(timeout_s + _GRACE_S, pid)
    # While it is not reaped nobody else can have its number.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    # Until it has a session of its own, it is in ours.
    os.kill(pid, signal.SIGKILL)
    _, status = _waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if has_ended else -signal.SIGALRM


def _ends_within(seconds: float, pid: int) -> bool:
    ends_at = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        remaining_s = ends_at - time.monotonic()
        if remaining_s <= 0:
            return False
        signal.sigtimedwait([signal.SIGCHLD], remaining_s)
    return True


def _run(folder: Path) -> None:
    """Carry a trial out and end the process, whatever becomes of it."""
    status = 1
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        _write_verdict(folder)
        status = 0
    finally:
        # Threads that the package has started, and what it wants to do at exit, are of no interest.
        os._exit(status)


def _write_verdict(folder: Path) -> None:
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


def _limit_memory(megabytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * _MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
