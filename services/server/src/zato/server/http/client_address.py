"""The step that finds out who the client is behind a load-balancer."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def make_client_address_step(trusted: Sequence[_Network]) -> Step:
    """
    Args:
        trusted: Where load-balancers are. Of others X-Forwarded-For is what the client made up.
    """

    @lru_cache(1024)
    def is_trusted(address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in trusted)
        except ValueError:
            return False

    def find_client_address(request: Request, next: Handler) -> Response:
        if is_trusted(request.remote_address):
            # The last one is what our load-balancer saw; those before it are what it was told.
            forwarded = request.header(b"x-forwarded-for").rpartition(",")[2].strip()
            request.remote_address = forwarded[:45] or request.remote_address
        return next(request)

    return find_client_address
