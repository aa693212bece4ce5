"""The step that finds out who the client is behind a load-balancer."""

import ipaddress
from collections.abc import Callable, Sequence
from functools import lru_cache

from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def within(networks: Sequence[_Network]) -> Callable[[str], bool]:
    """Return what says whether an address is in one of the networks."""

    @lru_cache(1024)
    def is_within(address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in networks)
        except ValueError:
            return False

    return is_within


def make_client_address_step(trusted: Sequence[_Network]) -> Step:
    """
    Args:
        trusted: Where load-balancers are. Of others X-Forwarded-For is what the client made up.
    """

    is_trusted = within(trusted)

    def find_client_address(request: Request, next: Handler) -> Response:
        if is_trusted(request.remote_address):
            request.is_from_proxy = True
            request.remote_address = _forwarded_for(request) or request.remote_address
        return next(request)

    return find_client_address


def _forwarded_for(request: Request) -> str:
    """
    Return the address that our load-balancer saw, "" when it says none.

    It adds its own header behind those of the client, or its own value behind theirs: the last one of the last header
    is the one that was not made up.
    """
    for name, value in reversed(request.headers):
        if name == b"x-forwarded-for":
            last = value.decode("latin-1").rpartition(",")[2].strip()
            return last if _is_address(last) else ""
    return ""


@lru_cache(1024)
def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
