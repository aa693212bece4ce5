"""Which services there are. An entry is replaced whole, so a call runs with the old class or the new one, never with both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zato.common.errors import NotFound
from zato.server.services.simpleio.binding import ServiceIO

if TYPE_CHECKING:
    from zato.server.service import Service

INTERNAL_PREFIX = "zato."


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """
    Args:
        impl_name: "module.ClassName".
        file_name: Where it was deployed from, "" for the platform's own.
        version: Version of that file.
        verbs: HTTP methods that the class has a `handle_<VERB>` for; empty when it has one `handle` for all.
        io: Reads the input and makes the output that the class declares; None when it declares nothing.
    """

    name: str
    impl_name: str
    cls: type["Service"]
    file_name: str = ""
    version: int = 0
    verbs: frozenset[str] = frozenset()
    io: ServiceIO | None = None

    @property
    def is_internal(self) -> bool:
        return self.name.startswith(INTERNAL_PREFIX)


class ServiceStore:
    def __init__(self) -> None:
        self._internal: Mapping[str, ServiceEntry] = {}
        self._deployed: Mapping[str, ServiceEntry] = {}
        self._by_name: Mapping[str, ServiceEntry] = {}

    def get(self, name: str) -> ServiceEntry:
        """Raises NotFound when no such service is deployed."""
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound(
                f"There is no service '{name}': deploy the file that has it, or check the name", service=name
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def entries(self) -> list[ServiceEntry]:
        return sorted(self._by_name.values(), key=lambda entry: entry.name)

    def replace_deployed(self, entries: Iterable[ServiceEntry]) -> None:
        """Make `entries` all the services of users that there are: in one assignment."""
        self._deployed = {entry.name: entry for entry in entries}
        self._by_name = {**self._deployed, **self._internal}

    def replace_internal(self, entries: Iterable[ServiceEntry]) -> None:
        """The same for the platform's own."""
        self._internal = {entry.name: entry for entry in entries}
        self._by_name = {**self._deployed, **self._internal}
