"""Where a service's declaration is: in a class SimpleIO inside it, or directly on it; in itself, or in what it derives from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zato.common.models import model_of_list
from zato.server.services.simpleio.element import ForceType

_DECLARING = ("input", "output", "input_required", "input_optional", "output_required", "output_optional")
_INNER = "SimpleIO"


class DeclarationError(Exception):
    """
    A declaration is wrong. The text is for its author.

    Args:
        attribute: Which one, e.g. "input_required"; where to look in the file.
    """

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute}: {reason}")
        self.attribute = attribute


@dataclass(frozen=True, slots=True)
class Scope:
    """
    The attributes of a declaration, found as Python finds attributes: the nearest class counts.

    Args:
        classes: The nearest first.
        is_direct: Whether they are the service's own rather than those of a class SimpleIO.
        conflict: An attribute that is declared beside a class SimpleIO, "" if there is none.
    """

    classes: tuple[type, ...]
    is_direct: bool
    conflict: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        for cls in self.classes:
            if name in vars(cls):
                return vars(cls)[name]
        return default

    def has(self, name: str) -> bool:
        return any(name in vars(cls) for cls in self.classes)

    def own_names(self) -> Iterator[str]:
        for cls in self.classes:
            yield from (name for name in vars(cls) if not name.startswith("_"))

    def with_prefix(self, prefix: str) -> dict[str, Any]:
        names = {name for name in self.own_names() if name.startswith(prefix)}
        return {name.removeprefix(prefix): self.get(name) for name in names}

    def nearest(self, groups: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]] | None:
        """Return those groups of names of which the nearest class has one; None when no class has any."""
        for cls in self.classes:
            found = [group for group in groups if any(_declares(cls, name) for name in group)]
            if found:
                return found
        return None


def find_scope(cls: type, base: type) -> Scope | None:
    """Return where `cls` declares its input and output, None when it does not. `base` itself declares nothing."""
    own = tuple(each for each in cls.__mro__ if each not in base.__mro__)
    for each in own:
        inner = vars(each).get(_INNER)
        direct = next((name for name in _DECLARING if _declares(each, name)), "")
        if isinstance(inner, type):
            return Scope(tuple(part for part in inner.__mro__ if part is not object), False, direct)
        if direct:
            return Scope(own, True)
    return None


def _declares(cls: type, name: str) -> bool:
    """Services may have methods, properties and empty dictionaries called `input` or `output`; these declare nothing."""
    value = vars(cls).get(name)
    if isinstance(value, type | ForceType) or model_of_list(value) is not None:
        return True
    if not value:
        return False
    return not (callable(value) or isinstance(value, property | classmethod | staticmethod) or hasattr(value, "__get__"))
