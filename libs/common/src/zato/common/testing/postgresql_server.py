"""A private PostgreSQL, and fresh databases in one that is shared."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from zato.common.testing.processes import ServerProcess, as_user, free_port
from zato.common.testing.programs import find_program

_INITDB = ("--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # What is lost with the machine's power was a test's.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "autovacuum": "off",
}


class PostgreSQLServer(ServerProcess):
    """
    A PostgreSQL server of the tests' own, on 127.0.0.1. Keeps its data over `stop` and `start`.

    PostgreSQL refuses to run as root; then it runs as the user that its Debian package made.

    Args:
        program: Path of postgres; initdb is beside it.
        folder: A folder for its files, given to that user with what is in it. Not in pytest's, which nobody else may enter.
        more: Further settings, e.g. of TLS.
    """

    def __init__(self, program: str, folder: Path, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._programs = Path(program).resolve().parent
        self._data = folder / "data"
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._owner = _unprivileged_user()
        settings = [f"-c{key}={value}" for key, value in {**_SETTINGS, **more}.items()]
        super().__init__(
            [program, "-D", str(self._data), "-p", str(self.port), *settings],
            log=folder / "postgresql.log",
            is_ready=self._answers,
            user=self._owner,
            stop_signal=signal.SIGINT,  # do not wait for clients to leave
        )

    def start(self, timeout_s: float = 60.0) -> None:
        if not self._data.exists():
            self._make_data()
        super().start(timeout_s)

    def _make_data(self) -> None:
        if self._owner:
            for path in (self._data.parent, *self._data.parent.iterdir()):
                shutil.chown(path, self._owner)
        _run([str(self._programs / "initdb"), "-D", str(self._data), *_INITDB], user=self._owner)

    def _answers(self) -> bool:
        try:
            run_sql(self.url, "SELECT 1")
        except RuntimeError:
            return False
        return True


def fresh_database(url: str, like: str = "") -> str:
    """
    Make a database in the PostgreSQL at `url` and return its URL.

    Args:
        like: URL of a database there that it is a copy of, to which nobody is connected; without it, it is empty.
    """
    name = f"zato_test_{secrets.token_hex(6)}"
    run_sql(url, f"CREATE DATABASE {name} TEMPLATE {urlsplit(like).path[1:] or 'template0'}")
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(url: str, of: str) -> None:
    """Drop the database that `fresh_database` made at `of`, whoever is connected to it still."""
    run_sql(of, f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")


def run_sql(url: str, statement: str) -> str:
    """Run one statement as psql does, and return what it prints. Raises RuntimeError with psql's own words."""
    program = find_program("psql")
    assert program is not None, "psql is missing, yet it comes with PostgreSQL"
    return _run([program, url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement])


def _run(command: list[str], user: str | None = None) -> str:
    done = subprocess.run(as_user(command, user), capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")
    return str(done.stdout).strip()


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
