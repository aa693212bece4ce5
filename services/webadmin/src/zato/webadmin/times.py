"""Times as people read them: in their zone, in the form that they chose."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_FORMS = {"iso": "%Y-%m-%d %H:%M:%S", "day_first": "%d.%m.%Y %H:%M:%S", "month_first": "%m/%d/%Y %I:%M:%S %p"}
_STEPS = ((60, "s"), (60, "min"), (24, "h"), (7, "days"), (4.35, "weeks"), (12, "months"))


def parsed(value: object) -> datetime | None:
    """Return the time that a text in ISO 8601, UTC unless it says otherwise, or seconds since 1970 stand for."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        time = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return time.replace(tzinfo=time.tzinfo or UTC)


def shown(value: object, zone: ZoneInfo, time_format: str) -> str:
    time = parsed(value)
    return time.astimezone(zone).strftime(_FORMS.get(time_format, _FORMS["iso"])) if time else ""


def ago(value: object, now: datetime) -> str:
    """Return e.g. "5 min ago" or "in 2 h"."""
    time = parsed(value)
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    size, unit = abs(seconds), "years"
    if size < 1:
        return "now"
    for step, name in _STEPS:
        if size < step:
            unit = name
            break
        size /= step
    return f"{size:.0f} {unit} ago" if seconds > 0 else f"in {size:.0f} {unit}"
