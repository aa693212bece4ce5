"""When jobs fire: grids, cron expressions, and the two days of a year on which the clocks are put."""

from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.errors import InvalidOptions
from zato.scheduler.job import KIND, JobOptions
from zato.scheduler.schedules import SECOND_US, Schedule, from_us, make_schedule, to_us, upcoming

BERLIN = "Europe/Berlin"
# In 2027 the clocks of Berlin go from 2:00 to 3:00 on March 28, and from 3:00 to 2:00 on October 31.
SPRING, AUTUMN = "2027-03-27T12:00+01:00", "2027-10-30T12:00+02:00"


def options(**values: Any) -> JobOptions:
    made: JobOptions = KIND.parse({"service": "s", **values}, what="job")
    return made


def us(text: str) -> int:
    time = datetime.fromisoformat(text)
    return to_us(time.replace(tzinfo=time.tzinfo or UTC))


def fires(schedule: Schedule, after: str, count: int, zone: str = "UTC") -> list[str]:
    times = islice(upcoming(schedule, us(after)), count)
    return [from_us(time_us, ZoneInfo(zone)).isoformat(timespec="minutes") for time_us in times]


def cron(expression: str, zone: str = "UTC", **values: Any) -> Schedule:
    return make_schedule(options(job_type="cron_style", cron_definition=expression, time_zone=zone, **values), 0)


def interval(since: str = "2027-01-01", **values: Any) -> Schedule:
    return make_schedule(options(job_type="interval_based", **values), us(since))


def test_an_interval_keeps_its_grid_whenever_the_scheduler_starts() -> None:
    daily = interval(since="2027-01-10T09:00", start_date="2027-01-01T13:00", days=1)
    assert fires(daily, "2027-01-10T09:00", 2) == ["2027-01-10T13:00+00:00", "2027-01-11T13:00+00:00"]
    assert fires(daily, "2027-05-05T13:00", 1) == ["2027-05-06T13:00+00:00"]


def test_an_interval_that_starts_later_begins_at_its_start() -> None:
    later = interval(start_date="2027-06-01T08:00", hours=1, minutes=30)
    assert fires(later, "2027-01-01", 2) == ["2027-06-01T08:00+00:00", "2027-06-01T09:30+00:00"]


def test_an_interval_without_a_start_begins_one_period_after_it_was_made() -> None:
    assert fires(interval(since="2027-01-01T10:00", minutes=5), "2027-01-01T10:00", 1) == ["2027-01-01T10:05+00:00"]


def test_an_end_is_the_last_moment_that_counts() -> None:
    ending = interval(start_date="2027-01-01T10:00", hours=1, end_date="2027-01-01T12:00")
    assert len(fires(ending, "2026-12-31", 10)) == 3
    assert fires(cron("0 * * * *", end_date="2027-01-01T12:00"), "2027-01-01T10:30", 10)[-1] == "2027-01-01T12:00+00:00"


def test_repeats_are_counted_from_when_the_definition_came_into_force() -> None:
    three = interval(since="2027-01-01T10:30", start_date="2027-01-01T08:00", hours=1, repeats=3)
    assert fires(three, "2027-01-01", 10) == ["2027-01-01T11:00+00:00", "2027-01-01T12:00+00:00", "2027-01-01T13:00+00:00"]


def test_a_one_time_job_fires_once_and_at_once_when_its_time_is_over() -> None:
    once = options(job_type="one_time", start_date="2027-01-01T10:00")
    assert fires(make_schedule(once, us("2026-01-01")), "2026-06-01", 5) == ["2027-01-01T10:00+00:00"]
    assert fires(make_schedule(once, us("2027-03-01T09:00")), "2027-02-01", 5) == ["2027-03-01T09:00+00:00"]


def test_times_without_an_offset_are_of_the_job_s_zone() -> None:
    for start, wanted in {"2027-07-01T10:00": "08:00", "2027-07-01T10:00Z": "10:00", "2027-07-01T10:00-05:00": "15:00"}.items():
        once = options(job_type="one_time", start_date=start, time_zone=BERLIN)
        assert fires(make_schedule(once, 0), "2027-01-01", 1) == [f"2027-07-01T{wanted}+00:00"]


# Spring: there is no time from 2:00 to 3:00.


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("30 2 * * *", ["03-28T03:00+02:00", "03-29T02:30+02:00"]),
        ("0 1-4 * * *", ["03-28T01:00+01:00", "03-28T03:00+02:00", "03-28T04:00+02:00", "03-29T01:00+02:00"]),
        ("30 * * * *", ["03-27T12:30+01:00", "03-27T13:30+01:00"]),
        ("0 3 * * *", ["03-28T03:00+02:00", "03-29T03:00+02:00"]),
    ],
)
def test_a_cron_job_whose_time_does_not_exist_in_spring_runs_right_after_it_once(expression: str, wanted: list[str]) -> None:
    assert fires(cron(expression, BERLIN), SPRING, len(wanted), BERLIN) == [f"2027-{time}" for time in wanted]


def test_a_cron_job_with_a_wildcard_goes_by_the_clock_in_spring() -> None:
    assert fires(cron("*/20 * * * *", BERLIN), "2027-03-28T01:30+01:00", 3, BERLIN) == [
        "2027-03-28T01:40+01:00",
        "2027-03-28T03:00+02:00",
        "2027-03-28T03:20+02:00",
    ]


def test_a_daily_interval_keeps_its_time_of_day_in_spring() -> None:
    daily = interval(start_date="2027-03-26T02:30", days=1, time_zone=BERLIN)
    assert fires(daily, SPRING, 2, BERLIN) == ["2027-03-28T03:30+02:00", "2027-03-29T02:30+02:00"]


# Autumn: the times from 2:00 to 3:00 exist twice.


def test_a_cron_job_whose_time_exists_twice_in_autumn_runs_once() -> None:
    twice = cron("30 2 * * *", BERLIN)
    assert fires(twice, AUTUMN, 2, BERLIN) == ["2027-10-31T02:30+02:00", "2027-11-01T02:30+01:00"]
    for after in ("2027-10-31T02:30+02:00", "2027-10-31T02:10+01:00", "2027-10-31T02:30+01:00", "2027-10-31T02:50+01:00"):
        assert fires(twice, after, 1, BERLIN) == ["2027-11-01T02:30+01:00"], after


def test_a_cron_job_with_a_wildcard_goes_by_the_clock_in_autumn() -> None:
    assert fires(cron("30 * * * *", BERLIN), "2027-10-31T02:00+02:00", 3, BERLIN) == [
        "2027-10-31T02:30+02:00",
        "2027-10-31T02:30+01:00",
        "2027-10-31T03:30+01:00",
    ]


def test_an_interval_of_hours_is_elapsed_time_on_every_day() -> None:
    every = interval(start_date="2027-10-31T00:00", hours=1, time_zone=BERLIN)
    times = list(islice(upcoming(every, us("2027-10-30T23:30")), 5))
    assert {later - earlier for earlier, later in pairwise(times)} == {3600 * SECOND_US}


def test_a_daily_interval_keeps_its_time_of_day_in_autumn() -> None:
    daily = interval(start_date="2027-10-29T02:30", days=1, time_zone=BERLIN)
    assert fires(daily, AUTUMN, 2, BERLIN) == ["2027-10-31T02:30+02:00", "2027-11-01T02:30+01:00"]


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/St_Johns", "Australia/Lord_Howe"])
@given(
    after=st.integers(us("2027-01-01"), us("2028-12-31")),
    expression=st.sampled_from(["* * * * *", "30 2 * * *", "0 1-4 * * *", "*/15 2 * * 0", "15,45 1,2,3 * * *", "@hourly"]),
)
def test_a_fire_is_always_later_than_what_it_follows(zone: str, after: int, expression: str) -> None:
    times = list(islice(upcoming(cron(expression, zone), after), 5))
    assert times == sorted(set(times))
    assert times[0] > after


@given(
    since=st.integers(us("2027-03-01"), us("2027-04-30")),
    start=st.sampled_from(["", "2027-03-27T02:30", "2027-03-28T02:15"]),
    values=st.sampled_from([{"days": 1}, {"weeks": 1}, {"seconds": 7}, {"hours": 5, "minutes": 1}]),
    span=st.integers(0, 40 * 86_400),
    limit=st.integers(1, 20),
)
def test_what_was_missed_is_what_would_have_been_planned(
    since: int, start: str, values: dict[str, int], span: int, limit: int
) -> None:
    made = make_schedule(options(job_type="interval_based", start_date=start, time_zone=BERLIN, **values), since)
    until = since + min(span, 3000 if "seconds" in values else span) * SECOND_US
    planned = []
    for time_us in upcoming(made, since - 1):
        if time_us > until:
            break
        planned.append(time_us)
    backlog = made.backlog(since - 1, until, limit)
    assert backlog.count == len(planned)
    assert list(backlog.times_us) == planned[-limit:]


def test_a_long_backlog_of_a_cron_job_is_not_counted_for_ever() -> None:
    backlog = cron("* * * * *").backlog(us("2027-01-01"), us("2027-12-31"), 3)
    assert [from_us(time_us).isoformat() for time_us in backlog.times_us] == [
        "2027-12-30T23:58:00+00:00",
        "2027-12-30T23:59:00+00:00",
        "2027-12-31T00:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"days": 1}, "every day"),
        ({"weeks": 1, "hours": 2}, "every week 2 hours"),
        ({"seconds": 90}, "every minute 30 seconds"),
    ],
)
def test_a_schedule_is_told_in_words(values: dict[str, int], wanted: str) -> None:
    assert interval(**values).describe() == wanted


@pytest.mark.parametrize("alias", ["@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@DAILY"])
def test_an_alias_is_a_cron_expression(alias: str) -> None:
    assert fires(cron(alias), "2027-01-01", 1)


def test_an_expression_that_never_fires_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="day-of-month"):
        cron("0 0 30 2 *")
