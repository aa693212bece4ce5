"""Forms of objects, made from what the kind declares: its fields, what was typed into them, and what is wrong with it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from zato.common.errors import ZatoError
from zato.proto.control_plane.v1.control_plane_pb2 import OptionDescription
from zato.webadmin.kinds import Kind, default_of

_LONG_TEXT = 500
# What is told to take this has lines of its own.
_PEM = "PEM"
_MOST_IN_FRONT = 8
_ACRONYMS = frozenset(
    (
        "ca",
        "cors",
        "db",
        "ftp",
        "ftps",
        "http",
        "id",
        "json",
        "jwks",
        "ldap",
        "rbac",
        "soap",
        "sql",
        "tls",
        "ttl",
        "url",
        "wsdl",
        "xml",
    )
)
_WORDS = {"sec": "security", "def": "definition", "req": "request", "pri": "priority", "attrs": "attributes", "num": "number"}
_UNITS = {"s": "seconds", "ms": "milliseconds", "bytes": "bytes", "days": "days"}


@dataclass(frozen=True)
class Field:
    """
    Args:
        widget: Which sort of control it is: text, long, number, switch, choice, choices, lines, secret, secret_lines or pick.
        value: As the control has it: a text, or a list of texts, or whether it is on.
        shown_when: Option and value, when it has a meaning only then.
        problem: What is wrong with it, in the server's words.
        is_default: Whether the value is the one that it has when nothing is said.
    """

    name: str
    label: str
    help: str
    widget: str
    value: Any
    is_required: bool
    choices: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: str = "any"
    placeholder: str = ""
    shown_when: tuple[str, str] | None = None
    problem: str = ""
    is_default: bool = True


@dataclass(frozen=True)
class Form:
    """
    Args:
        front: What most people fill in.
        more: The rest.
        problems: What is wrong, by the names of fields; with none of these names, the form as a whole.
    """

    front: tuple[Field, ...]
    more: tuple[Field, ...]
    problems: Mapping[str, str]

    @property
    def changed_more(self) -> int:
        return sum(not field.is_default for field in self.more)

    @property
    def has_problem_in_more(self) -> bool:
        return any(field.problem for field in self.more)


def form_of(kind: Kind, values: Mapping[str, Any], *, is_new: bool, problems: Mapping[str, str] | None = None) -> Form:
    """
    Args:
        values: Options by name, as the API has them; what is missing has its default.
    """
    problems = problems or {}
    fields = [_field(kind, option, values, is_new=is_new, problem=problems.get(option.name, "")) for option in kind.options]
    front_names = _in_front(kind)
    return Form(
        tuple(field for field in fields if field.name in front_names),
        tuple(field for field in fields if field.name not in front_names),
        problems,
    )


def values_of(kind: Kind, given: "MultiDict[str, str]") -> dict[str, Any]:
    """Return the options that a form says, as the API takes them. Secrets that are empty stay what they are."""
    values: dict[str, Any] = {}
    for option in kind.options:
        name = f"o-{option.name}"
        if option.type == "bool":
            values[option.name] = name in given
        elif option.type == "list" and option.choices:
            values[option.name] = [each for each in given.getlist(name) if each]
        elif option.type == "list":
            lines = given.get(name, "").splitlines()
            values[option.name] = [line.strip() for line in lines if line.strip()]
        elif option.secret:
            if given.get(name):
                values[option.name] = given[name]
        elif option.type in ("int", "float"):
            values[option.name] = _number(given.get(name, "").strip(), option)
        else:
            # Browsers send lines as the network has them.
            values[option.name] = given.get(name, "").replace("\r\n", "\n")
    return values


def changed(values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from what is stored, so that nobody writes over what they did not touch."""
    return {name: value for name, value in values.items() if name not in before or before[name] != value}


def problems_of(error: ZatoError, names: Collection[str]) -> dict[str, str]:
    """
    Return what is wrong with which field, in the server's words.

    What a kind checks of all options together comes as one sentence, which names an option first:
    "channel-http 'orders': 'url_path' takes a path that begins with a slash".
    """
    found = {name: text for name, text in error.attributes.items() if name in names}
    named = re.search(r"(?:^|: )'(\w+)' (.+)", error.message, re.DOTALL)
    if not found and named is not None and named[1] in names:
        return {named[1]: named[2]}
    return found


def label_of(name: str) -> str:
    """Return what people read for an option, e.g. "URL path" for url_path."""
    words = name.split("_")
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    if unit:
        words = words[:-1]
    said = [word for word in words if word not in ("is", "has")] or words
    text = " ".join(word.upper() if word in _ACRONYMS else _WORDS.get(word, word) for word in said)
    text = text[:1].upper() + text[1:]
    return f"{text} ({unit})" if unit else text


def _number(text: str, option: OptionDescription) -> Any:
    """A number where it is one; else what was typed, of which the server says what is wrong."""
    if text == "":
        return default_of(option)
    try:
        number = float(text)
    except ValueError:
        return text
    return (
        int(number)
        if option.type == "int" and re.fullmatch(r"[+-]?\d+", text)
        else (number if option.type == "float" else text)
    )


def _in_front(kind: Kind) -> frozenset[str]:
    """What is required, secret, refers to something or is named by a rule, and of the rest what says most."""
    ruled = {name for rule in kind.description.rules for name in (rule.option, *rule.all_of, *rule.any_of)}
    named = [
        option.name
        for option in kind.options
        if option.required
        or option.secret
        or option.references
        or option.name in ruled
        or option.name in kind.description.unique
    ]
    rest = [
        option.name
        for option in kind.options
        if option.name not in named and not option.name.startswith(("rate_limit", "is_rate", "cors", "tls", "ca_"))
    ]
    room = max(0, (_MOST_IN_FRONT if len(kind.options) > _MOST_IN_FRONT + 2 else len(kind.options)) - len(named))
    return frozenset([*named, *rest[:room]])


def _field(kind: Kind, option: OptionDescription, values: Mapping[str, Any], *, is_new: bool, problem: str) -> Field:
    default = default_of(option)
    value = values.get(option.name, default)
    return Field(
        name=option.name,
        label=label_of(option.name),
        help=option.help,
        widget=_widget(option, value),
        value=_shown(option, value),
        is_required=option.required and not (option.secret and not is_new),
        choices=tuple(option.choices),
        references=tuple(option.references),
        minimum=option.minimum if option.HasField("minimum") else None,
        maximum=option.maximum if option.HasField("maximum") else None,
        step="1" if option.type == "int" else "any",
        placeholder=_placeholder(option, default, is_new=is_new),
        shown_when=_shown_when(kind, option.name),
        problem=problem,
        is_default=option.secret or value == default,
    )


def _widget(option: OptionDescription, value: Any) -> str:
    if option.type == "bool":
        return "switch"
    if option.type == "list":
        return "choices" if option.choices else "lines"
    if option.choices:
        return "choice"
    if option.secret:
        # Keys have several lines, which must not be lost.
        return "secret_lines" if _PEM in option.help else "secret"
    if option.references:
        return "pick"
    if option.type in ("int", "float"):
        return "number"
    is_long = option.max_length > _LONG_TEXT or _PEM in option.help or (isinstance(value, str) and "\n" in value)
    return "long" if is_long else "text"


def _shown(option: OptionDescription, value: Any) -> Any:
    if option.type == "bool":
        return bool(value)
    if option.type == "list":
        return list(value or ()) if option.choices else "\n".join(value or ())
    if option.secret or value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _placeholder(option: OptionDescription, default: Any, *, is_new: bool) -> str:
    if option.secret:
        return "" if is_new else "Unchanged unless you type a new one"
    if option.format == "date-time":
        return "2027-01-31T15:00:00"
    if option.format == "cron":
        return "30 2 * * 1"
    return "No limit" if default is None and option.type in ("int", "float") else ""


def _shown_when(kind: Kind, name: str) -> tuple[str, str] | None:
    """What a rule asks for where another option has a value has no meaning where it has not."""
    found = [
        (rule.option, rule.value) for rule in kind.description.rules if rule.option and name in (*rule.all_of, *rule.any_of)
    ]
    return found[0] if len(found) == 1 else None
