"""
What a part declares so that `zato create`, `start`, `stop` and `info` work for it: a `Part` behind the entry point
group `zato.parts`.

    PART = Part(
        name="scheduler",
        module="zato.scheduler",
        settings=SchedulerSettings,
        addresses=lambda settings: {"grpc": settings.grpc_address},
        is_ready=lambda settings: answers(settings.grpc_address),
    )
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zato.common.cli.entry_points import Broken, load_group
from zato.common.errors import NotFound


@dataclass(frozen=True)
class Part:
    """
    Args:
        name: e.g. "server" or "lb-agent".
        module: Started as `python -m <module> --folder PATH`; ends cleanly on SIGTERM.
        settings: An `@options` class. `zato create` makes its flags from it.
        addresses: Says where the part listens, e.g. {"http": "127.0.0.1:17010", "grpc": "127.0.0.1:17110"}.
        is_ready: Asks the running part whether it works. Called in a loop, so it answers or gives up within a second.
    """

    name: str
    module: str
    settings: type
    addresses: Callable[[Any], Mapping[str, str]]
    is_ready: Callable[[Any], bool]


class Parts:
    """The parts that are installed, by name."""

    def __init__(self, parts: Mapping[str, Part], versions: Mapping[str, str], broken: tuple[Broken, ...] = ()) -> None:
        self._parts = dict(parts)
        self._versions = dict(versions)
        self.broken = broken

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts.values())

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def get(self, name: str) -> Part:
        try:
            return self._parts[name]
        except KeyError:
            known = ", ".join(sorted(self._parts)) or "none"
            raise NotFound(
                f"The part '{name}' is not installed here; installed: {known}. Try: pip install zato-{name}"
            ) from None

    def version(self, name: str) -> str:
        return self._versions.get(name, "")


def load_parts() -> Parts:
    found, broken = load_group("zato.parts")
    parts: dict[str, Part] = {}
    versions: dict[str, str] = {}
    for entry in found:
        # The first on the path wins, as it does when modules are imported.
        if parts.setdefault(entry.value.name, entry.value) is entry.value:
            versions[entry.value.name] = entry.version
    return Parts(parts, versions, broken)
