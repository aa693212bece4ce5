"""`zato service` and `zato deployment`: invoking, deploying and listing services."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, UsageError, completes_files
from zato.common.cli.console import Console
from zato.common.errors import BadRequest, NotFound

_INVOKE_TIMEOUT_S = 60.0
_DEPLOY_WAIT_S = 30.0


# Invoke


def _invoke_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the service, e.g. currency.convert")
    payload = parser.add_mutually_exclusive_group()
    payload.add_argument("--payload", metavar="JSON", help="The input")
    completes_files(payload.add_argument("--payload-file", metavar="FILE", help="The input; - is standard input"))
    parser.add_argument("--raw", action="store_true", help="The input is not JSON, the service gets the bytes")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=_INVOKE_TIMEOUT_S,
        help=f"How long it may take (default: {_INVOKE_TIMEOUT_S:g})",
    )
    add_cluster_arguments(parser)


def _invoke(options: argparse.Namespace, console: Console) -> int:
    payload = _payload(options)
    if payload and not options.raw:
        _check_json(payload)
    with connect(options) as admin:
        answer, _ = admin.invoke_raw(
            options.name, payload, data_format="raw" if options.raw else "json", timeout_s=options.timeout
        )
    text = answer.decode(errors="replace")
    try:
        decoded = json.loads(text) if text else None
    except ValueError:
        console.data({"answer": text})
        console.print(text)
        return ExitCode.OK
    console.data(decoded)
    if text:
        console.print(json.dumps(decoded, indent=2, ensure_ascii=False))
    else:
        console.hint("The service answered nothing.")
    return ExitCode.OK


def _payload(options: argparse.Namespace) -> bytes:
    if options.payload is not None:
        return str(options.payload).encode()
    if options.payload_file == "-":
        return sys.stdin.buffer.read()
    if options.payload_file is not None:
        return _read(Path(options.payload_file))
    return b""


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except ValueError as exc:
        raise BadRequest(f"The payload is not valid JSON ({exc}): quote texts in it, or add --raw to send it as it is") from exc


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise NotFound(f"{file} cannot be read: {exc.strerror}") from exc


# Deploy, undeploy


@dataclass(frozen=True)
class _Result:
    """What became of one file. `refused` has the workers' reasons, `missing` the workers that said nothing in time."""

    file_name: str
    version: int
    workers: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        reasons = (worker["reason"] or "no reason given" for worker in self.workers if not worker["is_ok"])
        return tuple(dict.fromkeys(reasons))


def _deploy_configure(parser: argparse.ArgumentParser) -> None:
    completes_files(
        parser.add_argument(
            "files", metavar="FILE", type=Path, nargs="+", help="Python files with services; their names are kept"
        )
    )
    _wait_argument(parser)
    add_cluster_arguments(parser)


def _wait_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=_DEPLOY_WAIT_S,
        help=f"How long to wait for all workers; 0 does not wait (default: {_DEPLOY_WAIT_S:g})",
    )


def _deploy(options: argparse.Namespace, console: Console) -> int:
    # All of them are read before the first one is sent: a wrong name on the command line changes nothing.
    sources = {file: _read(file) for file in options.files}
    names = [file.name for file in sources]
    if len(set(names)) < len(names):
        raise UsageError("Two of the files have the same name; a cluster has one file of each name")
    results = []
    with connect(options) as admin, console.progress() as progress:
        if len(sources) > 1:
            # Files that import each other are a set: what became of each is asked when all of them are there.
            for file, source in sources.items():
                admin.deploy(file.name, source, wait_s=0)
        for file, source in sources.items():
            progress.start(file.name, "deploying")
            result = _result_of(admin.deploy(file.name, source, wait_s=options.wait))
            results.append(result)
            _show(progress, result, "live on")
    return _conclude(results, console, options.wait)


def _undeploy_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="Name of the file, e.g. currency.py; 'zato deployment list' has them")
    _wait_argument(parser)
    add_cluster_arguments(parser)


def _undeploy(options: argparse.Namespace, console: Console) -> int:
    name = Path(options.file).name
    with connect(options) as admin, console.progress() as progress:
        progress.start(name, "undeploying")
        result = _result_of(admin.deploy(name, b"", wait_s=options.wait, undeploy=True))
        _show(progress, result, "gone from")
    return _conclude([result], console, options.wait)


def _result_of(response: Any) -> _Result:
    workers = tuple(
        {
            "server": worker.server,
            "pid": worker.pid,
            "version_running": worker.version_running,
            "is_ok": worker.is_ok,
            "reason": worker.reason,
        }
        for worker in response.workers
    )
    return _Result(response.file_name, response.version, workers, tuple(response.missing))


def _show(progress: Any, result: _Result, what: str) -> None:
    version = f"version {result.version}" if result.version else ""
    if result.refused:
        progress.fail(result.file_name, f"{version} refused".strip())
    elif result.missing:
        progress.fail(result.file_name, f"{version} stored; not heard from {', '.join(result.missing)}".strip())
    elif result.workers:
        progress.done(result.file_name, f"{version} {what} {_workers(len(result.workers))}".strip())
    else:
        progress.done(result.file_name, f"{version} stored".strip())


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _conclude(results: list[_Result], console: Console, wait_s: float) -> int:
    console.data(
        [
            {"file_name": result.file_name, "version": result.version, "workers": result.workers, "missing": result.missing}
            for result in results
        ]
    )
    rows = [
        (
            result.file_name,
            worker["server"],
            worker["pid"],
            worker["version_running"] or "–",
            console.state("ok" if worker["is_ok"] else "refused"),
        )
        for result in results
        for worker in result.workers
    ]
    if rows:
        console.print()
        console.table(("File", "Server", "Worker", "Runs version", "State"), rows)
    for result in results:
        for reason in result.refused:
            console.error(f"{result.file_name}: {reason}")
    if any(result.refused for result in results):
        console.hint("Workers that refused a version go on with the one they had.")
        return ExitCode.FAILED
    if any(result.missing for result in results):
        console.error(f"Not all workers reported within {wait_s:g} s; 'zato deployment list' shows what became of it")
        return ExitCode.TIMEOUT
    return ExitCode.OK


# Lists


def _list_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="The platform's own services too")
    add_cluster_arguments(parser)


def _list(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        services: list[dict[str, Any]] = admin.invoke("zato.service.get-list", {}, is_idempotent=True)
    shown = [service for service in services if options.all or not service["is_internal"]]
    console.data(shown)
    console.table(
        ("Service", "File", "Version", "Class"),
        [
            (service["name"], service["file_name"] or "built in", service["version"] or "", service["impl_name"])
            for service in sorted(shown, key=lambda service: str(service["name"]))
        ],
        empty="There are no services of your own yet. Deploy some with: zato service deploy FILE.py",
    )
    return ExitCode.OK


def _list_deployments(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        deployments: list[dict[str, Any]] = admin.invoke("zato.deployment.get-list", {}, is_idempotent=True)
    console.data(deployments)
    console.table(
        ("File", "Version", "Action", "When", "By", "Workers"),
        [
            (
                deployment["file_name"],
                deployment["version"],
                deployment["action"],
                str(deployment["created_at"])[:19].replace("T", " "),
                deployment["created_by"],
                _summary(deployment["workers"]),
            )
            for deployment in deployments
        ],
        empty="Nothing was deployed yet. Begin with: zato service deploy FILE.py",
    )
    for deployment in deployments:
        for reason in _reasons(deployment):
            console.warn(f"{deployment['file_name']} version {deployment['version']}: {reason}")
    return ExitCode.OK


def _summary(workers: Iterable[Mapping[str, Any]]) -> str:
    workers = list(workers)
    refused = sum(not worker["is_ok"] for worker in workers)
    taken = len(workers) - refused
    return ", ".join(part for part in (f"{taken} ok" if taken else "", f"{refused} refused" if refused else "") if part) or "–"


def _reasons(deployment: Mapping[str, Any]) -> Iterable[str]:
    """Return why a version is not used: by the server that checked it, and by workers that refused it."""
    refused = [str(worker["reason"]) for worker in deployment["workers"] if not worker["is_ok"]]
    return dict.fromkeys(reason for reason in (str(deployment.get("reason", "")), *refused) if reason)


SERVICE_COMMANDS: tuple[Command | Group, ...] = (
    Group(("service",), "Deploy, list and invoke services"),
    Command(
        path=("service", "invoke"),
        help="Run a service and print what it answers",
        configure=_invoke_configure,
        run=_invoke,
        examples=("zato service invoke zato.ping", "zato service invoke orders.get --payload '{\"id\": 123}'"),
    ),
    Command(
        path=("service", "deploy"),
        help="Deploy files of services to all servers, without a restart",
        configure=_deploy_configure,
        run=_deploy,
        examples=("zato service deploy orders.py", "zato service deploy examples/*.py --wait 60"),
    ),
    Command(
        path=("service", "undeploy"),
        help="Take the services of a file out of use",
        configure=_undeploy_configure,
        run=_undeploy,
        examples=("zato service undeploy orders.py",),
    ),
    Command(
        path=("service", "list"),
        help="Services that can be invoked, and the files they came from",
        configure=_list_configure,
        run=_list,
        examples=("zato service list", "zato service list --all --json"),
    ),
    Group(("deployment",), "Files of services, and which workers took them"),
    Command(
        path=("deployment", "list"),
        help="What was deployed when and by whom, and which workers took it",
        configure=add_cluster_arguments,
        run=_list_deployments,
        examples=("zato deployment list",),
    ),
)
