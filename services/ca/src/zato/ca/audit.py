"""
The audit log: JSON lines, each with the hash of the one before, so that nothing can be changed or taken out unseen.

    {"number": 2, "at": "2026-01-31T12:00:00+00:00", "event": "issued", …, "previous": "3f…", "hash": "9c…"}

`hash` is the SHA-256 of the line as it is without it.
"""

import datetime
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from zato.common.errors import ZatoError

FILE = "audit.jsonl"
_FIRST = "0" * 64
_MODE = 0o600


class ChainBroken(ZatoError):
    """The audit log is not the one that was written; the message says from which entry on."""


def next_entry(number: int, previous: str, at: float, event: str, fields: Mapping[str, object]) -> tuple[str, str]:
    """Return the line and its hash. `previous` is the hash of the entry before, "" for the first."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
    entry = {"number": number, "at": moment, "event": event, **fields, "previous": previous or _FIRST}
    hashed = _hash_of(entry)
    return _text(entry | {"hash": hashed}), hashed


def verify(lines: Iterable[str]) -> int:
    """Return how many entries there are. Raises ChainBroken."""
    previous, count = _FIRST, 0
    for count, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            given = entry.pop("hash")
            is_whole = entry["number"] == count and entry["previous"] == previous and given == _hash_of(entry)
        except (ValueError, KeyError, TypeError, AttributeError):
            is_whole = False
        if not is_whole:
            raise ChainBroken(f"The audit log is broken at entry {count}: it was changed, or entries before it are missing")
        previous = given
    return count


class AuditFile:
    """
    The log on disk: only ever appended to. The store has the truth, what a crash kept from the file is added later.

    Raises:
        ChainBroken: The file has entries that the store doesn't know.
    """

    def __init__(self, folder: Path, entries: Iterable[str]) -> None:
        self._path = folder / FILE
        self._count = 0
        self._repair(tuple(entries))

    @property
    def count(self) -> int:
        """How many entries it has."""
        return self._count

    def append(self, lines: Iterable[str]) -> None:
        """Write the lines and return when they are on the disk."""
        written = tuple(lines)
        if not written:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        with open(descriptor, "a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in written))
            file.flush()
            os.fsync(descriptor)
        self._count += len(written)

    def _repair(self, entries: tuple[str, ...]) -> None:
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.decode(errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if number > len(entries) or line != entries[number - 1]:
                raise ChainBroken(f"{self._path} is not what was written, from entry {number} on: keep it, ask who changed it")
        if len(whole) < len(content):
            # A line that was being written when the machine went down; the store has all of it.
            os.truncate(self._path, len(whole))
        self._count = len(lines)
        self.append(entries[self._count :])


def _hash_of(entry: Mapping[str, object]) -> str:
    return hashlib.sha256(_text(entry).encode()).hexdigest()


def _text(entry: Mapping[str, object]) -> str:
    return json.dumps(entry, ensure_ascii=True, separators=(",", ":"))
