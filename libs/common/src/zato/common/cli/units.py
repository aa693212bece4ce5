"""Quantities as people read them."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_MEBIBYTE = 1024 * 1024


def duration(seconds: float) -> str:
    """Return e.g. "12 s", "3 min 5 s", "2 h 10 min" or "4 d 3 h"."""
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def mebibytes(count: int) -> str:
    """Return e.g. "113 MB", counted in 1024 × 1024 bytes as system monitors do."""
    return f"{count / _MEBIBYTE:.0f} MB"
