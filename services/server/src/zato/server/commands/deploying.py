"""What commands have in common that deploy and undeploy: what is sent, and what the workers made of it."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import ExitCode, UsageError
from zato.common.cli.console import Console
from zato.common.errors import NotFound

if TYPE_CHECKING:
    from zato.common.cli.admin import Admin
    from zato.common.cli.progress import Progress

_WAIT_S = 30.0
_MB = 1024 * 1024
_ARCHIVES = (".zip", ".whl")


@dataclass(frozen=True)
class Upload:
    """
    Args:
        label: What the person calls it.
        file_name: What it is sent as.
    """

    label: str
    file_name: str
    data: bytes


@dataclass(frozen=True)
class Refusal:
    reason: str
    traceback: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one file or package. `missing` are the workers that said nothing in time."""

    file_name: str
    version: int
    workers: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]
    is_accepted: bool = True

    @classmethod
    def of_response(cls, response: Any) -> "Result":
        """Of a `DeployResponse`."""
        names = ("server", "pid", "version_running", "is_ok", "reason", "traceback")
        workers = tuple({name: getattr(worker, name) for name in names} for worker in response.workers)
        return cls(response.file_name, response.version, workers, tuple(response.missing), not response.is_rejected)

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> "Result":
        """Of what an admin service answers."""
        return cls(answer["name"], answer["version"], tuple(answer["workers"]), tuple(answer["missing"]), answer["is_accepted"])

    @property
    def refusals(self) -> list[Refusal]:
        """The workers' reasons, each once."""
        refused = (worker for worker in self.workers if not worker["is_ok"])
        found = (Refusal(worker["reason"] or "no reason given", worker.get("traceback", "")) for worker in refused)
        return list(dict.fromkeys(found))


def read_uploads(paths: Sequence[Path], name: str) -> list[Upload]:
    """
    Read what is to be deployed: files as they are, folders as archives of them.

    Args:
        name: What it is deployed as, "" for the file's or folder's own name.

    Raises:
        UsageError: Two have one name, or the name is given for something that has its own.
        BadRequest, NotFound, PayloadTooLarge: One can't be read, or is no package.
    """
    from zato.server.packages.uploads import name_of

    if name and (len(paths) > 1 or (paths[0].suffix != ".zip" and not paths[0].is_dir())):
        raise UsageError("--name is for one folder or one zip archive; files and wheels have their own names")
    uploads = [_read_upload(path, name) for path in paths]
    names = [name_of(upload.file_name) for upload in uploads]
    if len(set(names)) < len(names):
        raise UsageError("Two of them would be deployed under the same name; a cluster has one of each name")
    return uploads


def read_file(file: Path) -> bytes:
    """Raises NotFound when it can't be read."""
    try:
        return file.read_bytes()
    except OSError as exc:
        raise NotFound(f"{file} cannot be read: {exc.strerror}") from exc


def _read_upload(path: Path, name: str) -> Upload:
    if path.is_dir():
        from zato.server.packages.folders import pack_folder

        folder = path.resolve().name
        return Upload(name or folder, f"{name or folder}.zip", pack_folder(path))
    return Upload(name or path.name, f"{name}.zip" if name else path.name, read_file(path))


def deploy_upload(admin: "Admin", upload: Upload, wait_s: float, progress: "Progress") -> Result:
    """Send it, say meanwhile how much of it has gone, and return what became of it."""
    size = len(upload.data)

    def on_sent(count: int) -> None:
        progress.note(upload.label, "deploying" if count >= size else f"sending, {count * 100 // size} % of {size_of(size)}")

    progress.start(upload.label, "deploying")
    return Result.of_response(admin.deploy(upload.file_name, upload.data, wait_s=wait_s, on_sent=on_sent))


def size_of(count: int) -> str:
    """Return e.g. "2.0 kB"."""
    if count >= _MB:
        return f"{count / _MB:.1f} MB"
    return f"{count / 1024:.1f} kB" if count >= 1024 else f"{count} bytes"


def wait_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=_WAIT_S,
        help=f"How long to wait for all workers; 0 does not wait (default: {_WAIT_S:g})",
    )


def undeploy_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="What it is deployed as, e.g. currency.py; 'zato package list' has them")
    wait_argument(parser)
    add_cluster_arguments(parser)


def undeploy(options: argparse.Namespace, console: Console) -> int:
    name = deployed_as(options.name)
    with connect(options) as admin, console.progress() as progress:
        progress.start(name, "undeploying")
        result = Result.of_response(admin.deploy(name, b"", wait_s=options.wait, undeploy=True))
        show_result(progress, name, result, "gone from")
    return conclude([result], console, options.wait)


def deployed_as(given: str) -> str:
    """Return what is deployed of a file, archive or folder that somebody names by its path."""
    from zato.server.packages.uploads import name_of

    name = Path(given).name
    return name_of(name) if name.lower().endswith(_ARCHIVES) else name


def show_result(progress: "Progress", label: str, result: Result, what: str) -> None:
    version = f"version {result.version}" if result.version else ""
    if result.refusals:
        progress.fail(label, f"{version} refused".strip())
    elif result.missing:
        progress.fail(label, f"{version} stored; not heard from {', '.join(result.missing)}".strip())
    elif result.workers:
        progress.done(label, f"{version} {what} {_workers(len(result.workers))}".strip())
    else:
        progress.done(label, f"{version} stored".strip())


def conclude(results: Sequence[Result], console: Console, wait_s: float) -> int:
    """Print what became of them, and return the exit code."""
    console.data(
        [
            {
                "file_name": result.file_name,
                "version": result.version,
                "is_accepted": result.is_accepted,
                "workers": result.workers,
                "missing": result.missing,
            }
            for result in results
        ]
    )
    # Of what was refused by the check no worker has heard: there is nothing to tell of each.
    rows = [
        (
            result.file_name,
            worker["server"],
            worker["pid"],
            worker["version_running"] or "–",
            console.state("ok" if worker["is_ok"] else "refused"),
        )
        for result in results
        if result.is_accepted
        for worker in result.workers
    ]
    if rows:
        console.print()
        console.table(("Name", "Server", "Worker", "Runs version", "State"), rows)
    _explain(results, console)
    if any(result.refusals for result in results):
        return ExitCode.FAILED
    if any(result.missing for result in results):
        console.error(f"Not all workers reported within {wait_s:g} s; 'zato package list' shows what became of it")
        return ExitCode.TIMEOUT
    return ExitCode.OK


def _explain(results: Iterable[Result], console: Console) -> None:
    for result in results:
        for refusal in result.refusals:
            console.error(f"{result.file_name}: {refusal.reason}")
            console.log_lines(refusal.traceback.splitlines())
        if result.refusals and result.is_accepted:
            console.hint("Workers that refused a version go on with the one they had.")
        elif result.refusals:
            running = max((worker["version_running"] for worker in result.workers), default=0)
            went_on = f"Version {running} goes on." if running else "Nothing of it runs."
            console.hint(f"It was tried first, and sent to no worker. {went_on}")


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
