"""How each person wants pages to look: time zone, form of times, theme. Kept in Redis by the name of the account."""

import contextlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import redis

THEMES = ("auto", "light", "dark")
TIME_FORMATS = {"iso": "2026-11-24 15:04:05", "day_first": "24.11.2026 15:04:05", "month_first": "11/24/2026 3:04:05 PM"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """
    Args:
        zone: "" for the browser's.
    """

    zone: str = ""
    time_format: str = "iso"
    theme: str = "auto"

    def checked(self) -> "Preferences":
        return Preferences(
            zone=self.zone if is_zone(self.zone) else "",
            time_format=self.time_format if self.time_format in TIME_FORMATS else "iso",
            theme=self.theme if self.theme in THEMES else "auto",
        )


class PreferenceStore:
    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def of(self, name: str) -> Preferences:
        """What can't be read is as if it had never been chosen."""
        with contextlib.suppress(redis.RedisError, ValueError, TypeError):
            raw = self._client.get(f"{self._prefix}preferences:{name}")
            if isinstance(raw, bytes):
                return Preferences(**json.loads(raw)).checked()
        return Preferences()

    def keep(self, name: str, preferences: Preferences) -> None:
        """Raises redis.RedisError."""
        self._client.set(f"{self._prefix}preferences:{name}", json.dumps(asdict(preferences.checked())))


@cache
def zones() -> frozenset[str]:
    """Return the names of all time zones. They are files, a few hundred: looked for once, not with each page."""
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    return name in zones()


def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name if is_zone(name) else "UTC")
