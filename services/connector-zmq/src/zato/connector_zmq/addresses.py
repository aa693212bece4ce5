"""What a ZeroMQ address has to be. libzmq takes much that can never work, and says so late or not at all."""

import re

# A Unix socket's path is at most 107 bytes long, on Linux.
_LONGEST_PATH = 107
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\*|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")


def check_address(address: str, *, is_bound: bool) -> None:
    """
    Raises:
        ValueError: It says what is wanted.
    """
    scheme, separator, rest = address.partition("://")
    wanted = f"addresses such as tcp://10.0.0.1:5555 or ipc:///run/peer.sock, not {address!r:.200}"
    if not separator or scheme not in ("tcp", "ipc"):
        raise ValueError(f"'address' takes {wanted}")
    if scheme == "ipc":
        if not rest.startswith("/") or rest.endswith("/") or len(rest.encode()) > _LONGEST_PATH or not rest.isprintable():
            raise ValueError(f"'address' takes {wanted}: a path that begins with / and has at most {_LONGEST_PATH} bytes")
        return
    host, _, port = rest.rpartition(":")
    if not _HOST.fullmatch(host):
        raise ValueError(f"'address' takes {wanted}: '{host:.100}' is no name or number of a host; IPv6 goes in brackets")
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port) <= 65535:
        raise ValueError(f"'address' takes {wanted}: a port from 1 to 65535")
    if host == "*" and not is_bound:
        raise ValueError("'address' can be tcp://*:PORT only where 'socket_method' is bind: name the host to connect to")
