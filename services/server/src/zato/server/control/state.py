"""What a worker runs with, as one immutable value that is replaced whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class ConfigObject:
    """One configured object; `options` is an instance of its kind's `@options` class, secrets decrypted."""

    id: int
    kind: str
    name: str
    is_active: bool
    version: int
    options: Any


@dataclass(frozen=True, slots=True)
class Configuration:
    """All objects at one version."""

    version: int = 0
    objects: Mapping[int, ConfigObject] = field(default_factory=dict)

    def of_kind(self, kind: str) -> Iterator[ConfigObject]:
        return (each for each in self.objects.values() if each.kind == kind)

    def find(self, kinds: tuple[str, ...], name: str) -> ConfigObject:
        """
        Return the object of that name, of one of `kinds`.

        Raises:
            NotFound: There is none.
        """
        for each in self.objects.values():
            if each.name == name and each.kind in kinds:
                return each
        raise NotFound(f"There is no {' or '.join(kinds)} named '{name}'", name=name)
