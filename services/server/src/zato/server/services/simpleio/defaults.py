"""
What SimpleIO takes for granted: which plain names are integers, booleans or secrets, and what declarations leave unsaid.

A server may have its own, in simple-io.conf in its folder of what services read:

    [int]
    exact = id, pin
    suffix = _count, _id, _size

    [default]
    response_elem = None

What the file does not name stays as it is here. They are set once, when the server starts: elements are made while
users' classes are, where nobody could hand them over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configobj import ConfigObj, ConfigObjError

from zato.common.errors import InvalidOptions
from zato.server.services.simpleio.fields import NOT_GIVEN

FILE_NAME = "simple-io.conf"
_BOOLEANS = {"true": True, "false": False}
_DEFAULTS = (
    *("default_value", "default_input_value", "default_output_value", "response_elem"),
    *("skip_empty_keys", "skip_empty_request_keys", "skip_empty_response_keys"),
)


@dataclass(frozen=True, slots=True)
class NameRule:
    """Which names it covers."""

    exact: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()

    def covers(self, name: str) -> bool:
        return name in self.exact or name.startswith(self.prefix) or name.endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class SimpleIODefaults:
    """
    Args:
        encoding: Of bytes that become text.
        skip_input, skip_output: Whether keys of empty optional elements are left out.
    """

    integers: NameRule = NameRule(exact=("id",), suffix=("_count", "_id", "_size", "_size_min", "_size_max", "_timeout"))
    booleans: NameRule = NameRule(prefix=("by_", "has_", "is_", "may_", "needs_", "should_"))
    secrets: NameRule = NameRule()
    encoding: str = "utf8"
    default_value: Any = NOT_GIVEN
    default_input_value: Any = NOT_GIVEN
    default_output_value: Any = NOT_GIVEN
    response_elem: str | None = "response"
    skip_input: bool = False
    skip_output: bool = False


_current = SimpleIODefaults()


def current() -> SimpleIODefaults:
    return _current


def use(defaults: SimpleIODefaults) -> None:
    """Hold for all classes that are made from now on."""
    global _current
    _current = defaults


def read_defaults(folder: Path) -> SimpleIODefaults:
    """
    Return what simple-io.conf in the folder says, and the defaults where there is no such file.

    Raises:
        InvalidOptions: Says which section or entry of the file is wrong.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return SimpleIODefaults()
    try:
        sections = ConfigObj(str(path), encoding="utf-8", interpolation=False, file_error=True).dict()
        return _made(sections)
    except (ConfigObjError, OSError, ValueError, LookupError) as exc:
        raise InvalidOptions(f"{path}: {exc}") from exc


def _made(sections: Mapping[str, Any]) -> SimpleIODefaults:
    made = SimpleIODefaults()
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            raise ValueError(f"'{name}' is in no section")
        if name == "int":
            made = replace(made, integers=_rule(name, section, made.integers))
        elif name == "bool":
            made = replace(made, booleans=_rule(name, section, made.booleans))
        elif name == "secret":
            made = replace(made, secrets=_rule(name, section, made.secrets))
        elif name == "bytes_to_str":
            _check_names(name, section, ("encoding",))
            encoding = str(section.get("encoding", made.encoding))
            "".encode(encoding)  # LookupError for an unknown one
            made = replace(made, encoding=encoding)
        elif name == "default":
            made = _with_values(made, section)
        else:
            raise ValueError(f"there is no section [{name}]; there are int, bool, secret, bytes_to_str and default")
    return made


def _rule(name: str, section: Mapping[str, Any], rule: NameRule) -> NameRule:
    _check_names(name, section, ("exact", "prefix", "suffix"))
    return replace(rule, **{part: _listed(value) for part, value in section.items()})


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(part for part in (value if isinstance(value, list) else [value]) if part)


def _with_values(made: SimpleIODefaults, section: Mapping[str, Any]) -> SimpleIODefaults:
    _check_names("default", section, _DEFAULTS)
    given = {name: _value(value) for name, value in section.items()}
    skips = {name: given.pop(name) for name in _DEFAULTS if name.startswith("skip_") and name in given}
    for name, value in skips.items():
        if not isinstance(value, bool):
            raise ValueError(f"'{name}' in [default] takes True or False")
    element = given.get("response_elem", made.response_elem)
    if element is not None and not isinstance(element, str):
        raise ValueError("'response_elem' in [default] takes a name, or None for no wrapper")
    both = skips.get("skip_empty_keys", False)
    return replace(
        made,
        **given,
        skip_input=skips.get("skip_empty_request_keys", False),
        skip_output=skips.get("skip_empty_response_keys", False) or both,
    )


def _value(value: Any) -> Any:
    """The file knows texts; None, True and False are written as in Python."""
    if value == "None":
        return None
    return _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


def _check_names(section: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"there is no '{unknown[0]}' in [{section}]; there are {', '.join(known)}")
