"""
How often an object may be used, and from where: the definitions, and how they are counted.

A definition has a rule a line, `from = count/unit`:

    127.0.0.1 = *            # as often as it likes
    10.0.0.0/8 = 1000/m      # all of this network together
    * = 20/h

The first rule that the client's address fits is the one that holds; without one the client is refused. All clients of
a rule share its count. Windows are fixed: they begin with the minute, hour or day (UTC).
"""

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

from zato.common.errors import Forbidden, TooManyRequests

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EXACT, APPROXIMATE = "EXACT", "APPROXIMATE"
LIMIT_TYPES = (APPROXIMATE, EXACT)
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_FULL = "This may not be used more often now: try again later"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Args:
        network: Where clients come from; None for anywhere.
        count: How many requests a window takes; None for any number.
        window_s: Length of a window.
    """

    network: _Network | None
    count: int | None
    window_s: int

    def fits(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
        return self.network is None or (address is not None and address in self.network)


def parse_rules(definition: str) -> tuple[Rule, ...]:
    """
    Args:
        definition: Rules, one a line or separated by ";". Empty lines and what follows a "#" mean nothing.

    Raises:
        ValueError: A line is no rule; says which and what was wanted.
    """
    lines = (line.partition("#")[0].strip() for line in definition.replace(";", "\n").splitlines())
    return tuple(_parse_rule(line) for line in lines if line)


def _parse_rule(line: str) -> Rule:
    source, equals, limit = (part.strip() for part in line.partition("="))
    try:
        if not equals:
            raise ValueError
        network = None if source == "*" else ipaddress.ip_network(source, strict=False)
        if limit == "*":
            return Rule(network, None, 0)
        count, _, unit = (part.strip() for part in limit.partition("/"))
        if not count.isdecimal() or not count.isascii():
            raise ValueError
        return Rule(network, int(count), _UNITS[unit])
    except (ValueError, KeyError):
        raise ValueError(
            f"'rate_limit_def' takes lines such as 10.0.0.0/8 = 100/m, with m, h or d for the unit, not {line!r:.120}"
        ) from None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """
    The definition of one object.

    Args:
        owner: What is limited, e.g. "channel-http orders": the name its counts go by.
        is_exact: Counted in one place for all servers.
    """

    owner: str
    is_exact: bool
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One thing to count: `key` may be used `count` times in a window of `window_s` seconds."""

    key: str
    count: int
    window_s: int


def make_rate_limit(owner: str, limit_type: str, definition: str) -> RateLimit:
    """A definition that is changed begins to count anew; one that is switched off and on again does not."""
    digest = blake2b(definition.encode(), digest_size=6).hexdigest()
    return RateLimit(f"{owner}:{digest}", limit_type == EXACT, parse_rules(definition))


def ticket_for(limit: RateLimit, address: str) -> Ticket | None:
    """
    Return what has to be counted for a request from `address`, None when nothing has.

    Raises:
        Forbidden: No rule fits the address.
    """
    parsed = _parse_address(address)
    for number, rule in enumerate(limit.rules):
        if rule.fits(parsed):
            return None if rule.count is None else Ticket(f"{limit.owner}:{number}", rule.count, rule.window_s)
    raise Forbidden("Requests from this address are not accepted here")


@lru_cache(4096)
def _parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


class Counter(Protocol):
    def take(self, tickets: Sequence[Ticket]) -> int:
        """
        Count one use of each, or of none when one of them is used up.

        Returns:
            Seconds until it is worth to try again; 0 when the uses were counted.
        """


class LocalCounter:
    """Counts in this process. Only the newest window of a key is kept."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, int]] = {}

    def take(self, tickets: Sequence[Ticket]) -> int:
        now = int(time.time())
        used = [self._in_window(ticket, now // ticket.window_s) for ticket in tickets]
        for ticket, count in zip(tickets, used, strict=True):
            if count >= ticket.count:
                return ticket.window_s - now % ticket.window_s
        for ticket, count in zip(tickets, used, strict=True):
            self._used[ticket.key] = (now // ticket.window_s, count + 1)
        return 0

    def used(self, ticket: Ticket) -> int:
        """Return how many uses of the present window are taken."""
        return self._in_window(ticket, int(time.time()) // ticket.window_s)

    def reset(self, owner: str) -> None:
        """Begin to count anew whatever is counted of an owner: see RateLimit."""
        for key in [key for key in self._used if key.rpartition(":")[0] == owner]:
            del self._used[key]

    def _in_window(self, ticket: Ticket, window: int) -> int:
        counted_window, count = self._used.get(ticket.key, (window, 0))
        return count if counted_window == window else 0


class RateLimiter:
    """
    Args:
        local: Counts APPROXIMATE definitions.
        shared: Counts EXACT ones.
    """

    def __init__(self, local: Counter, shared: Counter) -> None:
        self._local = local
        self._shared = shared

    def check(self, limits: Sequence[RateLimit], address: str) -> None:
        """
        Count a request.

        Raises:
            Forbidden: A definition has no rule for this address.
            TooManyRequests: A definition is used up for now.
            Unavailable: Nobody can count now, and the server was told to refuse then.
        """
        exact: list[Ticket] = []
        approximate: list[Ticket] = []
        for limit in limits:
            if (ticket := ticket_for(limit, address)) is not None:
                (exact if limit.is_exact else approximate).append(ticket)
        for tickets, counter in ((approximate, self._local), (exact, self._shared)):
            if tickets and (wait_s := counter.take(tickets)):
                raise TooManyRequests(_FULL, retry_after_s=wait_s)
