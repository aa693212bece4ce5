"""Who takes part: members with a lease, which they renew by joining again and lose by falling silent."""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from zato.common.clock import Clock
from zato.common.errors import BadRequest, NotFound

DEFAULT_WEIGHT = 100
_MAX_WEIGHT = 256
# Names become words of HAProxy's configuration and commands, so nothing in them may have a meaning there.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """
    A server that traffic may go to.

    Args:
        address: host:port as the server gave it.
        endpoint: The same with the host as an IP address, which is what HAProxy is told.
        weight: 1 to 256, relative to the other members' weights, as the server asks for it.
        given_weight: What somebody gave it instead; 0 when nobody did.
        is_drained: Kept as a member, but gets no new requests until it is resumed.
    """

    name: str
    address: str
    endpoint: str
    weight: int = DEFAULT_WEIGHT
    is_drained: bool = False
    given_weight: int = 0

    @property
    def share(self) -> int:
        """Its weight, drained or not."""
        return self.given_weight or self.weight

    @property
    def effective_weight(self) -> int:
        """What HAProxy is told: with 0 a server ends what it has and gets nothing new."""
        return 0 if self.is_drained else self.share


def new_member(name: str, address: str, endpoint: str, weight: int) -> Member:
    """
    Args:
        weight: 0 means the usual one.

    Raises:
        BadRequest: The name or the weight does not fit; says what does.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name[:80]!r} cannot be the name of a server: it takes up to 64 letters, digits, dots, dashes and underscores"
        )
    check_weight(name, weight)
    return Member(name, address, endpoint, weight or DEFAULT_WEIGHT)


def check_weight(name: str, weight: int) -> None:
    """Raises BadRequest."""
    if not 0 <= weight <= _MAX_WEIGHT:
        raise BadRequest(
            f"Server '{name}': a weight is from 1 to {_MAX_WEIGHT}, or 0 for the usual {DEFAULT_WEIGHT}, not {weight}"
        )


class Membership:
    """
    The members, by name. Safe to share between threads; no method waits for anything, so a renewal is never late.

    Args:
        lease_s: Seconds that a member stays without joining again.
    """

    def __init__(self, clock: Clock, lease_s: float, members: Iterable[Member] = ()) -> None:
        self.lease_s = lease_s
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = clock.monotonic()
        self._members = {member.name: member for member in members}
        self._ends = dict.fromkeys(self._members, self._looked_at + lease_s)

    def all(self) -> tuple[Member, ...]:
        """Return the members in the order of their names."""
        with self._lock:
            return tuple(self._members[name] for name in sorted(self._members))

    def get(self, name: str) -> Member | None:
        with self._lock:
            return self._members.get(name)

    def join(self, member: Member) -> bool:
        """
        Add a member or renew its lease, and return whether anything but the lease changed.

        One that was drained, or was given a weight, stays so.
        """
        with self._lock:
            known = self._members.get(member.name)
            if known is not None:
                member = replace(member, is_drained=known.is_drained, given_weight=known.given_weight)
            self._members[member.name] = member
            self._ends[member.name] = self._clock.monotonic() + self.lease_s
            return member != known

    def set_drained(self, name: str, is_drained: bool) -> bool:
        """Return whether it was otherwise before. Raises NotFound."""
        return self._change(name, is_drained=is_drained)

    def give_weight(self, name: str, weight: int) -> bool:
        """
        Args:
            weight: 0 for what the server asks for.

        Returns:
            Whether it was otherwise before.

        Raises:
            BadRequest: It is out of bounds.
            NotFound: There is no such server.
        """
        check_weight(name, weight)
        return self._change(name, given_weight=weight)

    def _change(self, name: str, **values: Any) -> bool:
        with self._lock:
            known = self._members.get(name)
            if known is None:
                raise NotFound(f"There is no server '{name}' in the load-balancer; there are: {self._names()}", name=name)
            self._members[name] = replace(known, **values)
            return known != self._members[name]

    def leave(self, name: str) -> bool:
        """Return whether it was a member: leaving twice does no harm."""
        with self._lock:
            self._ends.pop(name, None)
            return self._members.pop(name, None) is not None

    def expire(self) -> tuple[Member, ...]:
        """
        Take out and return the members whose leases have ended. To be called several times per lease.

        While this process stood still, nobody could renew a lease here. Such a pause is added to all leases, since
        otherwise an agent on a busy machine would wake up and throw everybody out.
        """
        with self._lock:
            now = self._clock.monotonic()
            pause_s = now - self._looked_at
            self._looked_at = now
            if pause_s > self.lease_s / 2:
                self._ends = {name: ends + pause_s for name, ends in self._ends.items()}
            ended = tuple(self._members[name] for name in sorted(self._members) if self._ends[name] <= now)
            for member in ended:
                del self._members[member.name], self._ends[member.name]
            return ended

    def _names(self) -> str:
        return ", ".join(sorted(self._members)) or "none"
