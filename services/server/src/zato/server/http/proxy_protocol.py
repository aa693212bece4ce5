"""
The header by which a load-balancer that forwards bytes says whose they are, in both its versions.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

import ipaddress
from collections.abc import Callable

from zato.common.errors import BadRequest

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_2 = 2
_LOCAL, _PROXY = 0, 1
# How long the addresses of a family are that has hosts, and the source within them.
_HOSTS = {0x11: (12, slice(0, 4)), 0x12: (12, slice(0, 4)), 0x21: (36, slice(0, 16)), 0x22: (36, slice(0, 16))}
# Unspecified, and Unix sockets: nothing that we could take for a client's address.
_NO_HOSTS = frozenset({0x00, 0x31, 0x32})
_LONGEST_TEXT = 107
_LONGEST_BINARY = 4096
_FAMILIES = {b"TCP4": 4, b"TCP6": 6}

Receive = Callable[[int], bytes]


def read_proxy_header(receive: Receive) -> str:
    """
    Read the header, and not a byte of what comes behind it.

    Args:
        receive: Returns exactly as many bytes as it is asked for; raises EOFError when there are no more.

    Returns:
        The client's address; "" when the header names none, as that of a load-balancer's own checks.

    Raises:
        BadRequest: It is none, or is not well-formed.
    """
    begin = receive(len(_SIGNATURE))
    if begin == _SIGNATURE:
        return _read_binary(receive)
    if begin.startswith(b"PROXY "):
        return _read_text(begin, receive)
    raise BadRequest("The connection does not begin with the header of the PROXY protocol")


def _read_binary(receive: Receive) -> str:
    version_and_command, family, *length = receive(4)
    body = int.from_bytes(length)
    if version_and_command >> 4 != _VERSION_2 or version_and_command & 15 not in (_LOCAL, _PROXY):
        raise BadRequest("The header of the PROXY protocol has an unknown version or command")
    if body > _LONGEST_BINARY:
        raise BadRequest(f"The header of the PROXY protocol is longer than the accepted {_LONGEST_BINARY} bytes")
    addresses = receive(body) if body else b""
    if version_and_command & 15 == _LOCAL or family in _NO_HOSTS:
        return ""
    size, source = _HOSTS.get(family, (0, slice(0)))
    if not size or len(addresses) < size:
        raise BadRequest("The header of the PROXY protocol has an unknown family, or is too short for its own")
    return _address(ipaddress.ip_address(addresses[source]))


def _read_text(begin: bytes, receive: Receive) -> str:
    line = bytearray(begin)
    while not line.endswith(b"\r\n"):
        if len(line) >= _LONGEST_TEXT:
            raise BadRequest(f"The header of the PROXY protocol is longer than {_LONGEST_TEXT} bytes")
        line += receive(1)
    _, family, *parts = bytes(line[:-2]).split(b" ")
    if family == b"UNKNOWN":
        return ""
    if family not in _FAMILIES or len(parts) != 4:
        raise BadRequest("The header of the PROXY protocol is not family, two addresses and two ports")
    source, _destination = (_parsed(part, _FAMILIES[family]) for part in parts[:2])
    if not all(_is_port(port) for port in parts[2:]):
        raise BadRequest("The header of the PROXY protocol has a port that is none")
    return _address(source)


def _parsed(text: bytes, version: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        address = None
    if address is None or address.version != version or b"%" in text:
        raise BadRequest("The header of the PROXY protocol has an address that is none of its family")
    return address


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535 and (text == b"0" or not text.startswith(b"0"))


def _address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
