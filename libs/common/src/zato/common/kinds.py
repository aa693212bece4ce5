"""Kinds: what sorts of objects can be configured, each declared once by the part that implements it."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from zato.common.errors import InvalidOptions, NotFound
from zato.common.options import declared_options, default_json, option, parse_options
from zato.common.spelling import or_list
from zato.common.text_formats import parse_time
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription, OptionDescription
from zato.proto.control_plane.v1.control_plane_pb2 import OptionRule as OptionRuleMessage


@dataclass(frozen=True, slots=True)
class OptionRule:
    """
    What has to hold between options, as data, so that it holds too where only a kind's description is known.

    Args:
        option, value: The rule holds where this option has this value; always when `option` is empty.
        all_of: Each of these has to be given: none may be empty or zero.
        any_of: At least one of these has to be given.
        ascending: Times (format "date-time"), each later than the one before, where both are given.
    """

    option: str = ""
    value: str = ""
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    ascending: tuple[str, ...] = ()

    def problems(self, options: object) -> dict[str, str]:
        """Return what is wrong with which option."""
        if self.option and str(getattr(options, self.option)) != self.value:
            return {}
        when = f" when '{self.option}' is {self.value}" if self.option else ""
        found = {name: f"is required{when}" for name in self.all_of if not getattr(options, name)}
        if self.any_of and not any(getattr(options, name) for name in self.any_of):
            others = ", ".join(f"'{name}'" for name in self.any_of)
            found[self.any_of[-1]] = f"has to be more than zero{when}, or another one of {others}"
        for earlier, later in zip(self.ascending, self.ascending[1:], strict=False):
            if not _is_ascending(getattr(options, earlier), getattr(options, later)):
                found[later] = f"has to be later than '{earlier}'"
        return found


def _is_ascending(earlier: str, later: str) -> bool:
    if not earlier or not later:
        return True
    first, second = parse_time(earlier), parse_time(later)
    if first.tzinfo is None or second.tzinfo is None:
        first, second = first.replace(tzinfo=first.tzinfo or UTC), second.replace(tzinfo=second.tzinfo or UTC)
    return first < second


@dataclass(frozen=True, slots=True)
class Kind:
    """
    Args:
        name: e.g. "channel-http". Part of the admin services' names: "zato.channel-http.create".
        label: What people call it, e.g. "HTTP channel".
        options: The `@options` class that declares it. Every object also has `name` and `is_active`.
        unique: Options whose values together no two objects of the kind may share.
        rules: What has to hold between options.
    """

    name: str
    label: str
    options: type
    unique: tuple[str, ...] = ()
    rules: tuple[OptionRule, ...] = ()

    @property
    def help(self) -> str:
        return (self.options.__doc__ or "").strip()

    @property
    def references(self) -> dict[str, tuple[str, ...]]:
        """Options that name another object, with the kinds it may be of. Services are no objects and not in it."""
        named = {declared.name: declared.references for declared in declared_options(self.options)}
        return {name: kinds for name, kinds in named.items() if kinds and kinds != ("service",)}

    @property
    def secret_names(self) -> frozenset[str]:
        return frozenset(declared.name for declared in declared_options(self.options) if declared.secret)

    def parse(self, values: Mapping[str, object], *, what: str) -> Any:
        """
        Return the options that `values` give, checked each and together.

        Raises:
            InvalidOptions: Names every option that does not fit, and what was wanted.
        """
        parsed: Any = parse_options(self.options, values, what=what)
        problems: dict[str, str] = {}
        for rule in self.rules:
            problems.update(rule.problems(parsed))
        if problems:
            sentence = "; ".join(f"'{name}' {problem}" for name, problem in sorted(problems.items()))
            raise InvalidOptions(f"{what}: {sentence}", **problems)
        return parsed

    def describe(self) -> KindDescription:
        """Return the description that forms, imports and the reference pages are made from."""
        described = [
            OptionDescription(
                name=declared.name,
                type=declared.type,
                help=declared.help,
                required=declared.is_required,
                default_json=default_json(declared) or "",
                choices=declared.choices,
                secret=declared.secret,
                references=declared.references,
                minimum=declared.minimum,
                maximum=declared.maximum,
                format=declared.format,
                max_length=declared.max_length,
            )
            for declared in declared_options(self.options)
        ]
        return KindDescription(
            name=self.name,
            label=self.label,
            help=self.help,
            options=described,
            unique=self.unique,
            rules=[
                OptionRuleMessage(
                    option=rule.option, value=rule.value, all_of=rule.all_of, any_of=rule.any_of, ascending=rule.ascending
                )
                for rule in self.rules
            ],
        )

    @classmethod
    def from_description(cls, description: KindDescription) -> "Kind":
        """
        Make the kind anew where only its description is known: in a server, of a kind that another part implements.

        Raises:
            InvalidOptions: It describes what no kind can have; says which option and why.
        """
        try:
            fields = [_field(described) for described in description.options]
            made = dataclasses.make_dataclass(_class_name(description.name), fields, frozen=True, kw_only=True)
            made.__doc__ = description.help
            _check_defaults(made)
        except (ValueError, TypeError) as exc:
            raise InvalidOptions(f"Kind '{description.name:.100}': {exc}") from exc
        rules = tuple(_rule(described, made, description.name) for described in description.rules)
        return cls(description.name, description.label, made, tuple(description.unique), rules)


_types: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list": tuple[str, ...]}


def _rule(described: OptionRuleMessage, made: type, kind: str) -> OptionRule:
    rule = OptionRule(
        described.option,
        described.value,
        tuple(described.all_of),
        tuple(described.any_of),
        tuple(described.ascending),
    )
    known = {declared.name for declared in declared_options(made)}
    named = {*rule.all_of, *rule.any_of, *rule.ascending, *([rule.option] if rule.option else [])}
    if named - known:
        raise InvalidOptions(f"Kind '{kind:.100}': a rule names options that there are not: {', '.join(sorted(named - known))}")
    return rule


def _class_name(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("-")) + "Options"


# What every object has beside its options, and what says which object is meant.
_RESERVED = frozenset({"id", "name", "new_name", "is_active"})


def _check_defaults(made: type) -> None:
    for declared in declared_options(made):
        if not declared.is_required:
            try:
                declared.convert(declared.default)
            except ValueError as exc:
                raise ValueError(f"the default of '{declared.name}' takes {exc}") from None


def _field(described: OptionDescription) -> tuple[str, Any, Any]:
    if not described.name.isidentifier() or described.name.startswith("_") or described.name in _RESERVED:
        raise ValueError(f"'{described.name:.100}' is no name for an option")
    if described.type not in _types:
        raise ValueError(f"'{described.name}' is of the type '{described.type:.100}'; there are: {', '.join(_types)}")
    default: Any = dataclasses.MISSING
    if not described.required:
        default = json.loads(described.default_json)
        default = tuple(default) if isinstance(default, list) else default
    declared = option(
        described.help,
        default=default,
        choices=tuple(described.choices),
        secret=described.secret,
        reference=tuple(described.references),
        minimum=described.minimum if described.HasField("minimum") else None,
        maximum=described.maximum if described.HasField("maximum") else None,
        format=described.format,
        max_length=described.max_length,
    )
    declared_type = _types[described.type]
    return described.name, declared_type | None if default is None else declared_type, declared


class KindRegistry:
    """The kinds that a part knows, by name."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def get(self, name: str) -> Kind:
        try:
            return self._kinds[name]
        except KeyError:
            raise NotFound(f"There is no kind '{name}'{or_list(name, self._kinds)}", kind=name) from None
