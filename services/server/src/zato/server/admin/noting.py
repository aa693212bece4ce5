"""
What admin services write into the audit log beside the changes of the configuration, which write themselves: attempts
that came to nothing, and changes outside the ODB.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.server.control.audit_chain import BEGUN, FAILED, REFUSED
from zato.server.control.changes import Author, audit
from zato.server.odb.database import Database, ODBUnavailable

if TYPE_CHECKING:
    from zato.server.admin.actions import Run
    from zato.server.admin.services import Admin

log = get_logger(__name__)

# What an admin service is called that only looks: its attempts are no news.
_LOOKS = ("get", "has", "is", "list", "ping", "plan", "export", "translate", "verify", "validate", "search", "describe", "diff")
_MAX_CHARACTERS = 2000
_SERVER_ERROR = 500


def only_looks(service: str) -> bool:
    """Whether a service, e.g. "zato.cache.get-list", changes nothing."""
    last = service.rpartition(".")[2]
    return any(last == word or last.startswith(f"{word}-") for word in _LOOKS)


@contextmanager
def attempts_noted(database: Database, service: str, values: Mapping[str, Any], author: Author) -> Iterator[None]:
    """
    Write down that a change was refused, or failed, with the reason.

    What was given is not kept: somebody may have put a password where none belongs.
    """
    try:
        yield
    except ODBUnavailable as exc:
        # Nor can the log be written, and whoever asked need not wait for that too.
        if not only_looks(service):
            log.error("attempt_not_audited", service=service, actor=author.name, reason=exc.message)
        raise
    except Exception as exc:
        if not only_looks(service):
            note_attempt(database, service, values, author, exc)
        raise


def note_attempt(database: Database, service: str, values: Mapping[str, Any], author: Author, exc: Exception) -> None:
    """Write down an attempt that came to nothing, for `service`, e.g. "zato.deployment.deploy"."""
    is_refused = isinstance(exc, ZatoError) and exc.http_status < _SERVER_ERROR
    details = exc.message if isinstance(exc, ZatoError) else type(exc).__name__
    try:
        with database.transaction() as session:
            audit(
                session,
                author,
                action_of(service),
                kind=kind_of(service),
                name=_name(values),
                result=REFUSED if is_refused else FAILED,
                details=details[:_MAX_CHARACTERS],
            )
    except Exception as also:
        # The attempt's own error is what the caller has to hear.
        log.error("attempt_not_audited", service=service, actor=author.name, reason=details, error=str(also))


def noted(action: "Run", *names: str) -> "Run":
    """
    Return an action that writes down what it is about to do, for what is changed outside the ODB: no transaction spans
    both, and nothing may be done that nobody could know of.

    Args:
        names: Which of the input may be kept.
    """

    def run(admin: "Admin", values: Mapping[str, Any], author: Author) -> Any:
        kept = {name: values[name] for name in names if values.get(name) is not None}
        with admin.database.transaction() as session:
            kind, what = kind_of(author.service), action_of(author.service)
            audit(session, author, what, kind=kind, name=_name(values), result=BEGUN, after=kept or None)
        return action(admin, values, author)

    return run


def action_of(service: str) -> str:
    return service.rpartition(".")[2][:100]


def kind_of(service: str) -> str:
    return service.removeprefix("zato.").rpartition(".")[0][:100]


def _name(values: Mapping[str, Any]) -> str:
    found = next(
        (values[key] for key in ("name", "payload_name", "queue", "key", "id") if isinstance(values.get(key), str | int)), ""
    )
    return "".join(each for each in str(found) if each.isprintable())[:200]
