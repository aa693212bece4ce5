"""Which services there are. An entry is replaced whole, so a call runs with the old class or the new one, never with both."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zato.common.errors import NotFound
from zato.server.services.plans import Plan, make_plan
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
        check_input: Raises BadRequest for input that the service's JSON Schema refuses; None when it has no schema.
    """

    name: str
    impl_name: str
    cls: type["Service"]
    file_name: str = ""
    version: int = 0
    verbs: frozenset[str] = frozenset()
    io: ServiceIO | None = None
    check_input: Callable[[Any], None] | None = None
    plan: Plan = field(init=False, repr=False)
    # Runs nothing but the handler, with its input and output.
    is_plain: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plan = make_plan(self.cls)
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "is_plain", plan.is_plain and self.check_input is None)

    @property
    def id(self) -> int:
        """A number for the name, the same on all servers."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:6])

    @property
    def is_internal(self) -> bool:
        return self.name.startswith(INTERNAL_PREFIX)


class ServiceStore:
    def __init__(self) -> None:
        self._internal: Mapping[str, ServiceEntry] = {}
        self._deployed: Mapping[str, ServiceEntry] = {}
        self._by_name: Mapping[str, ServiceEntry] = {}

    def find(self, service: "str | type[Service]") -> ServiceEntry:
        """Return the entry of a name or of a class. Raises NotFound."""
        if isinstance(service, str):
            return self.get(service)
        # A class that was replaced meanwhile is still called as its successor is.
        return self._first(lambda entry: entry.cls is service) or self.get_by_impl_name(service.get_impl_name())

    def get_by_impl_name(self, impl_name: str) -> ServiceEntry:
        if entry := self._first(lambda entry: entry.impl_name == impl_name):
            return entry
        raise NotFound(f"There is no service '{impl_name}': deploy the file that has it", service=impl_name)

    def get_by_id(self, id: int | str) -> ServiceEntry:
        if entry := self._first(lambda entry: entry.id == int(id)):
            return entry
        raise NotFound(f"There is no service with the id {id}", service=id)

    def _first(self, is_wanted: Callable[[ServiceEntry], bool]) -> ServiceEntry | None:
        return next((entry for entry in self._by_name.values() if is_wanted(entry)), None)

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
