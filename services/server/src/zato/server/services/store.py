"""Which services there are. An entry is replaced whole, so a call runs with the old class or the new one, never with both."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zato.common.errors import NotFound
from zato.common.exception import Inactive
from zato.server.services.plans import Plan, make_plan
from zato.server.services.service_options import ServiceState
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
        is_active: False when it is switched off.
        slow_threshold_ms: What operators say instead of the class; None when they say nothing.
        sample_every: Every so many runs one is kept for a look; 0 for none.
    """

    name: str
    impl_name: str
    cls: type["Service"]
    file_name: str = ""
    version: int = 0
    verbs: frozenset[str] = frozenset()
    io: ServiceIO | None = None
    check_input: Callable[[Any], None] | None = None
    is_active: bool = True
    slow_threshold_ms: float | None = None
    sample_every: int = 0
    plan: Plan = field(init=False, repr=False)
    # Runs nothing but the handler, with its input and output.
    is_plain: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plan = make_plan(self.cls)
        if self.slow_threshold_ms is not None:
            plan = replace(plan, slow_threshold_ms=self.slow_threshold_ms)
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
        self._states: Mapping[str, ServiceState] = {}
        # All there are, and those of them that may be invoked: what is switched off costs the others nothing.
        self._known: Mapping[str, ServiceEntry] = {}
        self._by_name: Mapping[str, ServiceEntry] = {}

    def find(self, service: "str | type[Service]") -> ServiceEntry:
        """
        Return the entry of a name or of a class.

        Raises:
            NotFound: There is no such service.
            Inactive: There is one, but it is switched off.
        """
        if isinstance(service, str):
            return self.get(service)
        # A class that was replaced meanwhile is still called as its successor is.
        entry = self._first(lambda entry: entry.cls is service)
        return _active(entry) if entry else self.get_by_impl_name(service.get_impl_name())

    def get_by_impl_name(self, impl_name: str) -> ServiceEntry:
        if entry := self._first(lambda entry: entry.impl_name == impl_name):
            return _active(entry)
        raise NotFound(f"There is no service '{impl_name}': deploy the file that has it", service=impl_name)

    def get_by_id(self, id: int | str) -> ServiceEntry:
        return _active(self.known_by_id(id))

    def known(self, name: str) -> ServiceEntry:
        """Return the entry of a name, also of a service that is switched off. Raises NotFound."""
        if name in self._known:
            return self._known[name]
        raise _not_found(name)

    def known_by_id(self, id: int | str) -> ServiceEntry:
        if entry := self._first(lambda entry: entry.id == int(id)):
            return entry
        raise NotFound(f"There is no service with the id {id}", service=id)

    def _first(self, is_wanted: Callable[[ServiceEntry], bool]) -> ServiceEntry | None:
        return next((entry for entry in self._known.values() if is_wanted(entry)), None)

    def get(self, name: str) -> ServiceEntry:
        """Raises NotFound when no such service is deployed, Inactive when it is switched off."""
        try:
            return self._by_name[name]
        except KeyError:
            return _active(self.known(name))

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def entries(self) -> list[ServiceEntry]:
        """Return all entries by name, those that are switched off among them."""
        return sorted(self._known.values(), key=lambda entry: entry.name)

    def replace_deployed(self, entries: Iterable[ServiceEntry]) -> None:
        """Make `entries` all the services of users that there are: in one assignment."""
        self._deployed = {entry.name: entry for entry in entries}
        self._join()

    def replace_internal(self, entries: Iterable[ServiceEntry]) -> None:
        """The same for the platform's own."""
        self._internal = {entry.name: entry for entry in entries}
        self._join()

    def replace_states(self, states: Mapping[str, ServiceState]) -> None:
        """Say what operators want of which service; of the platform's own ones, by which they say so, they want nothing."""
        if states != self._states:
            self._states = dict(states)
            self._join()

    def _join(self) -> None:
        deployed = {name: self._in_state(entry) for name, entry in self._deployed.items()}
        self._known = {**deployed, **self._internal}
        self._by_name = {name: entry for name, entry in self._known.items() if entry.is_active}

    def _in_state(self, entry: ServiceEntry) -> ServiceEntry:
        state = self._states.get(entry.name)
        if state is None:
            return entry
        return replace(
            entry, is_active=state.is_active, slow_threshold_ms=state.slow_threshold_ms, sample_every=state.sample_every
        )


def _active(entry: ServiceEntry) -> ServiceEntry:
    if not entry.is_active:
        raise Inactive(f"Service '{entry.name}' is switched off", service=entry.name)
    return entry


def _not_found(name: str) -> NotFound:
    return NotFound(f"There is no service '{name}': deploy the file that has it, or check the name", service=name)
