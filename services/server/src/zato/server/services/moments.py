"""Points in time as published services know them: in UTC, without saying so."""

from datetime import UTC, datetime


def utc(seconds: float) -> datetime:
    """Return the time so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
