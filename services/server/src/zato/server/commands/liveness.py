"""`--wait`: a change that is saved is not live everywhere yet, and this is how commands tell."""

import argparse
import time
from typing import Any

from zato.common.cli.admin import Admin
from zato.common.cli.console import Console
from zato.common.errors import DeadlineExceeded
from zato.server.commands.cluster import living_workers

_POLL_S = 0.1


def add_live_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=0.0,
        help="How long to wait until all workers of all servers run it; 0 does not wait (default: 0)",
    )


def wait_until_live(admin: Admin, console: Console, wait_s: float) -> None:
    """
    Return when each living worker runs the configuration that is the newest now, or one after it. Does nothing for 0 s.

    Raises:
        DeadlineExceeded: Some do not; says which worker of which server. What was changed stays changed.
    """
    if not wait_s:
        return
    deadline = time.monotonic() + wait_s
    status = _status(admin)
    version = status["config_version"]
    while not (workers := living_workers(status["workers"])) or (behind := _behind(workers, version)):
        if time.monotonic() >= deadline:
            who = ", ".join(behind) if workers else "any worker: none has reported"
            raise DeadlineExceeded(f"Saved, but version {version} is not live after {wait_s:g} s on {who}")
        time.sleep(_POLL_S)
        status = _status(admin)
    console.print(f"Version {version} is live on {'1 worker' if len(workers) == 1 else f'{len(workers)} workers'}")


def _status(admin: Admin) -> dict[str, Any]:
    status: dict[str, Any] = admin.invoke("zato.cluster.get-status", {}, is_idempotent=True)
    return status


def _behind(workers: list[dict[str, Any]], version: int) -> list[str]:
    return [
        f"{worker['server']}/{worker['pid']} (runs {worker['config_version']})"
        for worker in workers
        if worker["config_version"] < version
    ]
