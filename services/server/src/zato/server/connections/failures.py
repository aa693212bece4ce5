"""
What went wrong between us and another system, in our own words.

A library's words name addresses, users and sometimes secrets, and an error may end up with a client: they go to the log.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Self

from zato.common.errors import DeadlineExceeded, Unavailable, ZatoError
from zato.common.logs import get_logger

log = get_logger(__name__)

# The first that fits counts, so the exact ones come before their bases.
_REASONS: Mapping[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "its certificate is not trusted",
    ssl.SSLError: "no TLS session could be made with it",
    socket.gaierror: "its host name is not known",
    TimeoutError: "it did not answer in time",
    ConnectionRefusedError: "nobody listens there",
    ConnectionError: "it closed the connection",
    EOFError: "it closed the connection",
    OSError: "it cannot be reached",
}
_UNKNOWN = "it cannot be used now"
# Services put tokens and names of people into queries.
_QUERY = re.compile(r"\?[^\s'\")]+")
# Takes an exception of the type's library and returns what it means, or None when others know better.
Explain = Callable[[BaseException], ZatoError | str | None]


class CredentialsRefused(Unavailable):
    """The other side does not accept who we say we are. Whoever called us can't help it, so it is no 401."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the last use of a connection went; `error` is in our own words."""

    is_connected: bool
    error: str = ""


_WELL = Health(True)


class Named:
    """
    What all connections have: their kind and name, errors that carry these, and `conn`, which is the connection itself,
    since services of all releases write `self.out.rest["crm"].conn`.
    """

    kind: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name
        # Unknown until it is used: nobody is called only to see whether they answer.
        self.health: Health | None = None

    @property
    def conn(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.name}'>"

    def explain(self, _exc: BaseException) -> ZatoError | str | None:
        """Overridden where the type's library has exceptions of its own that mean something."""
        return None

    def failed(self, exc: BaseException) -> ZatoError:
        """Log the exception and return the error to raise instead, e.g. `raise self.failed(exc) from exc`."""
        text = _QUERY.sub("?…", f"{type(exc).__name__}: {exc}")[:500]
        log.warning("connection_failed", kind=self.kind, name=self.name, error=text)
        error = explained(self.name, exc, self.explain)
        self.note(error)
        return error

    def note(self, error: ZatoError | None = None) -> None:
        """Keep how it went. An answer that says no is an answer: only those who can't be reached or used are not well."""
        self.health = Health(False, error.message) if isinstance(error, Unavailable | DeadlineExceeded) else _WELL

    @contextmanager
    def errors_explained(self, *libraries: type[BaseException]) -> Iterator[None]:
        """Turn exceptions of the library, and of sockets, into ours."""
        foreign: tuple[type[BaseException], ...] = (*libraries, OSError, EOFError)
        try:
            yield
            self.note()
        except ZatoError as error:
            self.note(error)
            raise
        except foreign as exc:
            raise self.failed(exc) from exc


def explained(name: str, exc: BaseException, explain: Explain) -> ZatoError:
    """Return the error that stands for `exc`, by what it or one of its causes is."""
    causes = list(_causes(exc))
    known = next(filter(None, map(explain, causes)), None)
    if isinstance(known, ZatoError):
        return known
    reasons = (words for kind, words in _REASONS.items() if any(isinstance(each, kind) for each in causes))
    reason = known or next(reasons, _UNKNOWN)
    error = DeadlineExceeded if reason == _REASONS[TimeoutError] else Unavailable
    return error(f"Connection '{name}' failed: {reason}")


def timed_out(name: str) -> DeadlineExceeded:
    return DeadlineExceeded(f"Connection '{name}' failed: {_REASONS[TimeoutError]}")


def credentials_refused(name: str) -> CredentialsRefused:
    return CredentialsRefused(f"Connection '{name}' failed: its credentials were refused")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what is behind it: libraries keep that as the cause, the context, or in one of these attributes."""
    waiting, seen = [exc], set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        behind = [getattr(each, "orig", None), getattr(each, "reason", None), *each.args, each.__cause__, each.__context__]
        waiting += [one for one in behind if isinstance(one, BaseException)]
