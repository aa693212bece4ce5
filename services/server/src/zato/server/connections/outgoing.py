"""`self.outgoing`, or `self.out`: how services get at their connections."""

from collections.abc import Callable, Iterator
from typing import Any

from zato.server.connections.pool import ConnectionPool


class ByName:
    """Connections of one kind: `self.out.rest["crm"].conn`, or `.get("crm").conn`."""

    def __init__(self, kind: str, current: Callable[[], ConnectionPool]) -> None:
        self._kind = kind
        self._current = current

    def __getitem__(self, name: str) -> Any:
        return self._current().get(self._kind, name)

    def get(self, name: str) -> Any:
        """Raises NotFound, or Conflict when the connection is inactive."""
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().names(self._kind))


class Outgoing:
    """
    Args:
        current: Returns the connections of the configuration that runs now.
    """

    def __init__(self, current: Callable[[], ConnectionPool]) -> None:
        self.rest = self.plain_http = ByName("outgoing-http", current)
        self.sql = ByName("outgoing-sql", current)
