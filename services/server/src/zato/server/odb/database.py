"""Opening the ODB, and transactions in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from zato.common.errors import InvalidOptions, Unavailable

_SQLITE_BUSY_S = 5.0


class Database:
    """
    Args:
        url: "postgresql://user:password@host:port/name" or "sqlite:////absolute/path.db".
        pool_size: PostgreSQL connections of this process.
    """

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        self.engine = _create_engine(url, pool_size)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """
        A session whose changes are committed together at the end, or not at all.

        Raises:
            Unavailable: The database can't be reached, or stayed locked. Nothing was changed.
        """
        with _mapped_errors(self.engine), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database throughout. Raises as `transaction` does."""
        engine = self.engine.execution_options(sqlite_begin="BEGIN")
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with _mapped_errors(engine), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def session(self) -> Session:
        """A session that its user commits and closes."""
        return Session(self.engine, expire_on_commit=False)

    def ping(self) -> None:
        with self.reading() as session:
            session.execute(sqlalchemy.text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _mapped_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        raise Unavailable(
            f"The ODB at {engine.url.render_as_string()} cannot be used now: {reason}",
            public="The server cannot use its database now: try again in a moment",
        ) from exc


def _create_engine(url: str, pool_size: int) -> Engine:
    try:
        parsed = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError as exc:
        raise InvalidOptions("'odb_url' takes a URL such as postgresql://user@host/zato or sqlite:////path/odb.db") from exc
    if parsed.get_backend_name() == "sqlite":
        # Whoever closes a file's last connection writes all that is in its log into it, which takes longer than anything
        # else that we do: some stay open.
        engine = sqlalchemy.create_engine(
            parsed, poolclass=QueuePool, pool_size=2, max_overflow=-1, connect_args={"timeout": _SQLITE_BUSY_S}
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        return sqlalchemy.create_engine(
            parsed.set(drivername="postgresql+psycopg2"),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5.0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "application_name": "zato-server"},
        )
    raise InvalidOptions(f"'odb_url': {parsed.get_backend_name()} is not supported, only postgresql and sqlite")


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
