"""The menu: pages of their own, then the kinds by their families."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from zato.webadmin.kinds import Family
from zato.webadmin.person import Person


@dataclass(frozen=True)
class Entry:
    """
    A line of the menu, and what a page declares to be in it.

    Args:
        endpoint: Of the view, e.g. "home.page".
        role: Who sees it, with all higher roles.
        under: The family of kinds that it stands in; "" for one of its own.
    """

    label: str
    endpoint: str
    icon: str = ""
    role: str = "viewer"
    under: str = ""


@dataclass(frozen=True)
class Item:
    label: str
    address: str
    icon: str
    is_current: bool


@dataclass(frozen=True)
class Section:
    """Items that open and close together; one without a label stands open."""

    label: str
    icon: str
    items: tuple[Item, ...]

    @property
    def is_current(self) -> bool:
        return any(item.is_current for item in self.items)


def menu_for(person: Person, families: Sequence[Family], path: str) -> list[Section]:
    from zato.webadmin.pages import ENTRIES

    allowed = [entry for entry in ENTRIES if person.may(entry.role)]
    known = {family.name for family in families}

    def items(entries: Sequence[Entry]) -> list[Item]:
        return [_item(entry.label, url_for(entry.endpoint), entry.icon, path) for entry in entries]

    sections = [Section("", "", tuple(items([entry for entry in allowed if entry.under not in known])))]
    for family in families:
        own = items([entry for entry in allowed if entry.under == family.name])
        kinds = [_item(kind.short_label, url_for("objects.index", kind_name=kind.name), "", path) for kind in family.kinds]
        sections.append(Section(family.label, family.icon, (*own, *kinds)))
    return sections


def _item(label: str, address: str, icon: str, path: str) -> Item:
    return Item(label, address, icon, path == address or (address != "/" and path.startswith(address)))
