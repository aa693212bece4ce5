"""`zato service`: invoking, deploying and listing services."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, completes_files
from zato.common.cli.console import Console
from zato.common.errors import BadRequest, NotFound
from zato.server.commands.deploying import (
    conclude,
    deploy_upload,
    read_file,
    read_uploads,
    show_result,
    undeploy,
    undeploy_configure,
    wait_argument,
)
from zato.server.commands.one_service import ONE_SERVICE_COMMANDS, no_such_service

_INVOKE_TIMEOUT_S = 60.0


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
        data_format = "raw" if options.raw else "json"
        try:
            answer, _ = admin.invoke_raw(options.name, payload, data_format=data_format, timeout_s=options.timeout)
        except NotFound:
            # What is not found may as well be something that the service looks for.
            if admin.invoke("zato.service.is-deployed", {"name": options.name}, is_idempotent=True)["is_deployed"]:
                raise
            raise no_such_service(admin, options.name) from None
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
        return read_file(Path(options.payload_file))
    return b""


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except ValueError as exc:
        raise BadRequest(f"The payload is not valid JSON ({exc}): quote texts in it, or add --raw to send it as it is") from exc


# Deploy, undeploy


def _deploy_configure(parser: argparse.ArgumentParser) -> None:
    completes_files(
        parser.add_argument(
            "files",
            metavar="PATH",
            type=Path,
            nargs="+",
            help="Python files with services, whose names are kept; packages as folders, zip archives or wheels",
        )
    )
    parser.add_argument("--name", metavar="NAME", help="What one folder or zip archive is deployed as, if not by its own name")
    wait_argument(parser)
    add_cluster_arguments(parser)


def _deploy(options: argparse.Namespace, console: Console) -> int:
    # All of them are read before the first one is sent: a wrong name on the command line changes nothing.
    uploads = read_uploads(options.files, options.name or "")
    results = []
    with connect(options) as admin, console.progress([upload.label for upload in uploads]) as progress:
        if len(uploads) > 1:
            # Files that import each other are a set: what became of each is asked when all of them are there.
            for upload in uploads:
                deploy_upload(admin, upload, 0, progress)
        for upload in uploads:
            result = deploy_upload(admin, upload, options.wait, progress)
            results.append(result)
            show_result(progress, upload.label, result, "live on")
    return conclude(results, console, options.wait)


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
        help="Deploy files and packages of services to all servers, without a restart",
        configure=_deploy_configure,
        run=_deploy,
        examples=(
            "zato service deploy orders.py",
            "zato service deploy examples/*.py --wait 60",
            "zato service deploy src/orders dist/invoices-1.2.0-py3-none-any.whl",
        ),
    ),
    Command(
        path=("service", "undeploy"),
        help="Take the services of a file or package out of use",
        configure=undeploy_configure,
        run=undeploy,
        examples=("zato service undeploy orders.py", "zato service undeploy orders"),
    ),
    Command(
        path=("service", "list"),
        help="Services that can be invoked, and the files they came from",
        configure=_list_configure,
        run=_list,
        examples=("zato service list", "zato service list --all --json"),
    ),
    *ONE_SERVICE_COMMANDS,
)
