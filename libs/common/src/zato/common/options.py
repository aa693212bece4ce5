"""
Declaring what can be configured, once.

    @options
    class LDAPOptions:
        servers: str = option("Addresses, host:port, separated by commas")
        password: str = option("Password of the name we bind as", default="", secret=True)
        connect_timeout_s: float = option("Seconds to wait for a server", default=5.0, minimum=0.1)

From such a class come validation, the admin services, forms, the import and export of configuration, the masking
of secrets and the reference pages; settings of a part are declared the same way (`zato.common.settings`).
"""

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from zato.common.errors import InvalidOptions
from zato.common.spelling import or_list
from zato.common.text_formats import check_format

T = TypeVar("T")
_METADATA_KEY = "zato.option"
_TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "f", "0"})
_declared: dict[type, tuple["Option", ...]] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One declared field. `type` is "str", "int", "float", "bool", "list" or "path"."""

    name: str
    type: str
    help: str
    default: Any = dataclasses.MISSING
    choices: tuple[str, ...] = ()
    secret: bool = False
    references: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    is_optional: bool = False  # None is a value
    format: str = ""
    max_length: int = 0

    @property
    def is_required(self) -> bool:
        return self.default is dataclasses.MISSING

    def convert(self, value: object) -> Any:
        """
        Return `value` as the declared type. Text is read as people and environment variables write it ("true", "5").

        Raises:
            ValueError: The message says what was wanted, e.g. "a whole number of at least 1".
        """
        # Environments and forms have no None; what is left empty there means it, except where text may be empty.
        if self.is_optional and (value is None or (value == "" and self.type != "str")):
            return None
        converted = _converters[self.type](value)
        if self.choices and not set(converted if self.type == "list" else [converted]) <= set(self.choices):
            raise ValueError(f"{'any' if self.type == 'list' else 'one'} of {', '.join(map(repr, self.choices))}")
        if self.type == "str":
            self._check_text(converted)
        is_low = self.minimum is not None and converted < self.minimum
        is_high = self.maximum is not None and converted > self.maximum
        if is_low or is_high:
            raise ValueError(self._range_wanted())
        return converted

    def _check_text(self, text: str) -> None:
        if self.max_length and len(text) > self.max_length:
            raise ValueError(f"text of at most {self.max_length:,} characters, and has {len(text):,}")
        if self.format and text:
            check_format(self.format, text)

    def _range_wanted(self) -> str:
        noun = "a whole number" if self.type == "int" else "a number"
        if self.maximum is None:
            return f"{noun} of at least {self.minimum:g}"
        if self.minimum is None:
            return f"{noun} of at most {self.maximum:g}"
        return f"{noun} from {self.minimum:g} to {self.maximum:g}"


def option(
    help: str,
    *,
    default: Any = dataclasses.MISSING,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    reference: str | tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    format: str = "",
    max_length: int = 0,
) -> Any:
    """
    Declare one field of an `@options` class.

    Args:
        help: What it means, with its unit, in a form and on the reference page.
        default: Used when nothing is given. Without one the option is required.
        secret: Kept out of `repr`, encrypted at rest, never shown again.
        reference: The kinds of which the value names an object, or "service".
        format: What a text has to be unless it is empty, one of `zato.common.text_formats.FORMATS`.
        max_length: Characters of a text; 0 for no limit.
    """
    references = (reference,) if isinstance(reference, str) else reference
    metadata = {
        "help": help,
        "choices": choices,
        "secret": secret,
        "references": references,
        "minimum": minimum,
        "maximum": maximum,
        "format": format,
        "max_length": max_length,
    }
    return dataclasses.field(default=default, repr=not secret, metadata={_METADATA_KEY: metadata})


@dataclass_transform(field_specifiers=(option,), kw_only_default=True, frozen_default=True)
def options(cls: type[T]) -> type[T]:
    """Make a frozen, keyword-only dataclass of `cls`, all of whose fields are declared with `option`."""
    made = dataclasses.dataclass(frozen=True, kw_only=True, slots=True)(cls)
    declared_options(made)
    return made


def declared_options(cls: type) -> tuple[Option, ...]:
    """Return the options of an `@options` class, in the order of their declaration."""
    if cls not in _declared:
        hints = typing.get_type_hints(cls)
        _declared[cls] = tuple(_declared_option(cls, field, hints[field.name]) for field in dataclasses.fields(cls))
    return _declared[cls]


def _declared_option(cls: type, field: dataclasses.Field[Any], hint: Any) -> Option:
    if _METADATA_KEY not in field.metadata:
        raise TypeError(f"'{field.name}' of {cls.__name__} is not declared with option(...)")
    is_optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if is_optional:
        (hint,) = (argument for argument in typing.get_args(hint) if argument is not type(None))
    metadata = field.metadata[_METADATA_KEY]
    return Option(field.name, _type_name(hint, field.name), default=field.default, is_optional=is_optional, **metadata)


def parse_options(cls: type[T], values: Mapping[str, object], *, what: str) -> T:
    """
    Check `values` against the declaration and return the instance.

    Args:
        what: What is being configured, for messages, e.g. "channel-http 'orders'".

    Raises:
        InvalidOptions: Names every option that is missing, unknown or of the wrong form, and what was wanted.
    """
    declared, required = _declared_by_name(cls)  # type: ignore[arg-type]  # mypy takes no class for hashable
    problems = dict.fromkeys(required - values.keys(), "is required")
    converted: dict[str, Any] = {}
    for name in values.keys() - declared.keys():
        problems[name] = f"there is no such option{or_list(name, declared)}"
    for name in values.keys() & declared.keys():
        declared_option = declared[name]
        try:
            converted[name] = declared_option.convert(values[name])
        except ValueError as exc:
            shown = "" if declared_option.secret else f", not {_short(values[name])}"
            problems[name] = f"takes {exc}{shown}"
    if not problems:
        try:
            return cls(**converted)
        except ValueError as exc:  # what the class itself checks across its options, in __post_init__
            raise InvalidOptions(f"{what}: {exc}") from exc
    sentence = "; ".join(f"'{name}' {problem}" for name, problem in sorted(problems.items()))
    raise InvalidOptions(f"{what}: {sentence}", **problems)


@functools.cache
def _declared_by_name(cls: type) -> tuple[dict[str, Option], frozenset[str]]:
    """The options of a class, and the names of those that are required."""
    declared = {each.name: each for each in declared_options(cls)}
    return declared, frozenset(name for name, each in declared.items() if each.is_required)


def option_values(instance: object) -> dict[str, Any]:
    """Return an instance's options by name, as JSON-compatible values, secrets included."""
    return {declared.name: _plain(getattr(instance, declared.name)) for declared in declared_options(type(instance))}


def default_json(declared: Option) -> str | None:
    return None if declared.is_required else json.dumps(_plain(declared.default))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _type_name(hint: Any, field: str) -> str:
    if typing.get_origin(hint) is tuple:
        return "list"
    try:
        return {str: "str", int: "int", float: "float", bool: "bool", Path: "path"}[hint]
    except KeyError:
        raise TypeError(f"option '{field}': no option can be of type {hint}") from None


def _to_str(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    if "\0" in value:
        raise ValueError("text without NUL characters")
    return value


def _to_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a whole number")
    try:
        return int(value)
    except ValueError:
        raise ValueError("a whole number") from None


def _to_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a number")
    try:
        number = float(value)
    except ValueError:
        raise ValueError("a number") from None
    except OverflowError:
        raise ValueError("a finite number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("a finite number")
    return number


def _to_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("true or false")


def _to_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("a list of texts")


def _to_path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_to_str(value))


_converters: dict[str, Any] = {
    "str": _to_str,
    "int": _to_int,
    "float": _to_float,
    "bool": _to_bool,
    "list": _to_list,
    "path": _to_path,
}
