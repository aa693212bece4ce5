"""
From values as they arrive, JSON's types and text, to Python's: integers, dates, booleans.

Each function raises Unfit when the value is nothing that it takes, and never anything else, whatever the value.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

from zato.common.errors import BadRequest, ElementIsNotAList, ElementMissing, WrongElement

_BOOLEANS: Mapping[Any, bool] = {
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1", 1), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0", 0), False),
}
# Beside ISO 8601: what can mean one day only, wherever its reader lives. Day and month in numbers can't.
_DATE_FORMATS = ("%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_TIME_FORMATS = ("", " %H:%M", " %H:%M:%S")
_LONGEST_DATE = 64
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_FLOAT = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


class Unfit(ValueError):
    """
    A value is not what an element takes.

    Attributes:
        path: Where it is, built up on the way out, e.g. "/lines[2]/count".
    """

    path = ""

    def __init__(self, wanted: str = "", make_error: Callable[["Unfit"], BadRequest] | None = None) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self._make_error = make_error

    def inside(self, part: str) -> "Unfit":
        """Put `part`, "/name" or "[3]", before the path, and return self for raising."""
        self.path = part + self.path
        return self

    def as_error(self) -> BadRequest:
        """Return what the client gets. Values are not repeated: they may be secret, and the client has them."""
        if not self.path.startswith("/"):
            self.path = f"/{self.path}"
        if self._make_error is not None:
            return self._make_error(self)
        return WrongElement(f"Element has a wrong value: {self.path} takes {self.wanted}", path=self.path)


def missing() -> Unfit:
    return Unfit("", lambda unfit: ElementMissing(f"Element missing: {unfit.path}", path=unfit.path))


def not_a_list() -> Unfit:
    return Unfit("a list", lambda unfit: ElementIsNotAList(f"Element is not a list: {unfit.path}", path=unfit.path))


def to_text(value: Any) -> str:
    """Numbers become text, as do dates and the like; what has parts has no text."""
    if isinstance(value, str):
        return value
    try:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, int | float | Decimal | UUID):
            return str(value)
    except ValueError:  # an integer of thousands of digits, or bytes that are no UTF-8
        raise Unfit("a text") from None
    if isinstance(value, date | time):
        return value.isoformat()
    raise Unfit("a text")


def to_int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, float | Decimal) and value == int(value):
            return int(value)
    except (ValueError, OverflowError):  # thousands of digits; infinity
        pass
    raise Unfit("an integer")


def to_float(value: Any) -> float:
    try:
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return _finite(float(value))
        if isinstance(value, str) and _FLOAT.fullmatch(value):
            return _finite(float(value))
    except (ValueError, OverflowError):
        pass
    raise Unfit("a number")


def to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = value.strip().lower() if isinstance(value, str) else value if isinstance(value, int) else None
    if known in _BOOLEANS:
        return _BOOLEANS[known]
    raise Unfit("true or false")


def to_decimal(value: Any) -> Decimal:
    try:
        if isinstance(value, Decimal | int | float | str) and not isinstance(value, bool):
            # Of a float the digits that people see are meant, 0.1, not the fraction that it is made of.
            made = Decimal(str(value).strip())
            if made.is_finite():
                return made
    except (InvalidOperation, ValueError):
        pass
    raise Unfit("a decimal number")


def to_date(value: Any) -> date:
    """Raises Unfit unless `value` is a date, or ISO 8601 or another text that can mean one day only."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    parsed = _parse_datetime(value)
    if parsed is None:
        raise Unfit("a date, e.g. 2030-12-31")
    return parsed.date()


def to_datetime(value: Any) -> datetime:
    """The same for points in time. One without a time zone stays without."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    parsed = _parse_datetime(value)
    if parsed is None:
        raise Unfit("a date and time, e.g. 2030-12-31T23:59:59")
    return parsed


def to_utc_datetime(value: Any) -> datetime:
    """A point in time, in UTC if it does not say where."""
    made = to_datetime(value)
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def to_uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise Unfit("a UUID") from None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError
    return value


def _parse_datetime(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return None
    text = value.strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for date_format in _DATE_FORMATS:
        for time_format in _TIME_FORMATS:
            try:
                return datetime.strptime(text, date_format + time_format)
            except ValueError:
                continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
