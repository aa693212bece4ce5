"""What can be configured, as the servers describe it: all pages of objects are made from this."""

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.json_format import ParseDict

from zato.common.errors import NotFound, ZatoError
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription, OptionDescription
from zato.webadmin.person import Person

# A connector that starts brings kinds of its own; a page that is this much older than them does no harm.
_FRESH_S = 3.0
# So old they are not shown any more before it is known that servers still say so.
_KEPT_S = 60.0


@dataclass(frozen=True)
class Family:
    """Kinds whose names begin with the same word."""

    name: str
    label: str
    icon: str
    kinds: tuple["Kind", ...]


# How families that we know are called and drawn; what is not here is called after its word.
_FAMILIES: Mapping[str, tuple[str, str]] = {
    "channel": ("Channels", "log-in"),
    "outgoing": ("Outgoing", "log-out"),
    "definition": ("Definitions", "book-open"),
    "security": ("Security", "shield"),
    "scheduler": ("Scheduler", "calendar-clock"),
    "message": ("Messages", "file-code"),
}
_OTHERS_ICON = "boxes"
# What nearly all labels of a family say again.
_REPEATED = ("channel", "outgoing", "connection", "definition")


@dataclass(frozen=True)
class Kind:
    """
    One kind, as its part declared it, and which services there are for it.

    Args:
        part: Who brings it, e.g. connector-amqp; "" for the servers themselves.
    """

    description: KindDescription
    operations: frozenset[str]
    part: str = ""

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def label(self) -> str:
        return self.description.label

    @property
    def short_label(self) -> str:
        """The label as it stands under its family, e.g. "HTTP" for an "HTTP channel"."""
        words = [word for word in self.label.split() if word.lower() not in _REPEATED]
        short = " ".join(words) or self.label
        return short[0].upper() + short[1:]

    @property
    def plural(self) -> str:
        """The label for many of them; what is no common noun, such as "HTTP Basic Auth", stays as it is."""
        return f"{self.label}s" if self.label.split()[-1].islower() else self.label

    @property
    def family(self) -> str:
        """The first word of the name; "" for a kind of one word, which has a page of its own."""
        first, dash, _ = self.name.partition("-")
        return first if dash else ""

    @cached_property
    def options(self) -> tuple[OptionDescription, ...]:
        return tuple(self.description.options)

    @property
    def secrets(self) -> tuple[OptionDescription, ...]:
        return tuple(option for option in self.options if option.secret)

    def service(self, operation: str) -> str:
        return f"zato.{self.name}.{operation}"

    def can(self, operation: str) -> bool:
        return operation in self.operations

    @cached_property
    def columns(self) -> tuple[OptionDescription, ...]:
        """What tells objects apart in a list: what is required, referred to or unique, four at most."""
        shown = [option for option in self.options if not option.secret and option.type != "bool" and option.max_length <= 1000]
        wanted = [each for each in shown if each.required or each.references or each.name in self.description.unique]
        return tuple(wanted[:4])


class Kinds:
    """Remembers for a moment what the servers described; the same for everybody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Kind] = {}
        self._asked_at = float("-inf")
        self._is_asking = False

    def all(self, person: Person) -> Mapping[str, Kind]:
        """
        Return the kinds by their names. Those that are known are returned at once, and asked for anew beside, since they hardly
        ever change and every page needs them. Raises NoServer.
        """
        with self._lock:
            age_s = time.monotonic() - self._asked_at
            if age_s < _FRESH_S or (age_s < _KEPT_S and self._is_asking):
                return self._known
            self._is_asking = True
        if age_s < _KEPT_S:
            threading.Thread(target=self._ask_beside, args=(person,), name="kinds", daemon=True).start()
            return self._known
        return self._ask(person)

    def _ask_beside(self, person: Person) -> None:
        # Whoever asks when they are too old is told why there are none.
        with contextlib.suppress(ZatoError):
            self._ask(person)

    def _ask(self, person: Person) -> Mapping[str, Kind]:
        try:
            return self._learn(person)
        finally:
            self._is_asking = False

    def _learn(self, person: Person) -> Mapping[str, Kind]:
        described = person.ask("zato.kind.get-list")
        services = [each["name"] for each in person.ask("zato.service.get-list")]
        known = {
            each["name"]: Kind(_description(each), _operations(each["name"], services), each.get("part", ""))
            for each in described
        }
        with self._lock:
            self._known, self._asked_at = known, time.monotonic()
        return known

    def get(self, person: Person, name: str) -> Kind:
        """Raises NotFound."""
        kind = self.all(person).get(name)
        if kind is None:
            raise NotFound(f"There is no kind of object that is called '{name:.100}': is the part that brings it running?")
        return kind

    def families(self, person: Person) -> list[Family]:
        """Return the kinds as the menu has them."""
        by_family: dict[str, list[Kind]] = {}
        for kind in self.all(person).values():
            by_family.setdefault(kind.family, []).append(kind)
        by_family.pop("", None)
        order = [*(name for name in _FAMILIES if name in by_family), *sorted(by_family.keys() - _FAMILIES.keys())]
        return [
            Family(
                name,
                *_FAMILIES.get(name, (name.capitalize(), _OTHERS_ICON)),
                tuple(sorted(by_family[name], key=lambda kind: kind.short_label.lower())),
            )
            for name in order
        ]


def _operations(kind: str, services: list[str]) -> frozenset[str]:
    start = f"zato.{kind}."
    return frozenset(name.removeprefix(start) for name in services if name.startswith(start))


def _description(described: Mapping[str, Any]) -> KindDescription:
    # A server that is newer than we are may say more.
    return ParseDict(dict(described), KindDescription(), ignore_unknown_fields=True)


def default_of(option: OptionDescription) -> Any:
    return json.loads(option.default_json) if option.default_json else None
