"""`zato enmasse`: the configuration of a cluster in files, to be kept in git."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import Admin, add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, UsageError, completes_files
from zato.common.cli.console import Console
from zato.common.errors import InvalidOptions
from zato.server.commands.liveness import add_live_argument, wait_until_live

if TYPE_CHECKING:
    from zato.server.enmasse.findings import Findings
    from zato.server.enmasse.wanted import FileObject

# What drift answers with when the cluster is not what the files say, so that scripts tell it from failures.
DIFFERS = 2
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Wanted:
    """What files ask for, and what there is to say about them."""

    objects: "Sequence[FileObject]"
    protected: tuple[str, ...]
    findings: "Findings"
    kinds: Sequence[Mapping[str, Any]]

    def request(self, *, prune: bool) -> dict[str, Any]:
        objects = [{**each.values, "kind": each.kind, "name": each.name} for each in self.objects]
        return {"objects": objects, "prune": prune, "protect": list(self.protected)}


def _files_argument(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="YAML, JSON or TOML, or a folder of these")
    completes_files(files)
    parser.add_argument("--prune", action="store_true", help="Objects that no file has are deleted, but for protected ones")
    parser.add_argument(
        "--protect", metavar="PATTERN", action="append", default=[], help="Never prune these, e.g. 'security-api-key/ops*'"
    )
    completes_files(
        parser.add_argument("--env-file", metavar="FILE", type=Path, help="Lines of NAME=VALUE, beside the environment's")
    )


def _plan_configure(parser: argparse.ArgumentParser) -> None:
    _files_argument(parser)
    add_cluster_arguments(parser)


def _apply_configure(parser: argparse.ArgumentParser) -> None:
    _files_argument(parser)
    parser.add_argument("--yes", action="store_true", help="Delete what --prune deletes without asking")
    add_live_argument(parser)
    add_cluster_arguments(parser)


def _read(options: argparse.Namespace, admin: Admin) -> Wanted:
    from zato.server.commands.objects import get_kinds
    from zato.server.enmasse.files import read_files
    from zato.server.enmasse.findings import Findings
    from zato.server.enmasse.references import References, read_env_file
    from zato.server.enmasse.wanted import readable_sections, wanted_objects

    try:
        environ = {**os.environ, **(read_env_file(options.env_file) if options.env_file else {})}
    except ValueError as exc:
        raise InvalidOptions(str(exc)) from None
    findings = Findings()
    kinds = get_kinds(admin)
    contents = read_files(options.files, readable_sections(kinds), findings)
    objects = wanted_objects(contents, kinds, References(environ), findings)
    return Wanted(objects, (*contents.protected, *options.protect), findings, kinds)


def _plan(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        wanted = _read(options, admin)
        answer = _ask(admin, "plan", wanted, options.prune)
    if not _report(console, wanted, answer):
        return ExitCode.FAILED
    if answer["changes"]:
        console.hint("Nothing was changed: 'zato enmasse apply' does it.")
    return ExitCode.OK


def _drift(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        wanted = _read(options, admin)
        answer = _ask(admin, "plan", wanted, options.prune)
    if not _report(console, wanted, answer):
        return ExitCode.FAILED
    if answer["changes"]:
        console.hint("The cluster is not what the files say; shown is what would make it so.")
    return DIFFERS if answer["changes"] else ExitCode.OK


def _apply(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        wanted = _read(options, admin)
        planned_at = None
        if options.prune:
            plan = _ask(admin, "plan", wanted, True)
            planned_at = plan["config_version"]
            deleted = [change for change in plan["changes"] if change["action"] == "delete"]
            if deleted and not plan["problems"] and not _may_delete(options, console, deleted):
                return ExitCode.FAILED
        answer = _ask(admin, "apply", wanted, options.prune, planned_at=planned_at)
        if not _report(console, wanted, answer):
            return ExitCode.FAILED
        if answer["is_applied"]:
            wait_until_live(admin, console, options.wait)
    if answer["is_applied"] and not options.wait:
        console.hint(
            f"The configuration is at version {answer['config_version']}; 'zato wait' returns when it is live everywhere."
        )
    return ExitCode.OK


def _may_delete(options: argparse.Namespace, console: Console, deleted: Sequence[Mapping[str, Any]]) -> bool:
    if options.yes:
        return True
    if not console.is_terminal:
        raise UsageError(f"--prune would delete {len(deleted)} objects: look at 'zato enmasse plan --prune', then say --yes")
    from zato.server.enmasse.rendering import change_lines

    console.print_lines(line for change in deleted for line in change_lines(change, {}))
    return console.confirm(f"Delete {'this object' if len(deleted) == 1 else f'these {len(deleted)} objects'}?")


def _ask(admin: Admin, action: str, wanted: Wanted, prune: bool, *, planned_at: int | None = None) -> dict[str, Any]:
    """Return the server's answer; when the files are wrong already it is not asked."""
    from zato.server.enmasse.findings import ERROR

    if wanted.findings.of(ERROR):
        return {"config_version": None, "is_applied": False, "changes": [], "problems": [], "protected": []}
    request = {**wanted.request(prune=prune), **({} if planned_at is None else {"planned_at": planned_at})}
    answer: dict[str, Any] = admin.invoke(
        f"zato.enmasse.{action}", request, is_idempotent=action == "plan", timeout_s=_TIMEOUT_S
    )
    return answer


def _report(console: Console, wanted: Wanted, answer: Mapping[str, Any]) -> bool:
    """Print findings, then changes. Return whether nothing is wrong."""
    from zato.server.enmasse.findings import ERROR, SKIPPED, WARNING
    from zato.server.enmasse.rendering import change_lines, defaults_of, summary

    findings = wanted.findings
    by_key = {(each.kind, each.name): each for each in wanted.objects}
    for severity, problems in ((ERROR, answer["problems"]), (WARNING, answer.get("warnings", ()))):
        for problem in problems:
            each = by_key.get((problem["kind"], problem["name"]))
            option = f" '{problem['option']}'" if problem["option"] else ""
            place = each.place_of(problem["option"]) if each else None
            findings.add(severity, place, f"{problem['kind']} '{problem['name']}':{option} {problem['message']}")
    console.data({**answer, "findings": findings.as_data()})
    if not console.is_json:
        for finding in findings.of(WARNING):
            console.warn(str(finding))
        for finding in findings.of(SKIPPED):
            console.warn(f"skipped, {finding}")
    for finding in findings.of(ERROR):
        console.error(str(finding))
    if findings.of(ERROR):
        return False
    defaults = defaults_of(wanted.kinds)
    console.print_lines(line for change in answer["changes"] for line in change_lines(change, defaults.get(change["kind"], {})))
    for kept in answer["protected"]:
        console.hint(f"protected, and left as it is: {kept['kind']} {kept['name']}")
    console.print(summary(answer, len(wanted.objects)), style="bold")
    return True


def _export_configure(parser: argparse.ArgumentParser) -> None:
    completes_files(parser.add_argument("--output", metavar="FILE", type=Path, help="Instead of standard output"))
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="(default: yaml)")
    parser.add_argument("--kind", metavar="KIND", action="append", default=[], help="Of this kind only; may be repeated")
    parser.add_argument("--name", metavar="PATTERN", default="*", help="Only objects with such names, e.g. 'crm*'")
    parser.add_argument(
        "--secrets",
        choices=("omit", "env"),
        default="omit",
        help="omit: the cluster keeps its own; env: each is named as a variable, to be filled where the file is applied "
        "(default: omit)",
    )
    add_cluster_arguments(parser)


def _export(options: argparse.Namespace, console: Console) -> int:
    from zato.server.commands.objects import get_kinds
    from zato.server.enmasse.writing import to_document, to_text, variables

    with connect(options) as admin:
        kinds = get_kinds(admin)
        answer = admin.invoke("zato.enmasse.export", {}, is_idempotent=True, timeout_s=_TIMEOUT_S)
    document = to_document(
        answer["objects"], kinds, wanted_kinds=options.kind, wanted_name=options.name, with_variables=options.secrets == "env"
    )
    text = to_text(document, options.format)
    console.data(document)
    if options.output is None:
        console.print(text.rstrip("\n"))
    else:
        _write(options.output, text)
        console.print(f"{sum(map(len, document.values()))} objects are in {options.output}")
    if names := variables(document):
        console.warn(f"Secrets are read from these variables: {', '.join(names)}")
    return ExitCode.OK


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as exc:
        raise InvalidOptions(f"{file} cannot be written: {exc.strerror}") from exc


ENMASSE_COMMANDS: tuple[Command | Group, ...] = (
    Group(("enmasse",), "The configuration in files, to be kept in git"),
    Command(
        path=("enmasse", "plan"),
        help="What apply would do, and what is wrong with the files, each with its line",
        configure=_plan_configure,
        run=_plan,
        examples=("zato enmasse plan enmasse.yaml", "zato enmasse plan config/ --prune --env-file secrets.env"),
    ),
    Command(
        path=("enmasse", "apply"),
        help="Make the cluster what the files say, all of it or nothing",
        configure=_apply_configure,
        run=_apply,
        examples=("zato enmasse apply enmasse.yaml", "zato enmasse apply config/ --prune --yes --wait 30"),
    ),
    Command(
        path=("enmasse", "export"),
        help="Write all objects to a file that says the same, without secrets",
        configure=_export_configure,
        run=_export,
        examples=("zato enmasse export --output enmasse.yaml", "zato enmasse export --kind channel-http --format json"),
    ),
    Command(
        path=("enmasse", "drift"),
        help="Whether the cluster is what the files say: exit code 0 when it is, 2 with the differences when not",
        configure=_plan_configure,
        run=_drift,
        examples=("zato enmasse drift config/ --prune",),
    ),
)
