"""The client that services use: `with self.out.ldap["staff"].conn.get() as client: client.search(…)`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from zato.common.errors import ZatoError
from zato.server.connections.failures import Named, credentials_refused
from zato.server.connections.ldap.binding import Binder, NotLetIn, is_usable
from zato.server.connections.ldap.options import OutgoingLDAPOptions
from zato.server.control.state import ConfigObject, Configuration

if TYPE_CHECKING:
    import ldap3

_INVALID_CREDENTIALS = 49
Scope = Literal["BASE", "LEVEL", "SUBTREE"]


class LDAPConnection(Named):
    """Each use has a bound connection for itself: one that was kept, or a new one. Up to `pool_size` are kept afterwards."""

    kind = "outgoing-ldap"

    def __init__(self, name: str, options: OutgoingLDAPOptions) -> None:
        super().__init__(name)
        self._options = options
        self._binder = Binder(options)
        # Each with the time at which it was made.
        self._kept: list[tuple[ldap3.Connection, float]] = []
        self._is_closed = False

    @contextmanager
    def get(self) -> Iterator["ldap3.Connection"]:
        """
        A bound connection of ldap3's, whose results are its own: `client.search(…)`, `client.entries`, `client.result`.

        Raises:
            Unavailable: No server can be reached, or none lets us in; CredentialsRefused when it is for our credentials.
            DeadlineExceeded: There was no answer in time.
        """
        client, made_at = self._take()
        is_well = False
        try:
            with self.errors_explained(*self._binder.network_errors):
                yield client
            is_well = True
        finally:
            self._give_back(client, made_at, is_well=is_well)

    def search(
        self, base: str, filter: str, attributes: Sequence[str] = ("*",), scope: Scope = "SUBTREE"
    ) -> list[dict[str, Any]]:
        """
        Return what is found, e.g. [{"dn": "cn=jane,dc=example,dc=com", "attributes": {"mail": ["jane@example.com"]}}].

        Args:
            filter: e.g. "(mail=jane@example.com)"; put what comes from outside through `escape` first.
            scope: BASE, LEVEL or SUBTREE.
        """
        with self.get() as client:
            client.search(base, filter, search_scope=scope, attributes=list(attributes))
            found = [entry for entry in client.response or () if entry.get("type") == "searchResEntry"]
        return [{"dn": entry["dn"], "attributes": dict(entry["attributes"])} for entry in found]

    def escape(self, text: str) -> str:
        """Return `text` as it can be put into a filter without becoming a part of its syntax."""
        return self._binder.escape(text)

    def ping(self) -> None:
        """Binds anew, so that what has changed on the other side since is seen."""
        with self.errors_explained(*self._binder.errors):
            client = self._binder.bind()
            client.unbind()

    def close(self) -> None:
        self._is_closed = True
        kept, self._kept = self._kept, []
        for client, _ in kept:
            self._binder.end(client)

    def _take(self) -> tuple["ldap3.Connection", float]:
        while self._kept:
            client, made_at = self._kept.pop()
            if time.monotonic() - made_at < self._options.pool_lifetime and is_usable(client):
                return client, made_at
            self._binder.end(client)
        with self.errors_explained(*self._binder.errors):
            return self._binder.bind(), time.monotonic()

    def _give_back(self, client: "ldap3.Connection", made_at: float, *, is_well: bool) -> None:
        if is_well and not self._is_closed and not client.closed and len(self._kept) < self._options.pool_size:
            self._kept.append((client, made_at))
        else:
            self._binder.end(client)

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        if isinstance(exc, NotLetIn):
            is_known = exc.result == _INVALID_CREDENTIALS
            return credentials_refused(self.name) if is_known else "it does not let us in"
        return self._binder.meaning(exc)


def connect(config_object: ConfigObject, configuration: Configuration) -> LDAPConnection:
    return LDAPConnection(config_object.name, config_object.options)
