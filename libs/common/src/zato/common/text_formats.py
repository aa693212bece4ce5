"""
What texts of a certain form have to be: times, time zones and cron expressions.

An option names its format, `option(..., format="cron")`, and the name travels with the kind's description. So a server
refuses a wrong one of a kind that another part implements, while that part need not be there.
"""

import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

_YEARS = range(1970, 2201)
_cron_aliases = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_cron_fields = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, a day that the month has",
    "month": "1 to 12, or jan to dec",
    "day-of-week": "0 to 7, where 0 and 7 are Sunday, or sun to sat",
}


def parse_time(text: str) -> datetime:
    """
    Read a time in ISO 8601, e.g. "2027-03-28T02:30" or "2027-03-28 02:30:00+02:00". Naive when it names no offset.

    Raises:
        ValueError: It says what is wanted, and what is wrong.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        reason = str(exc) if "range" in str(exc) or "must be" in str(exc) else "it cannot be read"
        raise ValueError(f"a time in ISO 8601, e.g. 2027-03-28T02:30:00 ({reason})") from None
    if time.year not in _YEARS:
        raise ValueError(f"a time from the year {_YEARS.start} to {_YEARS.stop - 1}")
    return time


def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """
    Return the zone of that name in the IANA database, e.g. "Europe/Berlin".

    Raises:
        ValueError: There is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("the name of a time zone, e.g. Europe/Berlin or UTC") from None


@lru_cache(maxsize=4096)
def cron_fields(text: str) -> str:
    """
    Return a cron expression as five fields, its alias such as "@daily" replaced.

    Raises:
        ValueError: Names the field that is wrong, with its range, or says that it never fires.
    """
    from cronsim import CronSim, CronSimError

    wanted = "a cron expression of five fields, minute first, e.g. '30 2 * * 1', or one such as @daily"
    fields = _cron_aliases.get(text.strip().lower(), text.strip())
    if len(fields.split()) != len(_cron_fields):
        raise ValueError(f"{wanted}; it has {len(fields.split())} fields")
    try:
        next(CronSim(fields, datetime(2027, 1, 1, tzinfo=UTC)))
    except CronSimError as exc:
        name = str(exc).removeprefix("Bad ")
        raise ValueError(f"{wanted}; its {name} is not acceptable: {_cron_fields.get(name, 'see crontab(5)')}") from None
    except StopIteration:
        raise ValueError(f"{wanted}; this one never fires") from None
    return fields


_checks: Mapping[str, Callable[[str], object]] = {"date-time": parse_time, "time-zone": time_zone, "cron": cron_fields}
FORMATS = frozenset(_checks)


def check_format(format: str, text: str) -> None:
    """Raise ValueError, with what is wanted, unless `text` has the format. One of a newer release is not checked."""
    if check := _checks.get(format):
        check(text)
