"""What a type of outgoing connection is, and which types there are."""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import zato.server.connections
from zato.common.kinds import Kind
from zato.server.control.state import ConfigObject, Configuration


class Connection(Protocol):
    """What services reach a system through. Made when its object is configured, closed when that changes."""

    def ping(self) -> None:
        """Raise Unavailable, saying why, unless the other side answers."""

    def close(self) -> None:
        """Release everything. Called once nobody can start using it; may be called twice."""


class ConnectionFactory(Protocol):
    def __call__(self, config_object: ConfigObject, configuration: Configuration) -> Connection: ...


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """
    Args:
        kind: Its declaration.
        connect: Makes the connection; must not wait for the other side, which may be down.
        reached_by: Where services find it, e.g. ("out.sql",) for `self.out.sql["name"]`.
    """

    kind: Kind
    connect: ConnectionFactory
    reached_by: tuple[str, ...] = ()


def connect_by(module: str) -> ConnectionFactory:
    """
    Return a factory that is the `connect` of a module, imported when the first connection of the type is made.

    Client libraries are large, and most servers have connections of few types.
    """

    def connect(config_object: ConfigObject, configuration: Configuration) -> Connection:
        made: Connection = importlib.import_module(module).connect(config_object, configuration)
        return made

    return connect


@cache
def connection_types() -> dict[str, ConnectionType]:
    """Return all types by the name of their kind."""
    folders = (module for module in pkgutil.iter_modules(zato.server.connections.__path__) if module.ispkg)
    modules: list[Any] = [importlib.import_module(f"{zato.server.connections.__name__}.{module.name}") for module in folders]
    modules += [entry_point.load() for entry_point in entry_points(group="zato.connections")]
    found: list[ConnectionType] = [module.connection_type for module in modules]
    return {each.kind.name: each for each in found}
