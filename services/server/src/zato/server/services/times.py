"""`self.time`: now and today, in the formats of Arrow (https://arrow.readthedocs.io), e.g. "YYYY-MM-DD HH:mm:ss"."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import arrow

_REDIS_PREFIX = "kvdb:"
_FORMAT_KEY = "kvdb:date-format:{}"


class Times:
    """
    Args:
        get: Reads a key of Redis, where formats may be kept: "kvdb:<name>" is the format in kvdb:date-format:<name>.
    """

    def __init__(self, get: Callable[[str], str | None]) -> None:
        self._get = get

    def utcnow(self, format: str = "YYYY-MM-DD HH:mm:ss", needs_format: bool = True) -> Any:
        """Return the time in UTC as text, or as an Arrow object."""
        return self._formatted(arrow.utcnow(), format, needs_format)

    def now(self, format: str = "YYYY-MM-DD HH:mm:ss", tz: str = "UTC", needs_format: bool = True) -> Any:
        return self._formatted(arrow.now(tz), format, needs_format)

    def today(self, format: str = "YYYY-MM-DD", tz: str = "UTC", needs_format: bool = True) -> Any:
        """Return the date in a time zone, e.g. "Europe/Warsaw", as text, or as an Arrow object at midnight."""
        return self._formatted(arrow.now(tz).floor("day"), format, needs_format)

    def reformat(self, value: str | date | datetime, from_: str, to: str) -> str:
        """
        Return a time that is written in one format in another one.

        Raises:
            ValueError: `value` is not in that format, or there is no format of that name.
        """
        parsed = arrow.get(value) if isinstance(value, date) else arrow.get(value, self._format(from_))
        return parsed.format(self._format(to))

    def _formatted(self, moment: arrow.Arrow, format: str, needs_format: bool) -> Any:
        return moment.format(self._format(format)) if needs_format else moment

    def _format(self, format: str) -> str:
        if not format.startswith(_REDIS_PREFIX):
            return format
        key = _FORMAT_KEY.format(format.removeprefix(_REDIS_PREFIX))
        found = self._get(key)
        if not found:
            raise ValueError(f"There is no date format '{format}': set the key {key} in Redis")
        return found
