"""`zato service show|source|enable|disable`: one service, and whether it may be invoked."""

import argparse
from functools import partial
from typing import Any

from zato.common.cli.admin import Admin, add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode
from zato.common.cli.console import Console
from zato.common.errors import NotFound
from zato.common.spelling import did_you_mean
from zato.server.commands.liveness import add_live_argument, wait_until_live


def no_such_service(admin: Admin, name: str) -> NotFound:
    """Return what to raise about a service that there is none of, with the one that may be meant."""
    services: list[dict[str, Any]] = admin.invoke("zato.service.get-list", {}, is_idempotent=True)
    hint = did_you_mean(name, (each["name"] for each in services), "; 'zato service list' has those that there are")
    return NotFound(f"There is no service '{name}'{hint}")


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the service, e.g. orders.get")
    add_cluster_arguments(parser)


def _ask(admin: Admin, action: str, name: str) -> Any:
    try:
        return admin.invoke(f"zato.service.{action}", {"name": name}, is_idempotent=True)
    except NotFound:
        if admin.invoke("zato.service.is-deployed", {"name": name}, is_idempotent=True)["is_deployed"]:
            raise
        raise no_such_service(admin, name) from None


def _show(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        service = _ask(admin, "get-by-name", options.name)
        users = _ask(admin, "get-channel-list", options.name)
        workers = _ask(admin, "get-deployment-info-list", options.name)
    console.data({**service, "used_by": users, "workers": workers})
    file, threshold_ms = service["file_name"], service["slow_threshold"]
    console.panel(
        options.name,
        [
            ("State", "active" if service["is_active"] else f"switched off: 'zato service enable {options.name}' lets it run"),
            ("Class", service["impl_name"]),
            ("File", f"{file} version {service['version']}" if file else "built in"),
            ("Slow above", f"{threshold_ms} ms" if threshold_ms else "–"),
        ],
    )
    console.print()
    console.table(
        ("Used by", "Name", "Active"),
        [(each["kind"], each["name"], "yes" if each["is_active"] else "no") for each in users],
        empty="No channel and no job leads to it.",
    )
    if file:
        console.print()
        console.table(
            ("Server", "Worker", "Runs version", "Of late"),
            [(each["server_name"], each["pid"], each["version"], each["details"] or "ok") for each in workers],
            empty="No worker has said what it runs yet.",
        )
        console.hint(f"All versions: zato package history {file}")
    return ExitCode.OK


def _source(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        found: dict[str, Any] = _ask(admin, "get-source-info", options.name)
    console.data(found)
    console.print(found["source"].rstrip("\n"))
    return ExitCode.OK


def _switch_configure(parser: argparse.ArgumentParser) -> None:
    add_live_argument(parser)
    _name_argument(parser)


def _switch(options: argparse.Namespace, console: Console, *, is_active: bool) -> int:
    with connect(options) as admin:
        _ask(admin, "get-by-name", options.name)
        answer: dict[str, Any] = admin.invoke("zato.service.edit", {"name": options.name, "is_active": is_active})
        console.data(answer)
        done = "is active" if is_active else "is switched off: whoever invokes it is told that it is not there"
        console.print(f"Service '{options.name}' {done}")
        wait_until_live(admin, console, options.wait)
    return ExitCode.OK


ONE_SERVICE_COMMANDS = (
    Command(
        path=("service", "show"),
        help="One service: its file, what leads to it, and which version each worker runs",
        configure=_name_argument,
        run=_show,
        examples=("zato service show orders.get",),
    ),
    Command(
        path=("service", "source"),
        help="The source code that a service runs from",
        configure=_name_argument,
        run=_source,
        examples=("zato service source orders.get",),
    ),
    Command(
        path=("service", "enable"),
        help="Let a service be invoked again",
        configure=_switch_configure,
        run=partial(_switch, is_active=True),
        examples=("zato service enable orders.get --wait 10",),
    ),
    Command(
        path=("service", "disable"),
        help="Keep a service from being invoked, on all servers",
        configure=_switch_configure,
        run=partial(_switch, is_active=False),
        examples=("zato service disable orders.get --wait 10",),
    ),
)
