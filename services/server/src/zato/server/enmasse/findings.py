"""What is to be said about files, and where in them it is."""

from dataclasses import dataclass
from pathlib import Path

ERROR, WARNING, SKIPPED = "error", "warning", "skipped"


@dataclass(frozen=True, slots=True)
class Place:
    """`line` counts from 1; 0 when it is not known."""

    file: Path
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class Finding:
    """`severity` is ERROR, WARNING or SKIPPED, of an object that has no counterpart here."""

    severity: str
    place: Place | None
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class Findings:
    """All that was found so far. Reading goes on after an error, so that all are known at once."""

    def __init__(self) -> None:
        self._all: list[Finding] = []

    def add(self, severity: str, place: Place | None, text: str) -> None:
        self._all.append(Finding(severity, place, text))

    def of(self, severity: str) -> list[Finding]:
        return [finding for finding in self._all if finding.severity == severity]

    def as_data(self) -> list[dict[str, object]]:
        """Return them as `--json` prints them."""
        return [_as_data(finding) for finding in self._all]


def _as_data(finding: Finding) -> dict[str, object]:
    place = {"file": str(finding.place.file), "line": finding.place.line} if finding.place else {}
    return {"severity": finding.severity, **place, "message": finding.text}
