"""`self.outgoing`, or `self.out`, and `self.email`: how services get at their connections."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from zato.server.connections.pool import ConnectionPool
from zato.server.connections.types import connection_types


class ByName:
    """Connections of one kind: `self.out.rest["crm"].conn`, or `.get("crm").conn`."""

    def __init__(self, kind: str, current: Callable[[], ConnectionPool]) -> None:
        self._kind = kind
        self._current = current

    def __getitem__(self, name: str) -> Any:
        return self._current().get(self._kind, name)

    def get(self, name: str, enforce_is_active: bool = True) -> Any:
        """
        Args:
            enforce_is_active: Taken since services pass it; one that is switched off is never handed out.

        Raises:
            NotFound: There is no such connection.
            Conflict: It is switched off.
        """
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._current().names(self._kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().names(self._kind))


class Group:
    """Types of connections that belong together: `self.out`, or `self.email`."""

    def __init__(self, name: str, types: Mapping[str, Any]) -> None:
        self._name = name
        self._types = types

    def __getattr__(self, name: str) -> Any:
        try:
            return self._types[name]
        except KeyError:
            there_are = ", ".join(sorted(self._types)) or "nothing"
            raise AttributeError(f"There is no {self._name}.{name}; there are: {there_are}") from None


class Outgoing(Group):
    """
    Args:
        current: Returns the connections of the configuration that runs now.
        senders: What sends through connectors, by its name here: "amqp" for `self.out.amqp.send(...)`.
    """

    def __init__(self, current: Callable[[], ConnectionPool], senders: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._groups: dict[str, dict[str, ByName]] = {"out": {}}
        for kind, connection_type in connection_types().items():
            for path in connection_type.reached_by:
                group, _, name = path.partition(".")
                self._groups.setdefault(group, {})[name] = ByName(kind, current)
        super().__init__("out", {**self._groups["out"], **senders})

    @cached_property
    def email(self) -> Group:
        return Group("email", self._groups.get("email", {}))
