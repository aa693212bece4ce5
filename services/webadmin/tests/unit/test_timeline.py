"""The picture of jobs over time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from zato.webadmin.timeline import WIDTH, timeline

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


def run(job: str, planned: str, started: str, ended: str, state: str = "ok", drift_s: float = 0.0) -> dict[str, object]:
    times = {"planned_at": planned, "started_at": started, "ended_at": ended}
    return {
        "job": job,
        "state": state,
        "drift_s": drift_s,
        **{name: time and f"2026-11-24T{time}" for name, time in times.items()},
    }


def drawn(*runs: dict[str, object], fires: tuple[tuple[str, str], ...] = ()):
    return timeline(runs, fires, now=NOON, span=timedelta(minutes=30), zone=ZONE)


def test_a_run_stands_where_it_ran_and_shows_how_late_it_was() -> None:
    made = drawn(run("a", "11:40:00", "11:45:00", "11:50:00", drift_s=300))
    (bar,) = made.rows[0].bars
    # Three quarters are the past, of thirty minutes.
    assert made.now == 750
    assert (bar.planned, bar.left, bar.width) == (250, 375, 125)
    assert bar.title == "a: ok, planned 12:40:00, 300.0 s late"


def test_a_run_that_goes_on_reaches_to_now_and_what_is_older_is_left_out() -> None:
    made = drawn(run("a", "11:50:00", "11:50:00", "", "running"), run("b", "11:00:00", "11:00:00", "11:00:01"))
    assert [row.job for row in made.rows] == ["a"]
    assert made.rows[0].bars[0].left + made.rows[0].bars[0].width == made.now


def test_what_comes_stands_beyond_now() -> None:
    made = drawn(fires=(("a", "2026-11-24T12:05:00+00:00"), ("b", "2026-11-25T12:00:00+00:00")))
    assert [(row.job, row.fires) for row in made.rows] == [("a", (875.0,))]
    assert made.now < 875 < WIDTH


def test_hours_are_those_of_whoever_looks() -> None:
    assert [text for _, text in drawn().ticks] == ["12:36", "12:43", "12:50", "12:56", "13:03"]
