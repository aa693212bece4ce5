"""`zato package`: what is deployed and was, what versions differ in, and the way back to one."""

import argparse
import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, completes_files
from zato.common.cli.console import Console
from zato.common.errors import AlreadyExists, NotFound
from zato.server.commands.deploying import (
    Result,
    conclude,
    deployed_as,
    show_result,
    size_of,
    undeploy,
    undeploy_configure,
    wait_argument,
)

_ROLL_BACK_S = 90.0
_DIGEST_SHOWN = 12
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="What it is deployed as, e.g. currency.py; 'zato package list' has them")


def _version_argument(parser: argparse.ArgumentParser, default: str) -> None:
    # `zato --version` has the name that this would have.
    parser.add_argument("--version", metavar="NUMBER", dest="which", type=int, help=f"Which one (default: {default})")


def _list(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        packages: list[dict[str, Any]] = admin.invoke("zato.package.get-list", {}, is_idempotent=True)
    console.data(packages)
    console.table(
        ("Name", "Version", "State", "Runs", "When", "By"),
        [
            (
                package["name"],
                package["version"],
                _state(package, console),
                _runs(package["workers"]),
                _when(package),
                package["created_by"],
            )
            for package in packages
        ],
        empty="Nothing was deployed yet. Begin with: zato service deploy FILE.py",
    )
    for package in packages:
        for reason in _reasons(package):
            console.warn(f"{package['name']} version {package['version']}: {reason}")
    return ExitCode.OK


def _history_configure(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    add_cluster_arguments(parser)


def _history(options: argparse.Namespace, console: Console) -> int:
    name = deployed_as(options.name)
    with connect(options) as admin:
        versions: list[dict[str, Any]] = admin.invoke("zato.package.get-history", {"name": name}, is_idempotent=True)
    console.data(versions)
    console.table(
        ("Version", "State", "When", "By", "From", "What", "Files", "Size", "Digest", "Workers"),
        [
            (
                version["version"],
                _state(version, console),
                _when(version),
                version["created_by"],
                version["address"] or "–",
                _what(version),
                version["file_count"] or "–",
                size_of(version["size"]) if version["file_count"] else "–",
                version["digest"][:_DIGEST_SHOWN] if version["file_count"] else "–",
                _summary(version),
            )
            for version in versions
        ],
    )
    for version in versions:
        for reason in _reasons(version):
            console.warn(f"version {version['version']}: {reason}")
    return ExitCode.OK


def _show_configure(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    _version_argument(parser, "the latest")
    add_cluster_arguments(parser)


def _show(options: argparse.Namespace, console: Console) -> int:
    wanted = {"name": deployed_as(options.name), "version": options.which}
    with connect(options) as admin:
        package: dict[str, Any] = admin.invoke("zato.package.get", wanted, is_idempotent=True)
    console.data(package)
    console.panel(
        f"{package['name']} version {package['version']}",
        [
            ("State", _state(package, console)),
            ("What", _what(package)),
            ("When", f"{_when(package)} UTC"),
            ("By", f"{package['created_by']} from {package['address']}" if package["address"] else package["created_by"]),
            ("Digest", package["digest"]),
            ("Runs", _runs(package["workers"])),
        ],
    )
    if package["files"]:
        console.table(("File", "Size"), [(file["path"], size_of(file["size"])) for file in package["files"]])
    if package["reason"]:
        console.warn(package["reason"])
        console.log_lines(package["traceback"].splitlines())
    return ExitCode.OK


def _diff_configure(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument(
        "from_version", metavar="FROM", type=int, nargs="?", help="Version to compare (default: the one before the other)"
    )
    parser.add_argument(
        "to_version", metavar="TO", type=int, nargs="?", help="Version to compare it with (default: the latest)"
    )
    add_cluster_arguments(parser)


def _diff(options: argparse.Namespace, console: Console) -> int:
    wanted = {"name": deployed_as(options.name), "from_version": options.from_version, "to_version": options.to_version}
    with connect(options) as admin:
        found: dict[str, Any] = admin.invoke("zato.package.diff", wanted, is_idempotent=True)
    console.data(found)
    before = f"version {found['from_version']}" if found["from_version"] else "nothing"
    versions = f"{found['name']}: {before} → version {found['to_version']}"
    if not found["files"]:
        console.print(f"{versions}: the same files")
        return ExitCode.OK
    counts = Counter(file["change"] for file in found["files"])
    console.print(f"{versions}: {', '.join(f'{count} {change}' for change, count in sorted(counts.items()))}", style="bold")
    for file in found["files"]:
        console.print()
        console.print_lines(_diff_lines(file))
    return ExitCode.OK


def _diff_lines(file: Mapping[str, Any]) -> Iterable[Text]:
    if not file["is_text"]:
        sizes = f"{size_of(file['bytes_before'])} → {size_of(file['bytes_after'])}"
        yield Text(f"{file['path']}: {file['change']}, {sizes}; no text, or too long to compare", style="bold")
        return
    if not file["diff"]:
        yield Text(f"{file['path']}: {file['change']}, empty", style="bold")
    for line in file["diff"].splitlines():
        style = "bold" if line.startswith(("--- ", "+++ ")) else _STYLES.get(line[:1], "")
        yield Text(line, style=style)


def _rollback_configure(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument(
        "which", metavar="VERSION", type=int, nargs="?", help="The one to go back to (default: the one before the live one)"
    )
    wait_argument(parser)
    add_cluster_arguments(parser)


def _rollback(options: argparse.Namespace, console: Console) -> int:
    name = deployed_as(options.name)
    wanted = {"name": name, "version": options.which, "wait": options.wait}
    with connect(options) as admin, console.progress() as progress:
        progress.start(name, "rolling back")
        answer = admin.invoke("zato.package.roll-back", wanted, timeout_s=options.wait + _ROLL_BACK_S)
        result = Result.of_answer(answer)
        show_result(progress, name, result, "live on")
    return conclude([result], console, options.wait)


def _download_configure(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    _version_argument(parser, "the live one")
    completes_files(parser.add_argument("--out", metavar="FILE", type=Path, help="Where to (default: its name, here)"))
    add_cluster_arguments(parser)


def _download(options: argparse.Namespace, console: Console) -> int:
    wanted = {"name": deployed_as(options.name), "version": options.which}
    with connect(options) as admin:
        answer = admin.invoke("zato.package.get-source", wanted, is_idempotent=True)
    file: Path = options.out or Path(answer["payload_name"])
    data = base64.b64decode(answer["payload"])
    try:
        with file.open("xb") as out:
            out.write(data)
    except FileExistsError:
        raise AlreadyExists(f"{file} is there already: choose another one with --out FILE") from None
    except OSError as exc:
        raise NotFound(f"{file} cannot be written: {exc.strerror}") from exc
    console.data({"name": answer["name"], "version": answer["version"], "file": str(file)})
    console.print(f"{answer['name']} version {answer['version']} is in {file} ({size_of(len(data))})")
    return ExitCode.OK


def _state(version: Mapping[str, Any], console: Console) -> Text:
    if version["is_live"]:
        return console.state("live")
    return console.state({"deploy": "replaced", "undeploy": "undeployed", "reject": "refused"}[version["action"]])


def _runs(workers: Iterable[Mapping[str, Any]]) -> str:
    """Return e.g. "3 on 4 workers, 2 on 1 worker"."""
    counts = Counter(worker["version_running"] for worker in workers if worker["version_running"])
    return ", ".join(f"{version} on {_workers(count)}" for version, count in sorted(counts.items(), reverse=True)) or "–"


def _summary(version: Mapping[str, Any]) -> str:
    """Return how many workers run this version, and how many refused it."""
    workers: Sequence[Mapping[str, Any]] = version["workers"]
    runs = sum(worker["version_running"] == version["version"] for worker in workers)
    refused = sum(worker["version"] == version["version"] and not worker["is_ok"] for worker in workers)
    return (
        ", ".join(part for part in (f"{runs} run it" if runs else "", f"{refused} refused" if refused else "") if part) or "–"
    )


def _what(version: Mapping[str, Any]) -> str:
    if version["restored_version"]:
        return f"version {version['restored_version']} again"
    return version["upload_name"] or "–"


def _when(version: Mapping[str, Any]) -> str:
    return str(version["created_at"])[:19].replace("T", " ")


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _reasons(version: Mapping[str, Any]) -> Iterable[str]:
    """Return why a version is not used: by the server that checked it, and by workers that refused it."""
    refused = [
        str(worker["reason"])
        for worker in version["workers"]
        if not worker["is_ok"] and worker["version"] == version["version"]
    ]
    return dict.fromkeys(reason for reason in (str(version["reason"]), *refused) if reason)


PACKAGE_COMMANDS: tuple[Command | Group, ...] = (
    Group(("package",), "What is deployed and was: versions, their differences, the way back"),
    Command(
        path=("package", "list"),
        help="What was deployed when and by whom, and which version the workers run",
        configure=add_cluster_arguments,
        run=_list,
        examples=("zato package list", "zato package list --json"),
    ),
    Command(
        path=("package", "history"),
        help="All versions of a file or package that are kept",
        configure=_history_configure,
        run=_history,
        examples=("zato package history orders", "zato package history currency.py"),
    ),
    Command(
        path=("package", "show"),
        help="One version of a file or package, with its files",
        configure=_show_configure,
        run=_show,
        examples=("zato package show orders", "zato package show orders --version 3"),
    ),
    Command(
        path=("package", "diff"),
        help="What two versions of a file or package differ in",
        configure=_diff_configure,
        run=_diff,
        examples=("zato package diff orders", "zato package diff orders 3", "zato package diff orders 3 5"),
    ),
    Command(
        path=("package", "rollback"),
        help="Deploy an earlier version again, as a new one",
        configure=_rollback_configure,
        run=_rollback,
        examples=("zato package rollback orders", "zato package rollback orders 3"),
    ),
    Command(
        path=("package", "download"),
        help="Get the content of a version, as it can be deployed",
        configure=_download_configure,
        run=_download,
        examples=("zato package download orders", "zato package download orders --version 3 --out orders-3.zip"),
    ),
    Command(
        path=("package", "undeploy"),
        help="Take the services of a file or package out of use",
        configure=undeploy_configure,
        run=undeploy,
        examples=("zato package undeploy orders", "zato package undeploy currency.py"),
    ),
)
