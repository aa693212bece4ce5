"""
Run a command and, once it has ended, end whatever it has left running:

    python scripts/adopt.py LEFT COMMAND …

Ends with the command's exit code. What was left running is in the file LEFT, a line for each process.
"""

import contextlib
import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import psutil


def main() -> int:
    left_file, *command = sys.argv[1:]
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM):
        # The command is told as well, being in the same group of processes, and we have to outlive it.
        signal.signal(number, lambda *_: None)
    process = subprocess.Popen(command)
    status = process.wait()
    Path(left_file).write_text("".join(f"{line}\n" for line in end_orphans()))
    return status if status >= 0 else 128 - status


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind, so that we can find it."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def end_orphans(grace_s: float = 3.0) -> list[str]:
    """End, by their ids, the processes that were left behind and their children; return what they were."""
    left: list[str] = []
    while orphans := psutil.Process().children():
        _, alive = psutil.wait_procs(orphans, timeout=grace_s)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.append(" ".join(process.cmdline())[:120])
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        grace_s = 0  # what comes now are the children of those
    return left


if __name__ == "__main__":
    sys.exit(main())
