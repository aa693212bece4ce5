"""`zato quickstart`: create, start, stop, status and destroy a whole cluster."""

import argparse
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import DEFAULT_FOLDER, find_cluster
from zato.common.cli.commands import Command, ExitCode, Group, UsageError, completes_folders
from zato.common.cli.console import Console
from zato.common.cli.parts import load_parts
from zato.common.cli.units import duration, mebibytes
from zato.common.errors import AlreadyExists
from zato.common.quickstart.roles import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Set

    from zato.common.quickstart.cluster import Cluster

_DEFAULT_SERVERS = 2
_MAX_SERVERS = 50
_START_WAIT_S = 60.0
_STOP_WAIT_S = 30.0
_STATS_PATH = "/zato-lb-stats"


def _path_argument(parser: argparse.ArgumentParser) -> None:
    completes_folders(
        parser.add_argument(
            "path",
            metavar="PATH",
            type=Path,
            nargs="?",
            help=f"The cluster's folder (default: $ZATO_CLUSTER, else the nearest one; a new one is {DEFAULT_FOLDER})",
        )
    )


def _existing(options: argparse.Namespace) -> "Cluster":
    from zato.common.quickstart.cluster import load_cluster

    return load_cluster(find_cluster(options.path))


def _load_balancer(cluster: "Cluster") -> str:
    return cluster.wiring.address("lb-agent", "frontend_address")


def _webadmin(cluster: "Cluster") -> str:
    """Return the URL to open in a browser, "" in clusters that were made before there was one."""
    addresses = cluster.wiring.addresses("webadmin", "http_address")
    return f"http://{addresses[0]}" if addresses else ""


# Create


def _create_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument("--servers", metavar="N", type=int, help=f"How many servers (default: {_DEFAULT_SERVERS})")
    parser.add_argument("--clear-text", action="store_true", help="No certificates: parts talk in clear text, on this machine")
    parser.add_argument("--name", metavar="NAME", help="Name of the cluster (default: the folder's name)")
    parser.add_argument(
        "--with",
        metavar="PART",
        dest="extras",
        action="append",
        default=[],
        help=f"What else it has, of {', '.join(EXTRAS)}; may be repeated, or separated by commas",
    )


def _create(options: argparse.Namespace, console: Console) -> int:
    from zato.common.lifecycle.folders import CLUSTER_FILE
    from zato.common.quickstart.cluster import create_cluster, load_cluster

    path = _path_of_new(options)
    if (path / CLUSTER_FILE).exists():
        cluster = load_cluster(path)
        _refuse_other_options(options, cluster)
        console.data({**_described(cluster), "was_created": False})
        console.print(f"There is a cluster in {cluster.path} already, with {_parts_text(cluster)}")
    else:
        servers = _DEFAULT_SERVERS if options.servers is None else options.servers
        if not 1 <= servers <= _MAX_SERVERS:
            raise UsageError(f"--servers takes a number from 1 to {_MAX_SERVERS}, not {servers}")
        extras = [name for text in options.extras for name in text.split(",")]
        if unknown := [name for name in extras if name not in EXTRAS]:
            raise UsageError(f"--with takes {', '.join(EXTRAS)}, not {unknown[0]!r}")
        parts = load_parts()
        name = options.name or path.resolve().name
        cluster, moves = create_cluster(
            path,
            name=name,
            servers=servers,
            version=parts.version("redis"),
            parts=parts,
            is_clear_text=options.clear_text,
            extras=extras,
        )
        console.data({**_described(cluster), "was_created": True})
        for move in moves:
            console.print(f"{move}", style="yellow")
        console.print(f"Created a cluster in {cluster.path}, with {_parts_text(cluster)}")
        if not cluster.wiring.has_authority and not options.clear_text:
            console.warn("The part ca is not installed: parts talk in clear text, on this machine only")
    console.hint(f"Passwords and tokens are in {cluster.secrets_file}")
    console.print(f"Start it with: zato quickstart start{_path_text(options)}")
    return ExitCode.OK


def _path_of_new(options: argparse.Namespace) -> Path:
    import os

    from zato.common.cli.admin import CLUSTER_VARIABLE

    given: Path | None = options.path
    return given or Path(os.environ.get(CLUSTER_VARIABLE) or DEFAULT_FOLDER)


def _refuse_other_options(options: argparse.Namespace, cluster: "Cluster") -> None:
    present_parts = [member.part for member in cluster.members]
    for name in options.extras:
        if missing := [part for part in name.split(",") if part not in present_parts]:
            raise AlreadyExists(
                f"There is a cluster in {cluster.path} already, without {missing[0]}: "
                "create one in another folder, or 'zato quickstart destroy' this one first"
            )
    present = {"servers": len(cluster.servers), "name": cluster.name}
    for option, value in present.items():
        asked = getattr(options, option)
        if asked is not None and asked != value:
            raise AlreadyExists(
                f"There is a cluster in {cluster.path} already, with --{option} {value}, not {asked}: "
                "create one in another folder, or 'zato quickstart destroy' this one first"
            )


def _parts_text(cluster: "Cluster") -> str:
    return ", ".join(member.name for member in cluster.members)


def _path_text(options: argparse.Namespace) -> str:
    return f" {options.path}" if options.path else ""


def _described(cluster: "Cluster") -> dict[str, Any]:
    return {
        "name": cluster.name,
        "path": str(cluster.path),
        "secrets": str(cluster.secrets_file),
        "load_balancer": f"http://{_load_balancer(cluster)}",
        "webadmin": _webadmin(cluster),
        "parts": [{"name": member.name, "part": member.part, **member.addresses} for member in cluster.members],
    }


# Start


def _start_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=_START_WAIT_S,
        help=f"How long each part may take until it works (default: {_START_WAIT_S:g})",
    )


def _start(options: argparse.Namespace, console: Console) -> int:
    from zato.common.quickstart.cluster import move_taken_ports, write_settings
    from zato.common.quickstart.running import PartsFailed, running_members, start_parts, wait_for_load_balancer
    from zato.common.quickstart.trust import without_certificate

    began_at = time.monotonic()
    parts, cluster = load_parts(), _existing(options)
    running = running_members(cluster)
    cluster, moves = move_taken_ports(cluster, running)
    for move in moves:
        console.print(f"{move}", style="yellow")
    outdated = {member.name for member in (*write_settings(cluster, parts), *without_certificate(cluster))}
    _stop_outdated(cluster, outdated & running, console)
    with console.progress([*(member.name for member in cluster.members), "ping", "api"]) as progress:
        try:
            start_parts(cluster, parts, progress, wait_s=options.wait)
        except PartsFailed as exc:
            console.log_lines(exc.lines)
            raise
        except KeyboardInterrupt:
            console.warn(f"What was started goes on; 'zato quickstart stop{_path_text(options)}' ends it")
            raise
        progress.start("ping", "waiting for an answer through the load-balancer")
        wait_for_load_balancer(_load_balancer(cluster), options.wait)
        seconds = time.monotonic() - began_at
        progress.done("ping", f"http://{_load_balancer(cluster)}/zato/ping answers")
        created, works, password = _ensure_defaults(cluster, progress)
    first_admin = _first_admin(cluster, password) if password else None
    described = {**_described(cluster), "seconds": round(seconds, 3), "created": created, "first_admin": first_admin}
    console.data({**described, **_access(cluster)})
    _print_panel(cluster, console, works, seconds)
    _print_administrator(cluster, console, password)
    hint = f"zato quickstart status{_path_text(options)} shows how it is, zato quickstart stop{_path_text(options)} ends it."
    console.hint(hint)
    return ExitCode.OK


def _stop_outdated(cluster: "Cluster", names: "Set[str]", console: Console) -> None:
    """
    Parts that run with settings which have changed since, e.g. because another part moved, have to start anew, and so have
    those whose certificate expired while the machine slept.
    """
    from zato.common.lifecycle.starting import stop

    for member in cluster.members:
        if member.name in names:
            console.print(
                f"{member.name} starts anew: what it is connected to has moved, or its certificate expired",
                style="yellow",
            )
            stop(cluster.folder(member), timeout_s=_STOP_WAIT_S)


def _ensure_defaults(cluster: "Cluster", progress: Any) -> tuple[list[str], str, str]:
    """Return the names of what was created, a path that the user can call, and the first administrator's new password."""
    from zato.common.cli.admin import Admin, Servers
    from zato.common.cli.operator import operator_tls
    from zato.common.quickstart.defaults import INVOKE_PATH, ensure_defaults, ensure_first_admin, wait_until_live

    progress.start("api", "user and channel for invoking services")
    addresses = tuple(member.addresses["grpc_address"] for member in cluster.servers)
    servers = Servers(addresses, cluster.secrets["token"], str(cluster.path), operator_tls(cluster.path))
    with Admin(servers) as admin:
        created = ensure_defaults(cluster, admin)
        password = ensure_first_admin(cluster, admin)
    works = wait_until_live(cluster, _load_balancer(cluster))
    progress.done("api", f"http://{_load_balancer(cluster)}{INVOKE_PATH}/… answers")
    return created, works, password


def _first_admin(cluster: "Cluster", password: str) -> dict[str, str]:
    from zato.common.quickstart.defaults import FIRST_ADMIN, admin_password_file

    return {"name": FIRST_ADMIN, "password": password, "password_file": str(admin_password_file(cluster))}


def _access(cluster: "Cluster") -> dict[str, str]:
    from zato.common.quickstart.defaults import INVOKE_PATH
    from zato.common.quickstart.roles import PUBAPI_USER

    return {
        "invoke_url": f"http://{_load_balancer(cluster)}{INVOKE_PATH}/{{service}}",
        "username": PUBAPI_USER,
        "password": cluster.secrets["pubapi_password"],
    }


def _print_panel(cluster: "Cluster", console: Console, works: str, seconds: float) -> None:
    access = _access(cluster)
    address = _load_balancer(cluster)
    rows = [
        *((("Web admin", _webadmin(cluster)),) if _webadmin(cluster) else ()),
        ("Load-balancer", f"http://{address}"),
        ("Statistics", f"http://{address}{_STATS_PATH}"),
        ("", f"user admin, password {cluster.secrets['stats_password']}"),
    ]
    for member in cluster.servers:
        rows.append((member.name, f"http://{member.addresses['http_address']}   gRPC {member.addresses['grpc_address']}"))
    rows += [("User", access["username"]), ("Password", access["password"]), ("Folder", str(cluster.path))]
    console.print()
    console.panel(f"Cluster {cluster.name}, up after {seconds:.1f} s", rows)
    console.print("Invoke a service:", style="bold")
    console.print(f"  curl -u {access['username']}:{access['password']} http://{address}{works}")
    console.print("Deploy one of your own:", style="bold")
    console.print("  zato service deploy my_service.py")


def _print_administrator(cluster: "Cluster", console: Console, password: str) -> None:
    from zato.common.quickstart.defaults import FIRST_ADMIN, admin_password_file

    console.print("Manage it as yourself, over HTTP too:", style="bold")
    if password:
        console.print(f"  zato login {FIRST_ADMIN}, with the password {password}, then: zato account password")
        console.print()
        console.hint(
            f"That password is good for changing it only. It is shown this once, and kept in {admin_password_file(cluster)}"
        )
    else:
        console.print("  zato login NAME")
        console.print()


# Stop, status, destroy


def _stop_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    _timeout_argument(parser)


def _timeout_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=_STOP_WAIT_S,
        help=f"How long a part may take to end by itself, before it is killed (default: {_STOP_WAIT_S:g})",
    )


def _stop(options: argparse.Namespace, console: Console) -> int:
    cluster = _existing(options)
    console.data(_stopped(cluster, console, options.timeout))
    return ExitCode.OK


def _stopped(cluster: "Cluster", console: Console, timeout_s: float) -> dict[str, Any]:
    from zato.common.quickstart.running import stop_parts

    with console.progress(member.name for member in cluster.members) as progress:
        results = stop_parts(cluster, progress, timeout_s=timeout_s)
    return {
        name: {"was_running": result is not None, "was_killed": result is not None and result.was_killed}
        for name, result in results.items()
    }


def _status(options: argparse.Namespace, console: Console) -> int:
    from dataclasses import asdict

    from zato.common.quickstart.running import statuses

    cluster = _existing(options)
    found = statuses(cluster, load_parts())
    total = sum(status.memory for status in found)
    running = [status for status in found if status.pid]
    console.data(
        {
            **_described(cluster),
            "parts": [{**asdict(status), "state": status.state} for status in found],
            "memory": total,
            "is_ready": all(status.is_ready for status in found),
        }
    )
    rows: list[tuple[object, ...]] = [
        (
            status.name,
            console.state(status.state),
            status.pid or "–",
            mebibytes(status.memory) if status.pid else "–",
            duration(status.uptime_s) if status.pid else "–",
            "  ".join(f"{label} {address}" for label, address in status.addresses.items()),
        )
        for status in found
    ]
    if running:
        rows.append(("total", f"{len(running)} of {len(found)}", "", mebibytes(total), "", ""))
    console.table(("Part", "State", "Pid", "Memory", "Running for", "Addresses"), rows)
    if len(running) < len(found):
        console.print()
        console.hint(f"Start what is stopped with: zato quickstart start{_path_text(options)}")
    return ExitCode.OK if running else ExitCode.NOT_RUNNING


def _destroy_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument("--yes", action="store_true", help="Do not ask")
    _timeout_argument(parser)


def _destroy(options: argparse.Namespace, console: Console) -> int:
    cluster = _existing(options)
    if not options.yes:
        if not console.is_terminal:
            raise UsageError(f"This deletes {cluster.path} with all its data: add --yes to do it without being asked")
        if not console.confirm(f"Stop the cluster and delete {cluster.path} with all its data?"):
            console.print("Nothing was changed.")
            return ExitCode.FAILED
    _stopped(cluster, console, options.timeout)
    shutil.rmtree(cluster.path)
    console.data({"path": str(cluster.path), "was_destroyed": True})
    console.print(f"Deleted {cluster.path}")
    return ExitCode.OK


COMMANDS: tuple[Command | Group, ...] = (
    Group(("quickstart",), "A whole cluster on this machine, in one folder"),
    Command(
        path=("quickstart", "create"),
        help="Make a cluster: Redis, load-balancer and servers, on free ports",
        configure=_create_configure,
        run=_create,
        examples=(
            "zato quickstart create",
            "zato quickstart create ~/zato/demo --servers 3 --with connector-amqp",
        ),
    ),
    Command(
        path=("quickstart", "start"),
        help="Start all parts and wait until requests are answered",
        configure=_start_configure,
        run=_start,
        examples=("zato quickstart start", "zato quickstart start ~/zato/demo"),
    ),
    Command(
        path=("quickstart", "stop"),
        help="Stop all parts, letting them finish what they do",
        configure=_stop_configure,
        run=_stop,
        examples=("zato quickstart stop",),
    ),
    Command(
        path=("quickstart", "status"),
        help="State, memory and addresses of all parts",
        configure=_path_argument,
        run=_status,
        examples=("zato quickstart status", "zato quickstart status --json"),
    ),
    Command(
        path=("quickstart", "destroy"),
        help="Stop all parts and delete the folder with all data",
        configure=_destroy_configure,
        run=_destroy,
        examples=("zato quickstart destroy", "zato quickstart destroy ~/zato/demo --yes"),
    ),
)
