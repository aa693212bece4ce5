"""
What the authority knows, in one SQLite file.

Files would need a protocol of their own so that a token is spent, a certificate recorded and the audit log continued
together or not at all, also when the machine goes down between two of them. A transaction is just that, `synchronous=FULL`
makes it last, and one process is the only writer.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from zato.ca.audit import AuditFile, next_entry
from zato.ca.errors import AuthorityRuns, StateNotUsable
from zato.common.clock import Clock

FILE = "authority.db"
_LOCK_FILE = "authority.lock"
_VERSION = 2
_TABLES = """
CREATE TABLE authority (
    id INTEGER PRIMARY KEY,
    level TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    parent INTEGER REFERENCES authority (id),
    certificate TEXT NOT NULL,
    sealed_key TEXT,                -- encrypted; an organisation keeps the key of its root
    active_from REAL NOT NULL,
    is_imported INTEGER NOT NULL
) STRICT;
CREATE TABLE token (
    id TEXT PRIMARY KEY,            -- SHA-256 of the secret
    grant_json TEXT NOT NULL,
    name TEXT NOT NULL,
    expires_at REAL NOT NULL,
    used_by TEXT,                   -- SHA-256 of the request
    serial TEXT REFERENCES certificate (serial),
    is_withdrawn INTEGER NOT NULL DEFAULT 0,
    is_reusable INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE certificate (
    serial TEXT PRIMARY KEY,        -- hexadecimal digits
    authority INTEGER NOT NULL REFERENCES authority (id),
    name TEXT NOT NULL,
    grant_json TEXT NOT NULL,
    source TEXT NOT NULL,
    not_before REAL NOT NULL,
    not_after REAL NOT NULL,
    certificate TEXT NOT NULL,
    revoked_at REAL,
    reason TEXT
) STRICT;
CREATE INDEX certificate_by_name ON certificate (name);
CREATE INDEX certificate_by_end ON certificate (not_after);
CREATE TABLE audit (number INTEGER PRIMARY KEY, line TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
"""

_SECOND_VERSION = "ALTER TABLE token ADD COLUMN is_reusable INTEGER NOT NULL DEFAULT 0;"

# Who acts, for the audit log; set where a call enters.
actor: ContextVar[str] = ContextVar("actor", default="authority")


class Transaction:
    """What happens inside is kept as a whole or not at all."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self.now = now

    def execute(self, sql: str, *values: object) -> int:
        """Return how many rows were changed."""
        return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: object) -> Any:
        found = self.row(sql, *values)
        return found[0] if found is not None else None

    def audit(self, event: str, **fields: object) -> None:
        """Continue the audit log."""
        last = self.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        number, previous = (last["number"] + 1, last["hash"]) if last else (1, "")
        line, hashed = next_entry(number, previous, self.now, event, {"by": actor.get(), **fields})
        self.execute("INSERT INTO audit (number, line, hash) VALUES (?, ?, ?)", number, line, hashed)


class Store:
    """
    Made, with its folder, when it is missing. One process has it at a time.

    Raises:
        StateNotUsable: Another process has it, it can't be written to, or a newer release wrote it.
        ChainBroken: Somebody changed the audit log.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._mutex = threading.RLock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise StateNotUsable(f"Folder {folder} cannot be written to: {exc.strerror}") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            raise AuthorityRuns(f"Another authority runs from {folder}: stop it, or ask it with its commands") from exc
        try:
            self._open(folder)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, folder: Path) -> None:
        # Made before SQLite does, which gives everybody the right to read it.
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
        try:
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._prepare(folder)
            with self.read() as read:
                lines = [row["line"] for row in read.rows("SELECT line FROM audit ORDER BY number")]
            self._audit_file = AuditFile(folder, lines)
        except sqlite3.DatabaseError as exc:
            self._connection.close()
            raise StateNotUsable(f"{folder / FILE} is damaged: put back a copy of the whole folder ({exc})") from exc
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, folder: Path) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StateNotUsable(f"{folder / FILE} was written by a newer release: run that one")
        if version < _VERSION:
            changes = _SECOND_VERSION if version else _TABLES
            self._connection.executescript(f"BEGIN; {changes} PRAGMA user_version={_VERSION}; COMMIT;")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._mutex:
            yield Transaction(self._connection, self._clock.now())

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction; on the disk when the block ends, forgotten when it raises."""
        with self._mutex:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection, self._clock.now())
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            with self.read() as read:
                new = read.rows("SELECT line FROM audit WHERE number > ? ORDER BY number", self._audit_file.count)
            self._audit_file.append(row["line"] for row in new)

    def close(self) -> None:
        """Let another process have it. Closing twice does nothing."""
        with self._mutex:
            self._connection.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1
