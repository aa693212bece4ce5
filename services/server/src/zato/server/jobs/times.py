"""
Planned times are whole microseconds since the epoch, UTC: they are keys, and have to be the same number everywhere.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def from_us(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def now_us() -> int:
    return to_us(datetime.now(UTC))
