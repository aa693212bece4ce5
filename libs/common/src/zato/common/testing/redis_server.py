"""A private Redis, and fresh databases in one that is shared."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from zato.common.testing.processes import ServerProcess, free_port

# Redis keeps 16 databases unless told otherwise; number 0 holds the count of those given out.
DATABASES = 1024
_COUNTER = "zato-test-databases-given"


class RedisServer(ServerProcess):
    """
    A Redis server of the tests' own, on 127.0.0.1. Keeps its data over `stop` and `start`.

    Args:
        program: Path of redis-server.
        folder: An empty folder for its files.
        port: A free one when 0.
    """

    def __init__(self, program: str, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        arguments = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "databases": str(DATABASES),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
        }
        command = [program, *(word for key, value in arguments.items() for word in (f"--{key}", value))]
        super().__init__(command, log=folder / "redis.log", is_ready=self._answers)

    def _answers(self) -> bool:
        try:
            return _ask(self.url, "PING") == "+PONG"
        except OSError:
            return False


def fresh_database(url: str) -> str:
    """Return the URL of an empty database in the Redis at `url`; each call gives another one, until all were given."""
    base = url.rsplit("/", 1)[0] if urlsplit(url).path else url
    given = int(_ask(base, f"INCR {_COUNTER}").removeprefix(":"))
    databases = int(_ask(base, "CONFIG GET databases", lines=5).splitlines()[-1])
    number = 1 + given % (databases - 1)
    if (answer := _ask(base, f"SELECT {number}\r\nFLUSHDB", lines=2)) != "+OK\n+OK":
        raise RuntimeError(f"{base} gives no empty database: {answer}")
    return f"{base}/{number}"


def _ask(url: str, command: str, lines: int = 1) -> str:
    """Return the first lines of the answer to an inline command. Spares each part's tests a client library."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "127.0.0.1", address.port or 6379), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        with connection.makefile(newline="\r\n") as answer:
            return "\n".join(answer.readline().removesuffix("\r\n") for _ in range(lines))
