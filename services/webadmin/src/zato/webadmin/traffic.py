"""What the cluster answers, as the dashboard shows it: numbers now, over time, and by channel, server and service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zato.webadmin.person import Person

LIVE = "live"
# Name → label and seconds.
SPANS: Mapping[str, tuple[str, int]] = {
    LIVE: ("Live", 120),
    "hour": ("Hour", 3600),
    "day": ("Day", 24 * 3600),
    "week": ("Week", 7 * 24 * 3600),
    "month": ("30 days", 30 * 24 * 3600),
}
# What is said to be "now" is the mean of so many seconds.
_NOW_S = 10
_ROWS = 10
_SERIES = ("rate", "errors", "p50", "p95", "p99")


@dataclass(frozen=True)
class Tile:
    """A number that stands for itself. `state` is "", "ok", "waiting" or "problem"."""

    label: str
    value: float
    unit: str = ""
    state: str = ""


@dataclass(frozen=True)
class Traffic:
    """
    Args:
        points: A list of numbers for each line of a chart, and `at` with seconds since 1970.
        tables: Heading → its busiest rows, as the API has them.
    """

    tiles: tuple[Tile, ...]
    points: Mapping[str, Sequence[float]]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]


def traffic_of(person: Person, span: str) -> Traffic:
    """Raises ZatoError, Unavailable among them when Redis, which has the numbers, does not answer."""
    answer = person.ask("zato.stats.get-traffic", {"last_s": SPANS[span][1]})
    resolution_s = answer["resolution_s"]
    # The last one is not over yet.
    points = answer["points"][:-1] if resolution_s == 1 else answer["points"]
    lines: dict[str, list[float]] = {"at": [], **{name: [] for name in _SERIES}}
    for point in points:
        lines["at"].append(datetime.fromisoformat(point["start"]).timestamp())
        for name in _SERIES:
            lines[name].append(point["errors"] / resolution_s if name == "errors" else point[name])
    return Traffic(
        tiles=_tiles(answer, points[-_NOW_S:] if span == LIVE else None),
        points=lines,
        tables={name.capitalize(): answer[name][:_ROWS] for name in ("channels", "services", "servers")},
    )


def _tiles(answer: Mapping[str, Any], last: Sequence[Mapping[str, Any]] | None) -> tuple[Tile, ...]:
    if last is None:
        requests, errors, rate = answer["usage"], answer["errors"], answer["rate"]
        slowest = {name: answer[name] for name in ("p50", "p95", "p99")}
    else:
        requests, errors = (sum(point[name] for point in last) for name in ("usage", "errors"))
        rate = requests / _NOW_S
        # Of seconds in which nothing ran there is nothing to tell.
        busy = [point for point in last if point["usage"]]
        slowest = {name: max((point[name] for point in busy), default=0.0) for name in ("p50", "p95", "p99")}
    share = 100 * errors / requests if requests else 0.0
    return (
        Tile("Requests", rate, "/s"),
        Tile("Errors", share, "%", "problem" if share >= 1 else "waiting" if share else "ok"),
        *(Tile(label, slowest[name], "ms") for name, label in (("p50", "Median"), ("p95", "p95"), ("p99", "p99"))),
    )
