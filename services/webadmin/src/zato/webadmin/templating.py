"""What all templates know: icons, times, the menu, and addresses of files that change with each release."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, g, request, url_for

from zato.common.errors import ZatoError
from zato.webadmin import guard
from zato.webadmin.context import take_notices, webadmin
from zato.webadmin.forms import label_of
from zato.webadmin.menu import menu_for
from zato.webadmin.person import Person
from zato.webadmin.times import parsed


def install(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(static=static, label_of=label_of)
    app.jinja_env.filters.update(time=_time, ago=_ago, number=_number, took=_took)
    app.context_processor(_context)


def static(name: str) -> str:
    """Return the address of a file of ours, which changes with its content, so that browsers may keep it for ever."""
    return url_for("static", filename=name, v=_digest(name))


@lru_cache(maxsize=100)
def _digest(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / "static" / name).read_bytes()).hexdigest()[:12]


def _context() -> dict[str, Any]:
    person: Person | None = g.get("person")
    return {
        # A page has dozens of them.
        "icons": static("vendor/lucide/icons.svg"),
        "cluster_name": webadmin().settings.cluster,
        "csrf": guard.form_token() if g.get("cookie") else "",
        "person": person,
        "preferences": g.preferences,
        "menu": _menu(person) if person is not None and not request.headers.get("HX-Request") else [],
        "notices": take_notices(person) if person is not None and not request.headers.get("HX-Request") else (),
    }


def _menu(person: Person) -> list[Any]:
    try:
        families = webadmin().kinds.families(person)
    except ZatoError:
        # The page itself says what is missing.
        families = []
    return menu_for(person, families, request.path)


def _time(value: object) -> str:
    person: Person | None = g.get("person")
    return person.time(value) if person is not None else ""


def _ago(value: object) -> str:
    person: Person | None = g.get("person")
    return person.ago(value) if person is not None else ""


def _number(value: object) -> str:
    """Return e.g. 1,234 and 0.25."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{int(value):,}" if isinstance(value, int | float) else str(value)


def _took(run: Mapping[str, Any]) -> str:
    """Return how long something with `started_at` and `ended_at` took, e.g. "1.2 s"."""
    started, ended = parsed(run.get("started_at")), parsed(run.get("ended_at"))
    if started is None or ended is None:
        return "—"
    seconds = (ended - started).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"
