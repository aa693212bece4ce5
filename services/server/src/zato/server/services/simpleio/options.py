"""The parts of a declaration that are about empty values, CSV and XML."""

import codecs
import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.fields import NOT_GIVEN
from zato.server.services.simpleio.scope import DeclarationError, Scope

XML_OPTIONS: Mapping[str, Any] = {"namespace": "", "pretty_print": True, "encoding": "UTF-8", "declaration": True}


@dataclass(frozen=True, slots=True)
class Skip:
    """Whose keys are left out when they are empty: all but the forced ones, or those that are named."""

    is_for_all: bool = False
    names: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()

    def covers(self, name: str) -> bool:
        return (self.is_for_all or name in self.names) and name not in self.forced


def read_skips(scope: Scope) -> tuple[Skip, Skip, Any]:
    inner = scope.get("SkipEmpty", None)
    names = [name for name in ("skip_empty_keys", "force_empty_keys") if scope.has(name)]
    if inner is None:
        rules = defaults.current()
        given = scope.get("skip_empty_keys", rules.skip_output)
        skip = _skip("skip_empty_keys", given, scope.get("force_empty_keys", ()))
        return Skip(rules.skip_input), skip, NOT_GIVEN
    if names:
        raise DeclarationError(names[0], "is a part of class SkipEmpty: write it there, or leave the class out")
    output = getattr(inner, "output_def", getattr(inner, "output", False))
    return (
        _skip("SkipEmpty", getattr(inner, "input", False), getattr(inner, "force_empty_input", ())),
        _skip("SkipEmpty", output, getattr(inner, "force_empty_output", ())),
        getattr(inner, "empty_output_value", NOT_GIVEN),
    )


def _skip(attribute: str, value: Any, forced: Any) -> Skip:
    named = _names(attribute, value)
    return Skip(value is True, named, _names(attribute, forced))


def _names(attribute: str, value: Any) -> frozenset[str]:
    if isinstance(value, bool) or value is None:
        return frozenset()
    names = frozenset((value,) if isinstance(value, str | ForceType) else value if isinstance(value, Iterable) else (None,))
    if not all(isinstance(name, str | ForceType) for name in names):
        raise DeclarationError(attribute, f"takes True, or names of elements, not {value!r}")
    return frozenset(name if isinstance(name, str) else name.name for name in names)


def _grouped(scope: Scope, prefix: str) -> dict[str, Any]:
    """Return the options of a format, written `csv_delimiter = …` or `class CSV: delimiter = …`."""
    inner = scope.get(prefix.upper(), None)
    flat = scope.with_prefix(f"{prefix}_")
    if inner is None:
        return flat
    if flat:
        first = f"{prefix}_{min(flat)}"
        raise DeclarationError(first, f"is a part of class {prefix.upper()}: write it there, or leave the class out")
    return {name: getattr(inner, name) for name in dir(inner) if not name.startswith("_")}


def read_csv_options(scope: Scope) -> tuple[dict[str, Any], bool]:
    options = _grouped(scope, "csv")
    header = bool(options.pop("should_write_header", True))
    if error := _csv_error(options):
        wrong = next((name for name in options if _csv_error({name: options[name]})), "")
        attribute = f"csv_{wrong}" if scope.has(f"csv_{wrong}") else "CSV"
        raise DeclarationError(attribute, f"this is no option of CSV, or not acceptable: {error}")
    return {"dialect": "excel", **options}, header


def _csv_error(options: Mapping[str, Any]) -> str:
    try:
        csv.writer(io.StringIO(), **options)
    except (TypeError, csv.Error) as exc:
        return str(exc)
    return ""


def read_xml_options(scope: Scope) -> dict[str, Any]:
    given = _grouped(scope, "xml")
    if unknown := set(given) - set(XML_OPTIONS):
        raise DeclarationError(f"xml_{min(unknown)}", f"there is no such option; there are {', '.join(XML_OPTIONS)}")
    options = {**XML_OPTIONS, "namespace": scope.get("namespace", "") or "", **given}
    try:
        codecs.lookup(options["encoding"])
    except (LookupError, TypeError) as exc:
        raise DeclarationError("xml_encoding", str(exc)) from exc
    return options
