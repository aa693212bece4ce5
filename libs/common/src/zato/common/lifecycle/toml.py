"""Writing TOML: flat documents and tables of tables, as our own files are. Python reads TOML but does not write it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """Return a text, number, boolean or list of these as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(part) for part in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {toml_value(part)}" for name, part in value.items()) + "}"
    return _quoted(str(value))


def toml_document(values: Mapping[str, Any], tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> str:
    """
    Args:
        tables: Arrays of tables by name: {"parts": [{"name": "redis"}]} becomes `[[parts]]`, `name = "redis"`.
    """
    lines = [f"{_key(name)} = {toml_value(value)}" for name, value in values.items()]
    for table, rows in (tables or {}).items():
        for row in rows:
            lines += ["", f"[[{_key(table)}]]", *(f"{_key(name)} = {toml_value(value)}" for name, value in row.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _quoted(name)


def _quoted(text: str) -> str:
    # TOML's escapes are JSON's, except that it wants DEL escaped too and knows no surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
