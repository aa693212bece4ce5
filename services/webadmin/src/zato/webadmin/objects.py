"""Objects of a kind: where each is live and what becomes of it, and what changed in it over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zato.common.errors import Unavailable
from zato.webadmin.kinds import Kind
from zato.webadmin.person import Person

MASK = "******"
# What every entry has beside the options, and nobody reads a difference by.
_NOT_COMPARED = ("id", "version")


@dataclass(frozen=True)
class Report:
    """What one worker or part says of an object."""

    reporter: str
    is_connected: bool
    error: str
    since: str
    version_applied: int


@dataclass(frozen=True)
class Live:
    """
    Where an object runs in its version.

    Args:
        workers: How many workers there are, and `ahead` how many of them have its version.
        reports: What those say who connect it with something.
        away: The part that would, when it does not answer: what it reported before is no news.
    """

    workers: int
    ahead: int
    reports: tuple[Report, ...] = ()
    away: str = ""

    @property
    def is_everywhere(self) -> bool:
        return self.workers > 0 and self.ahead == self.workers

    @property
    def failures(self) -> tuple[Report, ...]:
        return tuple(report for report in self.reports if not report.is_connected)

    @property
    def state(self) -> str:
        """One word for a colour: ok, waiting or problem."""
        if self.failures or self.away:
            return "problem"
        return "ok" if self.is_everywhere else "waiting"

    @property
    def sentence(self) -> str:
        if self.away:
            return f"{self.away} does not answer"
        if self.failures:
            return f"{len(self.failures)} of {len(self.reports)} not connected"
        if not self.workers:
            return "No worker runs"
        return "Live" if self.is_everywhere else f"Live on {self.ahead} of {self.workers}"


def live_states(person: Person, kind: Kind, objects: Sequence[Mapping[str, Any]]) -> dict[str, Live]:
    """Return where each object is live, by their names. Empty when that can't be known now."""
    try:
        workers = person.ask("zato.cluster.get-status")["workers"]
        statuses = person.ask(kind.service("get-status")) if kind.can("get-status") else ()
        away = kind.part if _is_away(person, kind.part) else ""
    except Unavailable:
        return {}
    versions = [worker["config_version"] for worker in workers]
    reports: dict[str, list[Report]] = {}
    for each in statuses:
        report = Report(each["reporter"], each["is_connected"], each["error"], each["since"], each["version_applied"])
        reports.setdefault(each["name"], []).append(report)
    return {
        each["name"]: Live(
            len(versions), sum(version >= each["version"] for version in versions), tuple(reports.get(each["name"], ())), away
        )
        for each in objects
    }


def _is_away(person: Person, part: str) -> bool:
    """Whether it is one of those that servers send to, and none of it answers them."""
    found = [each for each in person.ask("zato.connector.get-list") if each["part"] == part] if part else []
    return bool(found) and not any(each["is_running"] for each in found)


@dataclass(frozen=True)
class Difference:
    name: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Return what an entry of the audit log changed, by the names of options."""
    old, new = before or {}, after or {}
    names = [name for name in (*old, *(name for name in new if name not in old)) if name not in _NOT_COMPARED]
    return [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
