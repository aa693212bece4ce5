"""
Modules of Python 2 that published services import.

They are given to deployed files alone, and only where there is no module of that name: the rest of the process never
sees them.
"""

import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def shim(name: str) -> ModuleType | None:
    """Return the stand-in for the module `name`; None when there is none."""
    if name not in _made and name in _MAKERS:
        module = ModuleType(name, f"Stands in for Python 2's {name}.")
        module.__dict__.update(_MAKERS[name]())
        _made[name] = module
    return _made.get(name)


def _public(*modules: Any) -> dict[str, Any]:
    return {name: value for module in modules for name, value in vars(module).items() if not name.startswith("_")}


def _httplib() -> dict[str, Any]:
    return _public(http.client)


def _urlparse() -> dict[str, Any]:
    return _public(urllib.parse)


def _urllib2() -> dict[str, Any]:
    quoting = {name: getattr(urllib.parse, name) for name in ("quote", "unquote", "urlencode")}
    return {**_public(urllib.error, urllib.request), **quoting}


def _string_io() -> dict[str, Any]:
    """Python 2's holds text or bytes, whichever it is first given."""

    def make(initial: str | bytes = "") -> io.StringIO | io.BytesIO:
        return io.BytesIO(initial) if isinstance(initial, bytes) else io.StringIO(initial)

    return {"StringIO": make}


def _anyjson() -> dict[str, Any]:
    from zato.server.http import formats

    def dumps(value: Any) -> str:
        return formats.dump_json(value).decode()

    def loads(text: str | bytes) -> Any:
        return formats.load_json(text.encode() if isinstance(text, str) else text)

    return {"dumps": dumps, "loads": loads, "serialize": dumps, "deserialize": loads}


def _helpers() -> dict[str, Any]:
    from zato.server.services import helpers, html

    return _public(helpers, html)


def _adapter() -> dict[str, Any]:
    """A published name for which there is no room below a module that is no package."""
    from zato.server.services import adapters

    return _public(adapters)


_MAKERS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "StringIO": _string_io,
    "anyjson": _anyjson,
    "cStringIO": _string_io,
    "httplib": _httplib,
    "urllib2": _urllib2,
    "urlparse": _urlparse,
    "zato.server.service.adapter": _adapter,
    "zato.server.service.internal.helpers": _helpers,
}
_made: dict[str, ModuleType] = {}
