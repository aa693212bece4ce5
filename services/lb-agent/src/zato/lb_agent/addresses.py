"""Addresses that servers give, and what HAProxy is told of them."""

import socket

from zato.common.errors import BadRequest


def split_address(address: str) -> tuple[str, int]:
    """Return ("server1", 17010) of "server1:17010", ("::1", 17010) of "[::1]:17010". Raises BadRequest."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadRequest(f"{address[:200]!r} is not an address: it takes host:port, e.g. 127.0.0.1:17010")
    return host, int(port)


def resolve(address: str) -> str:
    """
    Return host:port with the host as an IP address, e.g. "127.0.0.1:17010" or "[::1]:17010".

    HAProxy itself resolves names only when it starts, and then not those of servers that join later.

    Raises:
        BadRequest: It has another form, or there is no such host.
    """
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise BadRequest(f"The host of {address[:200]!r} cannot be found: {exc}") from exc
    # IPv4 first: where a name has both, servers listen there more often.
    family, _, _, _, (ip, *_) = min(found, key=lambda info: info[0] != socket.AF_INET)
    return f"[{ip}]:{port}" if family == socket.AF_INET6 else f"{ip}:{port}"
