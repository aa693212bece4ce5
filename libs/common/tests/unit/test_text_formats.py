import pytest

from zato.common.errors import InvalidOptions
from zato.common.kinds import Kind, OptionRule
from zato.common.options import option, options
from zato.common.text_formats import FORMATS, check_format, cron_fields, parse_time
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription


@options
class TimerOptions:
    """A kind with everything that texts and rules can have."""

    mode: str = option("Which", choices=("cron", "interval"), default="interval")
    expression: str = option("Cron", default="", format="cron")
    minutes: int | None = option("Minutes", default=None, minimum=0)
    hours: int = option("Hours", default=0, minimum=0)
    start: str = option("First", default="", format="date-time")
    end: str = option("Last", default="", format="date-time")
    zone: str = option("Zone", default="UTC", format="time-zone")
    note: str = option("Note", default="", max_length=5)


OWN = Kind(
    "timer",
    "Timer",
    TimerOptions,
    rules=(
        OptionRule(option="mode", value="cron", all_of=("expression",)),
        OptionRule(option="mode", value="interval", any_of=("minutes", "hours")),
        OptionRule(ascending=("start", "end")),
    ),
)


@pytest.fixture(params=["own", "described"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind where it is declared, and where only its description arrived."""
    if request.param == "own":
        return OWN
    return Kind.from_description(KindDescription.FromString(OWN.describe().SerializeToString()))


def test_what_fits_is_taken(kind: Kind) -> None:
    values = {"minutes": 5, "start": "2027-01-01", "end": "2027-01-01T00:00:01", "zone": "Europe/Berlin", "note": "12345"}
    assert kind.parse(values, what="t").minutes == 5
    assert kind.parse({"mode": "cron", "expression": "@daily"}, what="t").expression == "@daily"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "'hours' has to be more than zero when 'mode' is interval, or another one of 'minutes', 'hours'"),
        ({"minutes": 0, "hours": 0}, "'hours' has to be more than zero"),
        ({"mode": "cron"}, "'expression' is required when 'mode' is cron"),
        (
            {"mode": "cron", "expression": "0 24 * * *"},
            "'expression' takes a cron expression.*its hour is not acceptable: 0 to 23",
        ),
        ({"mode": "cron", "expression": "0 0 * *"}, "it has 4 fields"),
        ({"mode": "cron", "expression": "0 0 0 1 1 *"}, "it has 6 fields"),
        ({"mode": "cron", "expression": "@sometimes"}, "it has 1 fields"),
        ({"mode": "cron", "expression": "0 0 31 4,6 *"}, "day-of-month.*a day that the month has"),
        ({"hours": 1, "start": "2027-02-29"}, "'start' takes a time in ISO 8601.*day is out of range for month"),
        ({"hours": 1, "start": "soon"}, "'start' takes a time in ISO 8601.*it cannot be read"),
        ({"hours": 1, "start": "9999-01-01"}, "'start' takes a time from the year 1970 to 2200"),
        ({"hours": 1, "start": "2027-01-02", "end": "2027-01-02"}, "'end' has to be later than 'start'"),
        ({"hours": 1, "start": "2027-01-01T10:00+02:00", "end": "2027-01-01T09:00+01:00"}, "'end' has to be later"),
        ({"hours": 1, "zone": "Mars/Olympus"}, "'zone' takes the name of a time zone"),
        ({"hours": 1, "zone": "../../etc/passwd"}, "'zone' takes the name of a time zone"),
        ({"hours": 1, "note": "123456"}, "'note' takes text of at most 5 characters, and has 6"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_with_what_was_wanted(kind: Kind, values: dict[str, object], wanted: str) -> None:
    with pytest.raises(InvalidOptions, match=wanted):
        kind.parse(values, what="timer 't'")


def test_all_that_is_wrong_between_options_is_told_at_once() -> None:
    with pytest.raises(InvalidOptions) as raised:
        OWN.parse({"start": "2027-01-02", "end": "2027-01-01"}, what="t")
    assert raised.value.attributes.keys() == {"hours", "end"}


def test_a_description_whose_rule_names_what_there_is_not_is_refused() -> None:
    description = OWN.describe()
    description.rules.add(all_of=["nothing"])
    with pytest.raises(InvalidOptions, match="a rule names options that there are not: nothing"):
        Kind.from_description(description)


def test_a_format_of_a_newer_release_is_not_checked() -> None:
    check_format("colour", "neither red nor green")
    assert {"cron", "date-time", "time-zone"} == FORMATS


def test_an_alias_is_five_fields() -> None:
    assert cron_fields(" @Hourly ") == "0 * * * *"
    assert cron_fields("*/5 1-3 * jan mon") == "*/5 1-3 * jan mon"


def test_a_time_keeps_the_offset_that_it_names() -> None:
    assert parse_time("2027-03-28 02:30").tzinfo is None
    assert parse_time("2027-03-28T02:30Z").utcoffset() is not None
