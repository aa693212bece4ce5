"""A private MariaDB."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import pymysql

from zato.common.testing.processes import ServerProcess, as_user, free_port
from zato.common.testing.programs import find_program


class MariaDBServer(ServerProcess):
    """
    A MariaDB server of the tests' own, on 127.0.0.1, with a user `zato` that may do everything.

    Args:
        program: Path of mariadbd.
        folder: An empty folder for its files, given to the user that it runs as when we are root.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._owner = _unprivileged_user()
        command = [
            *(program, "--no-defaults", f"--datadir={self._data}", f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={folder}/socket", f"--pid-file={folder}/pid", "--skip-name-resolve", "--skip-log-bin"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", f"--init-file={folder}/init.sql"),
        ]
        super().__init__(
            command, log=folder / "mariadb.log", is_ready=self._answers, user=self._owner, stop_signal=signal.SIGTERM
        )

    def start(self, timeout_s: float = 60.0) -> None:
        if not self._data.exists():
            self._make_data()
        super().start(timeout_s)

    def run(self, statement: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def connect(self, database: str | None = None) -> "pymysql.Connection":
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="zato", password=self.password, database=database, autocommit=True
        )

    def _make_data(self) -> None:
        init = self._folder / "init.sql"
        init.write_text(
            f"CREATE USER IF NOT EXISTS zato@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON *.* TO zato@'127.0.0.1';\n"
        )
        if self._owner:
            shutil.chown(self._folder, self._owner)
        program = find_program("mariadb-install-db")
        assert program is not None, "mariadb-install-db is missing, yet it comes with MariaDB"
        options = ("--no-defaults", f"--datadir={self._data}", "--skip-test-db", "--auth-root-authentication-method=normal")
        command = as_user([program, *options], self._owner)
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except pymysql.Error:
            return False
        return True


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in known else "nobody"
