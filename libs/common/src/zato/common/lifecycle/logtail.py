"""The end of a part's log, as a person reads it: JSON lines become columns, and the reason of a failure is found."""

import json
from pathlib import Path
from typing import Any

_MAX_BYTES = 64 * 1024
_PLAIN_FIELDS = frozenset({"timestamp", "level", "event", "logger", "part", "exception"})


def log_size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def last_lines(file: Path, count: int, *, since: int = 0) -> list[str]:
    """
    Return up to `count` readable lines.

    Args:
        since: Bytes at the beginning that are left out, e.g. what earlier runs wrote.
    """
    try:
        with file.open("rb") as stream:
            stream.seek(max(since, log_size(file) - _MAX_BYTES))
            raw = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    lines = [line for part in raw if part.strip() for line in _readable(part)]
    return lines[-count:]


def reason_of(lines: list[str]) -> str:
    """Return what most likely made the process end: the last line that is not a continuation of another."""
    return next((line.strip() for line in reversed(lines) if not line.startswith(" ")), "")


def _readable(line: str) -> list[str]:
    if not line.startswith("{"):
        return [line]
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return [line]
    fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in _PLAIN_FIELDS)
    moment = str(event.get("timestamp", ""))[11:19]
    first = " ".join(part for part in (moment, str(event.get("level", "")), str(event.get("event", "")), fields) if part)
    return [first, *str(event.get("exception", "")).splitlines()]
