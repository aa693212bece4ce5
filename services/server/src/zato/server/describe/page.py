"""An OpenAPI document as one page for people: no script, nothing fetched from elsewhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from zato.server.describe.schemas import Schema

_STYLE = files("zato.server.describe").joinpath("page.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SCHEMAS = "#/components/schemas/"
_DEEPEST = 6


def render_page(document: Mapping[str, Any], *, links: Mapping[str, str]) -> str:
    """
    Args:
        links: Where else to go, by what to call it.
    """
    info = document["info"]
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    tags = sorted(by_tag)
    body = "".join(_tag(document, tag, by_tag[tag]) for tag in tags)
    contents = "".join(f'<li><a href="#{_anchor(tag)}">{escape(tag)}</a></li>' for tag in tags)
    contents += '<li><a href="#errors">Errors</a></li>' if body else ""
    away = "".join(f'<a href="{escape(target)}">{escape(name)}</a>' for name, target in links.items())
    empty = "<p class=empty>There is nothing to show yet: make a channel that leads to a service.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        f"<p class=away><span>Version {escape(info['version'])}</span>{away}</p></header>"
        f'<div class=columns><nav aria-label="Contents"><details open><summary>Contents</summary><ul>{contents}</ul>'
        f"</details></nav><main>{body or empty}{_errors(document)}</main></div></body></html>"
    )


def _tag(document: Mapping[str, Any], tag: str, operations: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    inside = "".join(_operation(document, method, path, operation) for method, path, operation in operations)
    return f'<section id="{_anchor(tag)}"><h2>{escape(tag)}</h2>{inside}</section>'


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    anchor = _anchor(operation["operationId"])
    parts = [_paragraphs(operation.get("description", "")), _security(operation)]
    if rows := [_parameter(each) for each in operation.get("parameters", ())]:
        parts.append(_table("Parameters", rows))
    for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h3>Body <span class=type>{escape(content_type)}</span></h3>{_schema(document, content)}")
    errors = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            errors.append(f'<a href="#error-{status}">{status}</a>')
        else:
            parts.append(_answer(document, status, response))
    if errors:
        parts.append(f"<p class=errors>Errors: {' '.join(errors)}</p>")
    # The method is part of the name that screen readers say.
    return (
        f'<details class=operation id="{anchor}"><summary><span class="method {method.lower()}">{method}</span> '
        f"<code class=path>{_breakable(path)}</code> <span class=summary>{escape(operation['summary'])}</span></summary>"
        f"<div class=inside>{''.join(parts)}</div></details>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def _security(operation: Mapping[str, Any]) -> str:
    names = [" and ".join(each) for each in operation.get("security", ())] + list(operation.get("x-zato-security", ()))
    return f"<p class=security>Needs {escape(' or '.join(names))}</p>" if names else "<p class=security>Open to everybody</p>"


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str, bool, str]:
    schema = parameter["schema"]
    return (
        parameter["name"],
        f"{_type(schema)}, in the {parameter['in']}",
        parameter["required"],
        parameter.get("description", ""),
    )


def _answer(document: Mapping[str, Any], status: str, response: Mapping[str, Any]) -> str:
    inside = "".join(
        f"<h3>Answer {status} <span class=type>{escape(content_type)}</span></h3>{_schema(document, content)}"
        for content_type, content in response.get("content", {}).items()
    )
    return inside or f"<h3>Answer {status}</h3><p>{escape(response['description'])}</p>"


def _errors(document: Mapping[str, Any]) -> str:
    """What each status means is told once for all operations."""
    responses = document["components"].get("responses", {})
    meanings = {
        status: responses[each["$ref"].rpartition("/")[2]]["description"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, each in operation["responses"].items()
        if "$ref" in each
    }
    rows = "".join(
        f'<p class=error id="error-{status}"><b>{status}</b> {escape(meaning)}</p>'
        for status, meaning in sorted(meanings.items())
    )
    return f'<section id="errors"><h2>Errors</h2>{rows}</section>' if rows else ""


def _schema(document: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    schema = content.get("schema")
    if schema is None:
        return "<p>Whatever the service makes of it.</p>"
    rows = list(_rows(document, schema, "", 0))
    return _table("", rows) if rows else f"<p>{escape(_type(schema))}</p>"


def _rows(document: Mapping[str, Any], schema: Schema, prefix: str, depth: int) -> Iterator[tuple[str, str, bool, str]]:
    """Yield name, type, whether it is required, and help of everything in a schema, at any depth."""
    schema = _resolve(document, schema)
    if depth > _DEEPEST:
        return
    if schema.get("type") == "array":
        yield from _rows(document, schema.get("items", {}), f"{prefix}[]", depth + 1)
    elif "anyOf" in schema and "properties" not in schema:
        # One object or a list of such: its properties are told once.
        yield from _rows(document, schema["anyOf"][0], prefix, depth + 1)
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        found = _resolve(document, each)
        full = f"{prefix}.{name}" if prefix else name
        yield full, _type(found), name in required, each.get("description", found.get("description", ""))
        yield from _rows(document, each, full, depth + 1)


def _resolve(document: Mapping[str, Any], schema: Schema) -> Schema:
    if not schema.get("$ref", "").startswith(_SCHEMAS):
        return schema
    found: Schema = document["components"]["schemas"][schema["$ref"].removeprefix(_SCHEMAS)]
    return found


def _type(schema: Schema) -> str:
    given = schema.get("type", "")
    name = " or ".join(given) if isinstance(given, list) else given
    if not name and "enum" not in schema and "anyOf" not in schema:
        return "anything"
    if schema.get("format"):
        name = f"{name} ({schema['format']})"
    if "enum" in schema:
        name = f"one of {', '.join(repr(each) for each in schema['enum'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None:
        name += f", at least {low:,}" if high is None else f", {low:,} to {high:,}"
    if schema.get("default", "") != "":
        name += f", default {json.dumps(schema['default'], ensure_ascii=False)}"
    return name or "one or several"


def _table(caption: str, rows: list[tuple[str, str, bool, str]]) -> str:
    made = "".join(
        f"<tr><th scope=row><code>{_breakable(name)}</code>{'<span class=required>required</span>' if is_required else ''}</th>"
        f"<td><span class=type>{escape(kind)}</span>{escape(help_text)}</td></tr>"
        for name, kind, is_required, help_text in rows
    )
    heading = f"<h3>{escape(caption)}</h3>" if caption else ""
    return f"{heading}<table>{made}</table>"


def _breakable(name: str) -> str:
    """Long names may be broken where a part ends."""
    return re.sub(r"([./_])(?=.)", r"\1<wbr>", escape(name))


def _anchor(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)
