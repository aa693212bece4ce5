"""Opening the ODB, and transactions in it."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from zato.common.errors import InvalidOptions, Unavailable
from zato.server.odb.limits import Limits
from zato.server.odb.patience import patience

_RETRY_AFTER_S = 2
# Who hangs in the middle of a transaction, or whose network is gone, holds its locks no longer than so many times the
# time that it may wait: PostgreSQL ends it.
_IDLE_FACTOR = 2


class ODBUnavailable(Unavailable):
    """The database can't be used now."""


class Database:
    """
    Args:
        url: "postgresql://user:password@host:port/name" or "sqlite:////absolute/path.db".
    """

    def __init__(self, url: str, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        self._limits = limits
        self.engine = _create_engine(url, limits)
        self._is_postgresql = self.engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """
        A session whose changes are committed together at the end, or not at all.

        Raises:
            ODBUnavailable: The database can't be reached, stayed locked, or was too slow. Nothing was changed, unless the
                error says that this is not known: then its commit was on its way.
        """
        doubt = _Doubt()
        with (
            _mapped_errors(self.engine, doubt),
            patience(self._limits.timeout_s) as left,
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            self._bound(session)
            yield session
            session.flush()
            # Once it is sent, giving up would only mean not to know.
            left.renew()
            doubt.is_committing = self._is_postgresql

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database throughout. Raises as `transaction` does."""
        engine = self.engine.execution_options(sqlite_begin="BEGIN")
        if self._is_postgresql:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with (
            _mapped_errors(engine),
            patience(self._limits.timeout_s),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            self._bound(session)
            yield session

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """
        A transaction for changes of the schema, which take as long as they take.

        Raises:
            ODBUnavailable: It could not begin: nobody answers, or somebody else migrates.
        """
        with ExitStack() as stack:
            # What goes wrong later is wrong in the migration.
            with _mapped_errors(self.engine):
                connection = stack.enter_context(self.engine.connect())
                stack.enter_context(connection.begin())
            yield connection

    def session(self) -> Session:
        """A session that its user commits and closes."""
        return Session(self.engine, expire_on_commit=False)

    def ping(self) -> None:
        with self.reading() as session:
            session.execute(sqlalchemy.text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()

    def _bound(self, session: Session) -> None:
        """
        PostgreSQL too gives up what nobody waits for any more, and lets go of its locks.

        For this transaction only: sessions of users' services and migrations take as long as they like.
        """
        limits = self._limits
        if self._is_postgresql and limits.timeout_s:
            set_time_outs(
                session,
                statement_timeout=limits.timeout_s,
                lock_timeout=limits.lock_timeout_s,
                idle_in_transaction_session_timeout=limits.timeout_s * _IDLE_FACTOR,
            )


def set_time_outs(session: Session, **seconds: float) -> None:
    """Set some of PostgreSQL's time-outs, by their names there, for the rest of this transaction. One round trip."""
    statements = [f"SET LOCAL {name} = {int(value * 1000)}" for name, value in seconds.items()]
    session.connection().exec_driver_sql("; ".join(statements))


@dataclass(slots=True)
class _Doubt:
    """Whether an error may have come after the change was made."""

    is_committing: bool = False


@contextmanager
def _mapped_errors(engine: Engine, doubt: _Doubt | None = None) -> Iterator[None]:
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as exc:
        if not _is_outage(exc):
            raise
        reason = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        if doubt is not None and doubt.is_committing and getattr(exc, "connection_invalidated", False):
            message = f"lost the commit of a change, which may have been made or not: {reason}"
            public = "The server lost its database while it made the change: look whether it was made before you try again"
        else:
            message = f"cannot be used now: {reason}"
            public = "The server cannot use its database now: try again in a moment"
        raise ODBUnavailable(
            f"The ODB at {engine.url.render_as_string()} {message}", public=public, retry_after_s=_RETRY_AFTER_S
        ) from exc


def _is_outage(exc: sqlalchemy.exc.SQLAlchemyError) -> bool:
    """Whether it says nothing about the statement. What psycopg2 raises when a connection breaks under it has several types."""
    if isinstance(exc, sqlalchemy.exc.DBAPIError) and exc.connection_invalidated:
        return True
    return isinstance(exc, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError | sqlalchemy.exc.TimeoutError)


def _create_engine(url: str, limits: Limits) -> Engine:
    try:
        parsed = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError as exc:
        raise InvalidOptions("'odb_url' takes a URL such as postgresql://user@host/zato or sqlite:////path/odb.db") from exc
    if parsed.get_backend_name() == "sqlite":
        # Whoever closes a file's last connection writes all that is in its log into it, which takes longer than anything
        # else that we do: some stay open.
        engine = sqlalchemy.create_engine(
            parsed, poolclass=QueuePool, pool_size=2, max_overflow=-1, connect_args={"timeout": limits.lock_timeout_s}
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        engine = sqlalchemy.create_engine(
            parsed.set(drivername="postgresql+psycopg2"),
            poolclass=QueuePool,
            pool_size=limits.pool_size,
            max_overflow=limits.pool_overflow,
            pool_timeout=limits.connect_timeout_s,
            pool_pre_ping=True,
            connect_args={"connect_timeout": max(2, round(limits.connect_timeout_s)), "application_name": "zato-server"},
        )
        event.listen(engine, "do_connect", _make_connect(limits))
        return engine
    raise InvalidOptions(f"'odb_url': {parsed.get_backend_name()} is not supported, only postgresql and sqlite")


def _make_connect(limits: Limits) -> Callable[..., Any]:
    def connect(dialect: Any, _record: object, args: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
        parameters |= _resolved(dialect, parameters)
        # libpq has a time-out of its own, and forgets it when somebody else waits for it (gevent_psycopg2).
        with patience(limits.connect_timeout_s):
            return dialect.connect(*args, **parameters)

    return connect


def _resolved(dialect: Any, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Look the host's name up ourselves: libpq asks the resolver in a way that stops a whole worker until it answers."""
    host = str(parameters.get("host") or "")
    if not host or "," in host or host.startswith(("/", "@")) or "hostaddr" in parameters:
        return {}
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise dialect.dbapi.OperationalError(f"could not look up the host {host}: {exc.strerror}") from exc
    addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    # The name is kept for each, since certificates are checked against it.
    return {"hostaddr": ",".join(addresses), "host": ",".join([host] * len(addresses))}


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by us, since the module's own begin takes the write lock too late: two writers that both
    # have read would then fail at once instead of waiting for each other.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))
