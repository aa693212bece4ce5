"""Times as people read them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from zato.webadmin.times import ago, shown

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("iso", "2026-11-24 13:00:00"), ("day_first", "24.11.2026 13:00:00"), ("month_first", "11/24/2026 01:00:00 PM")],
)
def test_a_time_is_shown_in_the_zone_and_form_of_whoever_looks(form: str, expected: str) -> None:
    assert shown("2026-11-24T12:00:00+00:00", ZoneInfo("Europe/Berlin"), form) == expected
    assert shown(NOON.timestamp(), ZoneInfo("Europe/Berlin"), form) == expected


def test_a_time_without_a_zone_is_utc_and_what_is_no_time_is_empty() -> None:
    assert shown("2026-11-24T12:00:00", ZoneInfo("UTC"), "iso") == "2026-11-24 12:00:00"
    assert shown("", ZoneInfo("UTC"), "iso") == shown(None, ZoneInfo("UTC"), "iso") == ""


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-24T11:59:50", "10 s ago"),
        ("2026-11-24T11:55:00", "5 min ago"),
        ("2026-11-24T14:00:00", "in 2 h"),
        ("2026-11-20T12:00:00", "4 days ago"),
        ("2020-11-20T12:00:00", "6 years ago"),
    ],
)
def test_how_long_ago_something_was(time: str, expected: str) -> None:
    assert ago(time, NOON) == expected
