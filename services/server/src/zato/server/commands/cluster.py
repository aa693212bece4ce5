"""`zato cluster status`, `zato wait` and `zato create secret-key`."""

import argparse
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from zato.common.cli.admin import Admin, add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, no_arguments
from zato.common.cli.console import Console
from zato.common.errors import DeadlineExceeded, ZatoError

_WAIT_S = 60.0
_POLL_S = 0.1
# As servers forget a worker that says nothing.
_SILENT_AFTER_S = 15.0


def _status(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        status: dict[str, Any] = admin.invoke("zato.cluster.get-status", {}, is_idempotent=True)
    console.data(status)
    newest = status["config_version"]
    living = living_workers(status["workers"])
    rows = [
        (
            worker["server"],
            worker["pid"],
            worker["config_version"],
            console.state(_state(worker, newest) if worker in living else "silent"),
            str(worker["reported_at"])[:19].replace("T", " "),
        )
        for worker in status["workers"]
    ]
    console.print(f"Configuration version {newest}")
    console.table(
        ("Server", "Worker", "Runs version", "State", "Reported at"),
        rows,
        empty="No worker has reported yet: they do so within seconds of their start.",
    )
    return ExitCode.OK


def _state(worker: dict[str, Any], newest: int) -> str:
    return "up to date" if worker["config_version"] >= newest else "behind"


def living_workers(workers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Leave out workers that are gone: all report every few seconds, so these are far behind the latest report.

    The servers' own times are compared, since our clock may differ from theirs.
    """
    times = [datetime.fromisoformat(worker["reported_at"]) for worker in workers]
    latest = max(times, default=None)
    return [
        worker
        for worker, moment in zip(workers, times, strict=True)
        if latest is not None and (latest - moment).total_seconds() < _SILENT_AFTER_S
    ]


def _wait_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=_WAIT_S, help=f"When to give up (default: {_WAIT_S:g})"
    )
    add_cluster_arguments(parser)


def _wait(options: argparse.Namespace, console: Console) -> int:
    began_at = time.monotonic()
    with connect(options) as admin, console.progress() as progress:
        progress.start("cluster", "waiting")
        while problem := _what_is_missing(admin):
            progress.note("cluster", problem)
            if time.monotonic() - began_at > options.timeout:
                progress.fail("cluster", "not ready")
                raise DeadlineExceeded(f"The cluster is not ready after {options.timeout:g} s: {problem}")
            time.sleep(_POLL_S)
        count = len(admin.addresses)
        progress.done("cluster", f"{count} server{'s' if count > 1 else ''} ready, all workers run the newest configuration")
    console.data({"is_ready": True, "seconds": round(time.monotonic() - began_at, 3)})
    return ExitCode.OK


def _what_is_missing(admin: Admin) -> str:
    """Return what keeps the cluster from being ready, or nothing."""
    for address in admin.addresses:
        try:
            admin.invoke("zato.ping", {}, server=address)
        except ZatoError as exc:
            return exc.message
    try:
        status: dict[str, Any] = admin.invoke("zato.cluster.get-status", {}, is_idempotent=True)
    except ZatoError as exc:
        return exc.message
    return _who_is_behind(status["config_version"], living_workers(status["workers"]), len(admin.addresses))


def _who_is_behind(newest: int, workers: Sequence[dict[str, Any]], servers: int) -> str:
    behind = [f"{worker['server']}/{worker['pid']}" for worker in workers if worker["config_version"] < newest]
    if behind:
        return f"configuration {newest} is not live yet on {', '.join(behind)}"
    heard = {worker["server"] for worker in workers}
    if len(heard) < servers:
        return f"workers of {len(heard)} of {servers} servers have reported"
    return ""


def _secret_key(_options: argparse.Namespace, console: Console) -> int:
    from zato.common.secrets import generate_key

    key = generate_key()
    console.data({"secret_key": key})
    console.print(key)
    return ExitCode.OK


CLUSTER_COMMANDS: tuple[Command | Group, ...] = (
    Group(("cluster",), "All servers together"),
    Command(
        path=("cluster", "status"),
        help="Which configuration each worker of each server runs",
        configure=add_cluster_arguments,
        run=_status,
        examples=("zato cluster status",),
    ),
    Command(
        path=("wait",),
        help="Wait until all servers are ready and run the newest configuration",
        configure=_wait_configure,
        run=_wait,
        examples=("zato wait --timeout 30 && echo ready",),
    ),
    Command(
        path=("create", "secret-key"),
        help="Print a new key that encrypts secrets in the ODB",
        configure=no_arguments,
        run=_secret_key,
        examples=("zato create secret-key > secret-key.txt",),
    ),
)
