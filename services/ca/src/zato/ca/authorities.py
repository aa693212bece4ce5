"""
Which authority issues at a moment, and which are trusted: functions of time alone, so that nothing has to happen on time.

A new root is trusted before anything is issued under it (parts need time to hear of it), and the old one as long as a
certificate under it lives. So at each moment everybody trusts what anybody shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509

ROOT, INTERMEDIATE = "root", "intermediate"


@dataclass(frozen=True)
class Authority:
    """`sealed_key` is encrypted, None where an organisation keeps it. `active_from` is in seconds since the epoch."""

    id: int
    level: str
    name: str
    parent: int | None
    certificate: x509.Certificate
    sealed_key: str | None = field(repr=False)
    active_from: float
    is_imported: bool

    @property
    def not_after(self) -> float:
        return self.certificate.not_valid_after_utc.timestamp()


class Authorities:
    """
    All authorities there ever were, at one moment.

    Args:
        last_ends: By the id of an intermediate, when the last certificate that it issued ends.
    """

    def __init__(self, authorities: Sequence[Authority], last_ends: Mapping[int, float], now: float) -> None:
        self._by_id = {authority.id: authority for authority in authorities}
        self._last_ends = last_ends
        self._now = now

    @property
    def all(self) -> list[Authority]:
        return list(self._by_id.values())

    @property
    def intermediates(self) -> list[Authority]:
        """In the order in which they issue."""
        found = [each for each in self._by_id.values() if each.level == INTERMEDIATE]
        return sorted(found, key=lambda each: (each.active_from, each.id))

    @property
    def issuing(self) -> Authority | None:
        started = [each for each in self.intermediates if each.active_from <= self._now]
        return started[-1] if started else None

    def chain(self, authority: Authority) -> list[Authority]:
        """Return the authority and those above it, the root last."""
        found = [authority]
        while found[-1].parent is not None:
            found.append(self._by_id[found[-1].parent])
        return found

    def state(self, authority: Authority) -> str:
        """Return "next", "active", "retiring" while certificates of it are about, or "retired"."""
        if authority.level != INTERMEDIATE:
            below = {self.state(each) for each in self.intermediates if authority in self.chain(each)[1:]}
            return next((state for state in ("active", "next", "retiring") if state in below), "retired")
        if authority.active_from > self._now:
            return "next"
        if authority == self.issuing:
            return "active"
        return "retiring" if self._last_ends.get(authority.id, 0.0) > self._now else "retired"

    def trusted_until(self, authority: Authority) -> float:
        """Return when the last certificate below it ends; 0 while it issues, or is about to."""
        if self.state(authority) in ("active", "next"):
            return 0.0
        below = [each.id for each in self.intermediates if authority in self.chain(each)]
        return max((self._last_ends.get(each, 0.0) for each in below), default=0.0)

    @property
    def trusted_roots(self) -> list[Authority]:
        roots = [self.chain(each)[-1] for each in self.intermediates if self.state(each) != "retired"]
        return [root for root in dict.fromkeys(roots) if root.not_after > self._now]

    @property
    def in_use(self) -> list[Authority]:
        """Intermediates whose revocation lists are of interest."""
        return [each for each in self.intermediates if self.state(each) in ("active", "retiring")]
