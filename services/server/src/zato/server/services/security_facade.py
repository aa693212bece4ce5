"""`self.security`: the security definitions that a service may need to know: `self.security.basic_auth["crm"].username`."""

from collections.abc import Callable, Iterator
from typing import Any

from bunch import Bunch
from zato.common.errors import NotFound
from zato.common.options import option_values
from zato.server.control.state import ConfigObject, Configuration

_KINDS = {"basic_auth": "security-basic-auth", "bearer_token": "security-bearer-token"}


class NoDefinition(NotFound, KeyError):
    """There is no such definition; published services catch a KeyError."""

    __str__ = NotFound.__str__


class SecurityFacade:
    def __init__(self, current: Callable[[], Configuration]) -> None:
        self.basic_auth = Definitions(_KINDS["basic_auth"], current)
        self.bearer_token = Definitions(_KINDS["bearer_token"], current)


class Definitions:
    """
    The definitions of one kind, by name, each a Bunch of its options with `id`, `name` and `is_active`.

    Passwords are in it, for services that have to send them; one that is kept as a hash is that hash.
    """

    def __init__(self, kind: str, current: Callable[[], Configuration]) -> None:
        self._kind = kind
        self._current = current

    def __getitem__(self, name: str) -> Bunch:
        """Raises NoDefinition."""
        return self._first(lambda each: each.name == name, f"named '{name}'")

    def get_by_id(self, id: int) -> Bunch:
        """Raises NoDefinition."""
        return self._first(lambda each: each.id == id, f"with id {id}")

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except NoDefinition:
            return default

    def __contains__(self, name: object) -> bool:
        return any(each == name for each in self)

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._current().of_kind(self._kind))

    def _first(self, is_wanted: Callable[[ConfigObject], bool], what: str) -> Bunch:
        for each in self._current().of_kind(self._kind):
            if is_wanted(each):
                return Bunch({**option_values(each.options), "id": each.id, "name": each.name, "is_active": each.is_active})
        raise NoDefinition(f"There is no {self._kind} {what}")
