"""Ports: whether one is free, who has it, and which is the next free one."""

import contextlib
import errno
import socket
from collections.abc import Container

from zato.common.errors import InvalidOptions, Unavailable

_LAST_PORT = 65535


def split_address(address: str) -> tuple[str, int]:
    """Return ("127.0.0.1", 17010) of "127.0.0.1:17010". Raises InvalidOptions."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise InvalidOptions(f"'{address}' is not an address: write host:port, e.g. 127.0.0.1:17010")
    return host.strip("[]"), int(port)


def is_free(host: str, port: int) -> bool:
    """Whether we could listen there. A host that is not this machine's is nobody's business here, and counts as free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do it: connections that linger after a restart do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            return exc.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def holder(port: int) -> str:
    """Say who listens at a port, e.g. "nginx (pid 812)", as far as we are allowed to know."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.pid or not connection.laddr:
                continue
            if connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"


def next_free(host: str, preferred: int, taken: Container[int]) -> int:
    """Return `preferred`, or the first port after it that is free and not in `taken`. Raises Unavailable."""
    for port in range(preferred, _LAST_PORT + 1):
        if port not in taken and is_free(host, port):
            return port
    raise Unavailable(f"No port from {preferred} on is free at {host}")
