"""SQL databases: PostgreSQL, MariaDB, SQLite; Oracle as far as it goes without one."""

import gc
import os
import secrets
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from zato.common.errors import DeadlineExceeded, InvalidOptions, Unavailable
from zato.common.testing.postgresql_server import run_sql
from zato.common.testing.waiting import eventually
from zato.server.connections import sql
from zato.server.connections.failures import CredentialsRefused
from zato.server.contracts.connection_contract import (
    NAME,
    ConnectionContract,
    Meanwhile,
    NetworkConnectionContract,
    UnreachableContract,
    Values,
)
from zato.server.contracts.mariadb_server import MariaDBServer

OFFERS = [("O1", 10, None), ("O2", 20, 2.5)]


class Base(DeclarativeBase):
    pass


class Offer(Base):
    __tablename__ = "offers"

    offer_id: Mapped[str] = mapped_column(sqlalchemy.String(10), primary_key=True)
    days: Mapped[int]
    price: Mapped[float | None]


class SQLContract(ConnectionContract):
    """What services do with a session, the same for every database."""

    connection_type = sql.connection_type
    bad_options = [
        {"engine": "dbase"},
        {"db_name": ""},
        {"port": 70000},
        {"pool_size": 0},
        {"extra": "no equals sign"},
        {"extra": "pool_recycle=soon"},
        {"statement_timeout_s": -1},
    ]

    @pytest.fixture
    def filled(self, connection: Any) -> Any:
        with closing(connection.session()) as session:
            session.execute("DROP TABLE IF EXISTS offers")
            session.execute("CREATE TABLE offers (offer_id varchar(10) PRIMARY KEY, days int NOT NULL, price float)")
            for offer in OFFERS:
                values = dict(zip(("id", "days", "price"), offer, strict=True))
                session.execute("INSERT INTO offers VALUES (:id, :days, :price)", values)
            session.commit()
        return connection

    def test_rows_of_plain_text_are_mappings_tuples_and_objects(self, filled: Any) -> None:
        with closing(filled.session()) as session:
            rows = session.execute("SELECT offer_id, days, price FROM offers ORDER BY offer_id").fetchall()
        first, second = rows
        assert [dict(row.items()) for row in rows] == [dict(row) for row in rows]
        assert list(first.keys()) == ["offer_id", "days", "price"]
        assert list(second.values()) == ["O2", 20, 2.5]
        assert (second.offer_id, second["offer_id"], second[0], second[-1]) == ("O2", "O2", "O2", 2.5)
        assert ("days" in first, first.has_key("nothing"), first.get("nothing", 1), len(first)) == (True, False, 1, 3)
        name, days, price = second
        assert (name, days, price) == second == OFFERS[1]
        assert first != second
        assert dict(first._mapping) == {"offer_id": "O1", "days": 10, "price": None}
        with pytest.raises(KeyError):
            _ = first["nothing"]
        with pytest.raises(AttributeError):
            _ = first.nothing

    def test_a_result_is_read_in_every_way(self, filled: Any) -> None:
        query = "SELECT offer_id, days FROM offers ORDER BY offer_id"
        with closing(filled.session()) as session:
            assert [row.days for row in session.execute(query)] == [10, 20]
            assert session.execute(query).first()["offer_id"] == "O1"
            assert session.execute(query).fetchone().days == 10
            assert [row[0] for row in session.execute(query).fetchmany(1)] == ["O1"]
            assert session.execute(query).scalars().all() == ["O1", "O2"]
            assert session.execute("SELECT count(*) FROM offers").scalar() == 2
            assert session.scalar("SELECT max(days) FROM offers") == 20
            assert list(session.execute(query).keys()) == ["offer_id", "days"]
            assert session.execute("SELECT 1 FROM offers WHERE days > 99").first() is None
            assert session.execute("UPDATE offers SET days = 1").rowcount == 2

    def test_what_is_not_committed_is_undone(self, filled: Any) -> None:
        with closing(filled.session()) as session:
            session.execute("DELETE FROM offers")
        with filled.session() as session:
            assert session.execute("SELECT count(*) FROM offers").scalar() == 2

    @pytest.mark.filterwarnings("ignore::sqlalchemy.exc.LegacyAPIWarning")
    def test_the_orm_works(self, filled: Any) -> None:
        with closing(filled.session()) as session:
            session.add(Offer(offer_id="O3", days=5, price=None))
            session.commit()
            assert [offer.offer_id for offer in session.query(Offer).filter(Offer.days < 15).order_by(Offer.offer_id)] == [
                "O1",
                "O3",
            ]
            assert session.query(Offer).get("O2").price == 2.5
            assert session.query(Offer).filter_by(offer_id="nobody").first() is None
            assert session.query(Offer.offer_id, Offer.days).order_by(Offer.days).all() == [("O3", 5), ("O1", 10), ("O2", 20)]
            assert len(session.execute(sqlalchemy.select(Offer)).scalars().all()) == 3

    def test_parameters_are_no_sql(self, filled: Any) -> None:
        with closing(filled.session()) as session:
            query = "SELECT * FROM offers WHERE offer_id = :id"
            assert session.execute(query, {"id": "x' OR '1'='1"}).fetchall() == []

    def test_an_error_of_the_database_is_sqlalchemys_and_spoils_no_other_session(self, filled: Any) -> None:
        for _ in range(20):  # more than the pool has
            with closing(filled.session()) as session, pytest.raises(sqlalchemy.exc.SQLAlchemyError):
                session.execute("SELECT * FROM nothing")
        with closing(filled.session()) as session, pytest.raises(sqlalchemy.exc.IntegrityError):
            session.execute("INSERT INTO offers VALUES ('O1', 1, 1)")
        filled.ping()

    def test_a_ping_query_of_ones_own_is_asked(self, values: Values) -> None:
        with self.connected({**values, "ping_query": "SELECT * FROM nothing"}) as connection, pytest.raises(Unavailable):
            connection.ping()

    def test_an_option_that_the_driver_does_not_know_is_unavailable(self, values: Values) -> None:
        with self.connected({**values, "extra": "colour=blue"}) as connection, pytest.raises(Unavailable):
            connection.ping()

    def test_waiting_for_a_lock_stops_no_other_greenlet(self, values: Values, filled: Any) -> None:
        code = "connection.session().execute('UPDATE offers SET days = 7').rowcount"
        with self.lock(values) as lock:
            assert self.run_patched(values, code, meanwhile=lock) == "2"

    def lock(self, values: Values) -> "Lock":
        raise NotImplementedError


class Lock(Meanwhile):
    """A transaction that keeps everybody from the table."""

    def __init__(self, connection: Any, statement: str, end: str, is_awaited: Any) -> None:
        self._connection, self._end, self._is_awaited = connection, end, is_awaited
        self._cursor = connection.cursor()
        self._cursor.execute(statement)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._connection.close()

    def wait_until_used(self) -> None:
        eventually(self._is_awaited, what="the statement to wait for the lock", timeout_s=30)

    def release(self) -> None:
        self._cursor.execute(self._end)


class Freeze(Meanwhile):
    """Stops the process of PostgreSQL that runs a statement, until the test ends."""

    def __init__(self, url: str, statement: str) -> None:
        self._url, self._pid = url, 0
        self._query = f"SELECT pid FROM pg_stat_activity WHERE query LIKE '%{statement}%' AND pid <> pg_backend_pid()"

    def wait_until_used(self) -> None:
        self._pid = int(eventually(lambda: run_sql(self._url, self._query), what="the statement to run", timeout_s=30))
        os.kill(self._pid, signal.SIGSTOP)

    def __enter__(self) -> "Freeze":
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGCONT)


class TestPostgreSQL(SQLContract, NetworkConnectionContract):
    timeouts = ("connect_timeout_s",)
    # Servers for tests trust everybody from 127.0.0.1: who we are is what they can refuse.
    wrong_password = {"username": "nobody-of-that-name", "password": "a-wrong-one"}

    @pytest.fixture
    def values(self, postgresql_url: str) -> Values:
        url = urlsplit(postgresql_url)
        self.url = postgresql_url
        return {
            "engine": "postgresql",
            "host": url.hostname,
            "port": url.port,
            "db_name": url.path[1:],
            "username": url.username,
            "password": "not-asked-for",
        }

    def lock(self, values: Values) -> Lock:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        connection = psycopg2.connect(self.url)
        statement = "LOCK TABLE offers IN ACCESS EXCLUSIVE MODE"
        return Lock(connection, statement, "COMMIT", lambda: run_sql(self.url, waiting) != "0")

    def test_a_statement_that_takes_too_long_is_ended(self, values: Values) -> None:
        with self.connected({**values, "statement_timeout_s": 0.1}) as connection:
            with closing(connection.session()) as session, pytest.raises(sqlalchemy.exc.OperationalError, match="timeout"):
                session.execute("SELECT pg_sleep(60)")
            connection.ping()

    def test_a_database_that_freezes_is_given_up(self, values: Values) -> None:
        """It can't end the statement itself then; other greenlets run meanwhile."""
        with Freeze(self.url, "pg_sleep(3600)") as freeze:
            code = "connection.session().execute('SELECT pg_sleep(3600)')"
            error = self.run_patched({**values, "statement_timeout_s": 3}, code, meanwhile=freeze)
        assert error.startswith("OperationalError: (psycopg2.OperationalError) timeout expired")

    def test_a_statement_without_a_limit_has_none(self, values: Values) -> None:
        with self.connected({**values, "statement_timeout_s": 0}) as connection, closing(connection.session()) as session:
            assert session.execute("SHOW statement_timeout").scalar() == "0"

    def test_it_works_again_after_the_database_dropped_it(self, values: Values, connection: Any) -> None:
        connection.ping()
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        run_sql(self.url, f"SELECT pg_terminate_backend(pid) {others}")
        connection.ping()

    def test_a_database_that_does_not_exist_is_said(self, values: Values) -> None:
        with (
            self.connected({**values, "db_name": "nothing"}) as connection,
            pytest.raises(Unavailable, match="no such database"),
        ):
            connection.ping()

    def test_options_of_the_driver_reach_it(self, values: Values) -> None:
        encrypted = {**values, "extra": "sslmode=require\npool_recycle=60"}
        with self.connected(encrypted) as connection, pytest.raises(Unavailable, match="TLS"):
            connection.ping()


class TestMariaDB(SQLContract, NetworkConnectionContract):
    timeouts = ("connect_timeout_s",)
    wrong_password = {"password": "a-wrong-one"}

    @pytest.fixture
    def values(self, mariadb: MariaDBServer) -> Iterator[Values]:
        self.server = mariadb
        name = f"test_{secrets.token_hex(4)}"
        mariadb.run(f"CREATE DATABASE {name}")
        yield {
            "engine": "mysql",
            "host": "127.0.0.1",
            "port": mariadb.port,
            "db_name": name,
            "username": "zato",
            "password": mariadb.password,
        }
        mariadb.run(f"DROP DATABASE {name}")

    def lock(self, values: Values) -> Lock:
        def is_awaited() -> bool:
            with self.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'")
                return bool(cursor.fetchall()[0][0])

        connection = self.server.connect(values["db_name"])
        return Lock(connection, "LOCK TABLES offers WRITE", "UNLOCK TABLES", is_awaited)

    def test_a_statement_that_takes_too_long_is_ended(self, values: Values) -> None:
        with self.connected({**values, "statement_timeout_s": 0.2}) as connection:
            with closing(connection.session()) as session, pytest.raises(sqlalchemy.exc.OperationalError, match="exceeded"):
                session.execute(
                    "SELECT 1 FROM information_schema.columns a, information_schema.columns b, information_schema.columns c"
                )
            connection.ping()

    def test_it_works_again_after_the_database_dropped_it(self, connection: Any) -> None:
        connection.ping()
        with closing(connection.session()) as session:
            ours = session.execute("SELECT connection_id()").scalar()
        self.server.run(f"KILL {ours}")
        connection.ping()

    def test_a_database_that_does_not_exist_is_said(self, values: Values) -> None:
        with (
            self.connected({**values, "db_name": "nothing"}) as connection,
            pytest.raises(Unavailable, match="no such database"),
        ):
            connection.ping()


class TestSQLite(SQLContract):
    test_a_wrong_password_is_refused_in_our_own_words = None

    @pytest.fixture
    def values(self, tmp_path: Path) -> Values:
        self.file = tmp_path / "it.db"
        return {"engine": "sqlite", "db_name": str(self.file)}

    def lock(self, values: Values) -> Lock:
        # Nobody can be asked whether someone waits for a file: its first answer comes after the statement was begun.
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
        return Lock(connection, "BEGIN EXCLUSIVE", "COMMIT", lambda: True)

    def test_a_database_in_memory_is_refused(self, values: Values) -> None:
        with pytest.raises(InvalidOptions, match="path of a file"), self.connected({**values, "db_name": ":memory:"}):
            pass

    def test_an_option_that_the_driver_does_not_know_is_unavailable(self, values: Values) -> None:
        """It has none at all, which is known without asking it."""
        with pytest.raises(InvalidOptions, match="'extra' takes"), self.connected({**values, "extra": "colour=blue"}):
            pass

    def test_a_file_that_cannot_be_opened_is_said(self, values: Values) -> None:
        elsewhere = {**values, "db_name": "/no/such/folder/it.db"}
        with self.connected(elsewhere) as connection, pytest.raises(Unavailable, match="cannot be opened") as failed:
            connection.ping()
        assert NAME in failed.value.message
        assert "/no/such" not in failed.value.message

    def test_a_file_that_is_no_database_is_said(self, values: Values) -> None:
        self.file.write_bytes(b"no database at all" * 100)
        query = {"ping_query": "SELECT * FROM sqlite_master"}
        with self.connected({**values, **query}) as connection, pytest.raises(Unavailable, match="no SQLite database"):
            connection.ping()

    def test_a_statement_that_takes_too_long_is_interrupted(self, values: Values) -> None:
        for_ever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        with self.connected({**values, "statement_timeout_s": 0.1, "ping_query": for_ever}) as connection:
            with pytest.raises(DeadlineExceeded):
                connection.ping()
            with closing(connection.session()) as session:
                assert session.execute("SELECT 1").scalar() == 1

    def test_threads_of_the_worker_do_not_meet_in_a_connection(self, filled: Any) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for _ in range(20):
                    with closing(filled.session()) as session:
                        session.execute("UPDATE offers SET days = :n", {"n": number})
                        session.commit()
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


# oracledb leaves sockets open on which a connection failed, until Python finds them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestOracle(UnreachableContract):
    """There is no Oracle to test with: how it fails is tested, what it answers is not."""

    connection_type = sql.connection_type
    timeouts = ("connect_timeout_s",)

    @pytest.fixture(autouse=True)
    def find_sockets(self) -> Iterator[None]:
        yield
        gc.collect()

    @pytest.fixture
    def values(self) -> Values:
        return {"engine": "oracle", "host": "127.0.0.1", "db_name": "XEPDB1", "username": "zato", "password": "the-secret"}


def test_more_sessions_than_the_pool_has_wait_and_then_fail(tmp_path: Path) -> None:
    contract = TestSQLite()
    values = {
        "engine": "sqlite",
        "db_name": str(tmp_path / "it.db"),
        "pool_size": 1,
        "extra": "max_overflow=0\npool_timeout=0.05",
    }
    with contract.connected(values) as connection, closing(connection.session()) as first:
        first.execute("SELECT 1")
        with closing(connection.session()) as second, pytest.raises(sqlalchemy.exc.TimeoutError):
            second.execute("SELECT 1")
        with pytest.raises(Unavailable, match="all of its connections are in use"):
            connection.ping()


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pymysql", None)
    values = {"engine": "mysql", "host": "127.0.0.1", "db_name": "x"}
    with pytest.raises(Unavailable, match=r"pip install 'zato-server\[mysql\]'"), TestMariaDB().connected(values):
        pass


def test_what_a_database_says_of_its_users_stays_in_the_log(postgresql_url: str) -> None:
    url = urlsplit(postgresql_url)
    values = {
        "engine": "postgresql",
        "host": url.hostname,
        "port": url.port,
        "db_name": url.path[1:],
        "username": "strange-user",
    }
    with TestPostgreSQL().connected(values) as connection, pytest.raises(CredentialsRefused) as refused:
        connection.ping()
    assert "strange-user" not in refused.value.message
