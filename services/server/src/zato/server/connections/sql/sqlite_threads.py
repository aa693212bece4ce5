"""SQLite without stopping a worker: its calls wait in the operating system, so they are made in gevent's threads."""

import sqlite3
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import gevent

T = TypeVar("T")


class ThreadedCursor(sqlite3.Cursor):
    """Rows are made as they are fetched, so fetching runs in a thread too."""

    connection: "ThreadedConnection"

    def execute(self, *args: Any) -> "ThreadedCursor":
        return self.connection.in_thread(super().execute, *args)

    def executemany(self, *args: Any) -> "ThreadedCursor":
        return self.connection.in_thread(super().executemany, *args)

    def fetchone(self) -> Any:
        return self.connection.in_thread(super().fetchone)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return self.connection.in_thread(super().fetchmany, size if size is not None else self.arraysize)

    def fetchall(self) -> list[Any]:
        return self.connection.in_thread(super().fetchall)


class ThreadedConnection(sqlite3.Connection):
    """
    Attributes:
        statement_timeout_s: A call that takes longer is interrupted; 0 for any time.
    """

    statement_timeout_s: ClassVar[float] = 0.0

    def cursor(self, factory: Any = ThreadedCursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        self.in_thread(super().commit)

    def rollback(self) -> None:
        self.in_thread(super().rollback)

    def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        hub = gevent.get_hub()
        timer = hub.loop.timer(self.statement_timeout_s) if self.statement_timeout_s else None
        if timer is not None:
            timer.start(self.interrupt)
        try:
            result: T = hub.threadpool.apply(function, args)
            return result
        except sqlite3.Error:
            raise
        except BaseException:
            # The greenlet was told to give up: the thread must not go on working with what others use next.
            self.interrupt()
            raise
        finally:
            if timer is not None:
                timer.stop()
                timer.close()


def connection_class(statement_timeout_s: float) -> type[ThreadedConnection]:
    return type("ThreadedConnection", (ThreadedConnection,), {"statement_timeout_s": statement_timeout_s})
