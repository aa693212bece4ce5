"""The databases: their drivers, how these are told our limits, and how they wait without stopping a worker."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from zato.server.connections.deadline import within
from zato.server.connections.extras import need
from zato.server.connections.sql.options import OutgoingSQLOptions, extra_options
from zato.server.connections.sql.sqlite_threads import connection_class

# Databases end a statement by themselves after its time; we give up this much later, when they can't even do that.
_GRACE_S = 5.0
_SQLITE_BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Driver:
    """
    Args:
        name: What SQLAlchemy calls it.
        module, extra: What it needs, and what installs that.
        arguments: Returns what the driver's `connect` takes beside the address.
        set_up: Adds to a new engine what its connections need.
    """

    name: str
    ping_query: str
    arguments: Callable[[OutgoingSQLOptions], Mapping[str, Any]]
    set_up: Callable[[Engine, OutgoingSQLOptions], None]
    module: str = ""
    extra: str = ""


def make_engine(options: OutgoingSQLOptions) -> Engine:
    """
    Raises:
        Unavailable: The driver is not installed.
    """
    driver = DRIVERS[options.engine]
    if driver.module:
        need(driver.module, driver.extra)
    for_engine, for_driver = extra_options(options.extra)
    engine = sqlalchemy.create_engine(
        _url(driver, options, for_driver),
        connect_args=driver.arguments(options),
        **{"pool_size": options.pool_size, "pool_timeout": 5.0, "pool_pre_ping": options.engine != "sqlite", **for_engine},
    )
    if options.engine != "sqlite":
        _limit_connecting(engine, options.connect_timeout_s)
    driver.set_up(engine, options)
    return engine


def _limit_connecting(engine: Engine, seconds: float) -> None:
    """Drivers limit how long they wait for a socket, yet not for a database that then says nothing."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
        with within(seconds, lambda: dialect.loaded_dbapi.OperationalError("timeout expired")):
            return dialect.connect(*arguments, **parameters)


def _url(driver: Driver, options: OutgoingSQLOptions, query: dict[str, str]) -> URL:
    is_oracle = options.engine == "oracle"
    return URL.create(
        driver.name,
        username=options.username or None,
        password=options.password or None,
        host=options.host or None,
        port=options.port or None,
        database=None if is_oracle else options.db_name,
        query={**query, "service_name": options.db_name} if is_oracle else query,
    )


def _postgresql_arguments(options: OutgoingSQLOptions) -> Mapping[str, Any]:
    # A database that is gone without a word is noticed while we wait for it.
    keepalives = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return {"connect_timeout": math.ceil(options.connect_timeout_s), "application_name": "zato-server", **keepalives}


def _set_up_postgresql(engine: Engine, options: OutgoingSQLOptions) -> None:
    """In a worker psycopg2 waits in gevent's loop (gevent_psycopg2), where libpq's own limits do not count."""
    import psycopg2

    if not options.statement_timeout_s:
        return

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        # Not inside a transaction, whose rollback would undo it.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", (int(options.statement_timeout_s * 1000),))
        connection.autocommit = False

    @event.listens_for(engine, "do_execute")
    def execute(cursor: Any, statement: Any, parameters: Any, _context: Any) -> bool:
        def expired() -> BaseException:
            # The answer may come yet, and would then be taken for that of the next statement.
            cursor.connection.close()
            return psycopg2.OperationalError("timeout expired")

        with within(options.statement_timeout_s + _GRACE_S, expired):
            cursor.execute(statement, parameters)
        return True


def _mysql_arguments(options: OutgoingSQLOptions) -> Mapping[str, Any]:
    longest = options.statement_timeout_s + _GRACE_S if options.statement_timeout_s else None
    return {"connect_timeout": options.connect_timeout_s, "read_timeout": longest, "write_timeout": longest}


def _set_up_mysql(engine: Engine, options: OutgoingSQLOptions) -> None:
    if not options.statement_timeout_s:
        return

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        seconds = options.statement_timeout_s
        is_mariadb = "mariadb" in connection.get_server_info().lower()
        name, value = ("max_statement_time", seconds) if is_mariadb else ("max_execution_time", int(seconds * 1000))
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {name} = {value}")


def _sqlite_arguments(options: OutgoingSQLOptions) -> Mapping[str, Any]:
    factory = connection_class(options.statement_timeout_s)
    return {"timeout": _SQLITE_BUSY_S, "check_same_thread": False, "factory": factory}


def _oracle_arguments(options: OutgoingSQLOptions) -> Mapping[str, Any]:
    return {"tcp_connect_timeout": options.connect_timeout_s, "retry_count": 0}


def _set_up_oracle(engine: Engine, options: OutgoingSQLOptions) -> None:
    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        connection.call_timeout = int(options.statement_timeout_s * 1000)


def _set_up_nothing(_engine: Engine, _options: OutgoingSQLOptions) -> None:
    pass


DRIVERS: Mapping[str, Driver] = {
    "postgresql": Driver("postgresql+psycopg2", "SELECT 1", _postgresql_arguments, _set_up_postgresql),
    "mysql": Driver("mysql+pymysql", "SELECT 1", _mysql_arguments, _set_up_mysql, "pymysql", "mysql"),
    "sqlite": Driver("sqlite", "SELECT 1", _sqlite_arguments, _set_up_nothing),
    # Its thin mode is Python and uses Python's sockets, so that it waits in gevent's loop.
    "oracle": Driver("oracle+oracledb", "SELECT 1 FROM dual", _oracle_arguments, _set_up_oracle, "oracledb", "oracle"),
}

REFUSED = "refused"
# What drivers say, of which exceptions of their own have no code while a connection is being made.
MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"password authentication failed|no password supplied|role .* does not exist|access denied|ORA-01017", REFUSED),
        (r"QueuePool limit", "all of its connections are in use"),
        (r"could not translate host name|name or service not known|nodename nor servname", "its host name is not known"),
        (r"connection refused", "nobody listens there"),
        (r"timeout expired|timed out|statement timeout|max_statement_time|interrupted|DPY-4024", "it did not answer in time"),
        (r"database .* does not exist|unknown database|ORA-12514", "it has no such database"),
        (r"certificate|SSL|TLS", "no TLS session could be made with it"),
        (r"unable to open database file", "its file cannot be opened"),
        (r"database is locked", "its file stayed locked"),
        (r"not a database", "its file is no SQLite database"),
        (r"server closed the connection|lost connection|connection reset|gone away|DPY-4011", "it closed the connection"),
    )
)
