"""Names in certificates: which there may be, and their one written form."""

import ipaddress
import re

from zato.ca.errors import BadGrant

_PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_WILDCARD = "*."
_MAX_DNS_NAME = 253


def checked_part_name(name: str) -> str:
    """Return the name of a part, e.g. "server1". Raises BadGrant."""
    if not _PART_NAME.fullmatch(name):
        raise BadGrant(f"{name[:100]!r} is no name of a part: it takes letters, digits, '.', '_' and '-', at most 64")
    return name


def normal_name(name: str) -> str:
    """
    Return an alternative name in its one form: lower case, the short form of IPv6, e.g. "server1.example.com", "::1".

    Raises:
        BadGrant: It is neither a DNS name nor an IP address.
    """
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    lowered = name.lower()
    labels = lowered.removeprefix(_WILDCARD).split(".")
    is_dns = name.isascii() and len(lowered) <= _MAX_DNS_NAME and all(map(_LABEL.fullmatch, labels))
    # What ends in a number is read as an IP address by some, and as a name by others.
    if not is_dns or labels[-1].isdigit() or (is_wildcard(lowered) and len(labels) < 2):
        raise BadGrant(f"{name[:100]!r} is neither a DNS name nor an IP address, e.g. server1.example.com or 10.0.0.7")
    return lowered


def is_wildcard(name: str) -> bool:
    return name.startswith(_WILDCARD)
