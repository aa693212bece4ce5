"""
Headers that pika cannot read, such as a time past the year 9999.

pika raises in the middle of its reading: the connection ends, the broker delivers the message again, and so for ever. A table
says how long it is, so one that can't be read is passed over, and the message comes with a mark in its place.
"""

import struct
from typing import Any

from pika import data

UNREADABLE = "x-zato-unreadable"
_decode_table = data.decode_table


def _tolerant(encoded: bytes, offset: int) -> tuple[dict[str, Any], int]:
    try:
        return _decode_table(encoded, offset)  # type: ignore[no-any-return]
    except Exception as exc:  # whatever strangers think of
        (length,) = struct.unpack_from(">I", encoded, offset)
        return {UNREADABLE: f"{type(exc).__name__}: {exc}"}, offset + 4 + length


def tolerate() -> None:
    """Have pika read on past tables that it can't read; in the whole process."""
    data.decode_table = _tolerant
