"""Tokens that were found good: checking a signature takes longer than all the rest of a request."""

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_TOKENS = 4096


class TokenCache(Generic[T]):
    """What tokens were found to say, by a digest of them. Those that were not used for longest are forgotten first."""

    def __init__(self, size: int = _MOST_TOKENS) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[T, float]] = OrderedDict()

    def get(self, token: str, now: float) -> T | None:
        key = _digest(token)
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, ends_at = entry
        if now >= ends_at:
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, token: str, value: T, ends_at: float) -> None:
        self._entries[_digest(token)] = (value, ends_at)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
