"""What installed packages bring along, by entry point. A broken package is reported and never breaks the others."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any


@dataclass(frozen=True)
class Found:
    """`version` is the one of the package that brought the value."""

    name: str
    value: Any
    version: str


@dataclass(frozen=True)
class Broken:
    group: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"'{self.name}' brings {self.group} that cannot be loaded ({self.reason}). Reinstall zato-{self.name}"


def load_group(group: str) -> tuple[tuple[Found, ...], tuple[Broken, ...]]:
    """Return what could be loaded and what could not, in the order of names. Of one name the first on the path comes first."""
    found, broken = [], []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            value = entry.load()
        except Exception as exc:  # someone else's package: whatever it raises concerns its own commands only
            broken.append(Broken(group, entry.name, f"{type(exc).__name__}: {exc}"))
        else:
            found.append(Found(entry.name, value, entry.dist.version if entry.dist else ""))
    return tuple(found), tuple(broken)
