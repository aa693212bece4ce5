"""The picture of jobs over time: what was planned against when it ran, and what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from zato.webadmin.times import parsed

# The picture's own units, from its left edge to its right one.
WIDTH = 1000.0
ROW_HEIGHT = 28
_MOST_ROWS = 15
_LEAST_WIDTH = 4.0
# How much of the picture is the future.
_AHEAD = 0.25
SPANS = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1), "6h": timedelta(hours=6), "1d": timedelta(days=1)}
_TICKS = 6


@dataclass(frozen=True)
class Bar:
    """
    A run, from where it started to where it ended.

    Args:
        planned: Where it was planned; its start is later when it was late.
    """

    planned: float
    left: float
    width: float
    state: str
    title: str


@dataclass(frozen=True)
class Row:
    job: str
    top: int
    bars: tuple[Bar, ...]
    fires: tuple[float, ...]


@dataclass(frozen=True)
class Timeline:
    rows: tuple[Row, ...]
    now: float
    ticks: tuple[tuple[float, str], ...]
    left_out: int

    @property
    def height(self) -> int:
        return max(1, len(self.rows)) * ROW_HEIGHT


def timeline(
    runs: Sequence[Mapping[str, Any]], fires: Iterable[tuple[str, str]], *, now: datetime, span: timedelta, zone: ZoneInfo
) -> Timeline:
    """
    Args:
        runs: As the API lists them.
        fires: Job and time of each that comes.
        span: From the picture's left edge to now.
    """
    begin, ahead = now - span, span * _AHEAD / (1 - _AHEAD)
    whole_s = (span + ahead).total_seconds()

    def place(moment: datetime) -> float:
        return round(min(max((moment - begin).total_seconds() / whole_s, 0.0), 1.0) * WIDTH, 1)

    bars: dict[str, list[Bar]] = {}
    for run in runs:
        planned, started, ended = (parsed(run[name]) for name in ("planned_at", "started_at", "ended_at"))
        if planned is None or (ended or started or planned) < begin:
            continue
        left = place(started or planned)
        right = place(ended or (now if run["state"] == "running" else started or planned))
        bar = Bar(place(planned), left, max(right - left, _LEAST_WIDTH), run["state"], _title(run, planned, zone))
        bars.setdefault(run["job"], []).append(bar)
    coming: dict[str, list[float]] = {}
    for job, at in fires:
        moment = parsed(at)
        if moment is not None and moment <= now + ahead:
            coming.setdefault(job, []).append(place(moment))
    jobs = sorted(bars.keys() | coming.keys())
    rows = [
        Row(job, number * ROW_HEIGHT, tuple(bars.get(job, ())), tuple(coming.get(job, ())))
        for number, job in enumerate(jobs[:_MOST_ROWS])
    ]
    step = (span + ahead) / _TICKS
    ticks = [
        (place(begin + step * number), (begin + step * number).astimezone(zone).strftime("%H:%M"))
        for number in range(1, _TICKS)
    ]
    return Timeline(tuple(rows), place(now), tuple(ticks), max(0, len(jobs) - _MOST_ROWS))


def _title(run: Mapping[str, Any], planned: datetime, zone: ZoneInfo) -> str:
    at = planned.astimezone(zone).strftime("%H:%M:%S")
    late = f", {run['drift_s']:.1f} s late" if run.get("drift_s", 0) >= 0.1 else ""
    return f"{run['job']}: {run['state']}, planned {at}{late}"
