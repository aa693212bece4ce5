"""The live connections of one configuration version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.common.errors import Conflict, NotFound, Unavailable
from zato.common.logs import get_logger
from zato.server.connections.failures import Health
from zato.server.connections.types import connection_types
from zato.server.control.state import Configuration
from zato.server.security.definitions import OUTGOING_KINDS, SECURITY_KINDS

log = get_logger(__name__)

_Key = tuple[str, str]
_DEFINITIONS = frozenset((*SECURITY_KINDS, *OUTGOING_KINDS))
_SEE_LOG = "see connection_not_made in the log"


@dataclass(frozen=True, slots=True)
class _Live:
    object_id: int
    version: int
    reference_versions: tuple[int, ...]
    connection: Any


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """Connections by kind and name. A change of an object makes a new connection; all others are carried over."""

    _live: Mapping[_Key, _Live] = field(default_factory=dict)
    _inactive: frozenset[_Key] = frozenset()
    # Those that could not be made, and why. What a library said of our set-up is in the log alone: a client may see this.
    _broken: Mapping[_Key, str] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Any:
        """
        Raises:
            NotFound: There is no such connection.
            Conflict: There is one, but it is switched off.
            Unavailable: It could not be made as it is configured.
        """
        live = self._live.get((kind, name))
        if live is not None:
            return live.connection
        if (kind, name) in self._inactive:
            raise Conflict(f"Connection '{name}' ({kind}) is inactive: switch it on to use it", name=name)
        if (kind, name) in self._broken:
            raise Unavailable(f"Connection '{name}' ({kind}) could not be made: {self._broken[kind, name]}", name=name)
        raise NotFound(f"There is no connection '{name}' ({kind}): check the name, or create it", name=name)

    def names(self, kind: str) -> list[str]:
        return sorted(name for live_kind, name in self._live if live_kind == kind)

    def health(self) -> Iterator[tuple[int, int, Health]]:
        """Yield the object's id, its version and how it fares, of each connection that has been used."""
        for live in self._live.values():
            if (health := getattr(live.connection, "health", None)) is not None:
                yield live.object_id, live.version, health

    def follow(self, configuration: Configuration) -> "ConnectionPool":
        """Return the connections of `configuration`; those that have not changed are the same ones."""
        live: dict[_Key, _Live] = {}
        inactive: set[_Key] = set()
        broken: dict[_Key, str] = {}
        versions_of = _versions_by_name(configuration)
        for kind, connection_type in connection_types().items():
            for each in configuration.of_kind(kind):
                if not each.is_active:
                    inactive.add((kind, each.name))
                    continue
                versions = versions_of.get(getattr(each.options, "security", ""), ())
                old = self._live.get((kind, each.name))
                if old is not None and (old.version, old.reference_versions) == (each.version, versions):
                    live[kind, each.name] = old
                    continue
                try:
                    live[kind, each.name] = _Live(each.id, each.version, versions, connection_type.connect(each, configuration))
                except Exception as exc:
                    # One that can't be made must not keep the rest of the configuration from being used.
                    log.exception("connection_not_made", kind=kind, name=each.name)
                    broken[kind, each.name] = exc.message if isinstance(exc, Unavailable) else _SEE_LOG
        return ConnectionPool(live, frozenset(inactive), broken)

    def close_all_but(self, others: "ConnectionPool") -> None:
        """Close what `others`, the newer pool, has not carried over."""
        kept = {id(live.connection) for live in others._live.values()}
        for (kind, name), live in self._live.items():
            if id(live.connection) not in kept:
                try:
                    live.connection.close()
                except Exception:
                    log.exception("connection_close_failed", kind=kind, name=name)


def _versions_by_name(configuration: Configuration) -> Mapping[str, tuple[int, ...]]:
    """A connection is made of its own options and of its security definition's: a change of either makes it anew."""
    versions: dict[str, tuple[int, ...]] = {}
    for each in configuration.objects.values():
        if each.kind in _DEFINITIONS:
            versions[each.name] = (*versions.get(each.name, ()), each.version)
    return versions
