"""Each conversion takes what it takes, and raises Unfit for everything else there is."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common import conversions
from zato.common.conversions import Unfit
from zato.common.errors import ElementMissing, WrongElement

CONVERSIONS: list[Callable[[Any], Any]] = [
    conversions.to_text,
    conversions.to_int,
    conversions.to_float,
    conversions.to_bool,
    conversions.to_decimal,
    conversions.to_date,
    conversions.to_datetime,
    conversions.to_utc_datetime,
    conversions.to_uuid,
]
_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["9" * 5000, "1e999999999", "0000-00-00", "Mon, 99 Foo 2030 25:61:61 +9999", object()]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@pytest.mark.parametrize("convert", CONVERSIONS)
@given(value=_anything)
def test_a_value_is_taken_or_unfit(convert: Callable[[Any], Any], value: Any) -> None:
    with suppress(Unfit):
        convert(value)


@pytest.mark.parametrize("convert", CONVERSIONS)
@given(value=_anything)
def test_what_was_converted_stays_as_it_is(convert: Callable[[Any], Any], value: Any) -> None:
    try:
        once = convert(value)
    except Unfit:
        return
    assert convert(once) == once


@given(st.integers())
def test_integers_come_back_from_text(value: int) -> None:
    assert conversions.to_int(str(value)) == conversions.to_int(value) == value


@given(st.dates())
def test_dates_come_back_from_text(value: date) -> None:
    assert conversions.to_date(value.isoformat()) == value
    assert conversions.to_datetime(value) == datetime.combine(value, time())


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_from_text(value: datetime) -> None:
    assert conversions.to_datetime(value.isoformat()) == conversions.to_datetime(str(value)) == value


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (conversions.to_text, b"x", "x"),
        (conversions.to_text, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (conversions.to_text, time(1, 2), "01:02:00"),
        (conversions.to_int, Decimal("7.0"), 7),
        (conversions.to_datetime, "Tue, 31 Dec 2030 23:59:59 +0000", datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (conversions.to_datetime, "December 31, 2030 23:59", datetime(2030, 12, 31, 23, 59)),
        (conversions.to_utc_datetime, "2030-12-31T23:59:59", datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (conversions.to_bool, " TRUE ", True),
    ],
)
def test_less_usual_values(convert: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (conversions.to_text, b"\xff"),
        (conversions.to_text, 10**5000),
        (conversions.to_int, float("inf")),
        (conversions.to_int, Decimal("sNaN")),
        (conversions.to_int, True),
        (conversions.to_float, Decimal("NaN")),
        (conversions.to_float, "1_0"),
        (conversions.to_bool, 1.0),
        (conversions.to_date, "1/2/2030"),
        (conversions.to_date, "2030"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_mean_nothing(convert: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(Unfit):
        convert(value)


def test_an_unfit_value_becomes_an_error_with_its_path() -> None:
    error = Unfit("a text").inside("/c").inside("[0]").inside("/a").as_error()
    assert type(error) is WrongElement
    assert (error.message, error.attributes) == ("Element has a wrong value: /a[0]/c takes a text", {"path": "/a[0]/c"})
    missing = conversions.missing().inside("/b").inside("[1]").as_error()
    assert type(missing) is ElementMissing
    assert missing.message == "Element missing: /[1]/b"
