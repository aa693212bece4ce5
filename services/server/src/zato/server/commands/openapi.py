"""`zato openapi` and `zato service schema`: what services and the admin API take and answer, as documents."""

import argparse
import json
from pathlib import Path
from typing import Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, completes_files
from zato.common.cli.console import Console
from zato.common.errors import BadRequest

_JSON, _YAML = "json", "yaml"


def _document_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "document",
        metavar="DOCUMENT",
        nargs="?",
        choices=("services", "admin"),
        default="services",
        help="services: your services, as HTTP channels offer them; admin: the admin API (default: services)",
    )
    _output_arguments(parser)
    add_cluster_arguments(parser)


def _output_arguments(parser: argparse.ArgumentParser) -> None:
    completes_files(parser.add_argument("--output", metavar="FILE", type=Path, help="Write it here (default: standard output)"))
    parser.add_argument(
        "--format",
        choices=(_YAML, _JSON),
        help="How it is written (default: as the file's name ends, else yaml)",
    )


def _document(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        made = admin.invoke("zato.openapi.get", {"document": options.document}, is_idempotent=True)
    return _write(made, options, console)


def _schema_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the service, e.g. orders.get")
    _output_arguments(parser)
    add_cluster_arguments(parser)


def _schema(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        made = admin.invoke("zato.service.get-json-schema", {"name": options.name}, is_idempotent=True)
    return _write(made, options, console)


def _write(made: Any, options: argparse.Namespace, console: Console) -> int:
    console.data(made)
    file: Path | None = options.output
    chosen = options.format or (_JSON if file is not None and file.suffix == ".json" else _YAML)
    text = _as_json(made) if chosen == _JSON else _as_yaml(made)
    if file is None:
        console.print(text.rstrip("\n"))
        return ExitCode.OK
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise BadRequest(f"{file} cannot be written: {exc.strerror}") from exc
    console.print(f"Written to {file}")
    return ExitCode.OK


def _as_json(made: Any) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _as_yaml(made: Any) -> str:
    import yaml

    # The one in C, where PyYAML was built with it, takes a tenth of the seconds that the other takes for all admin services.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(made, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


OPENAPI_COMMANDS = (
    Command(
        path=("openapi",),
        help="The OpenAPI document of your services, or of the admin API",
        configure=_document_configure,
        run=_document,
        examples=("zato openapi", "zato openapi --output services.json", "zato openapi admin --output admin.yaml"),
    ),
    Command(
        path=("service", "schema"),
        help="The JSON Schemas of a service's input and output",
        configure=_schema_configure,
        run=_schema,
        examples=("zato service schema orders.get", "zato service schema orders.get --format json"),
    ),
)
