"""Bodies that are made while they are sent, so that none of them is in memory as a whole."""

from collections.abc import Callable, Iterator
from typing import Any

from zato.common.errors import InternalError

_READ_BYTES = 65536
# What nearly all payloads are: they need not be asked what they can do.
_VALUES = frozenset({dict, list, str, bytes, type(None), int, float, bool})


class Stream:
    """
    The pieces of a response's body. Whoever has one closes it in the end, sent or not.

    Args:
        source: An iterator of bytes or text, or a file; it is closed too, if it can be.

    Attributes:
        sent_bytes: How many were taken so far.
    """

    __slots__ = ("_ends", "_is_closed", "_pieces", "_source", "_waiting", "sent_bytes")

    def __init__(self, source: Any) -> None:
        self._source = source
        self._pieces: Iterator[Any] = iter(lambda: source.read(_READ_BYTES) or b"", b"") if _is_file(source) else source
        self._waiting = b""
        self._ends: list[Callable[[], None]] = []
        self._is_closed = False
        self.sent_bytes = 0

    def begin(self) -> None:
        """
        Have the first piece made, so that what goes wrong until then can still be answered with an error.

        Raises:
            Exception: Whatever the source raised; it is closed.
        """
        try:
            self._waiting = self._make()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> bytes:
        piece, self._waiting = self._waiting or self._make(), b""
        if not piece:
            raise StopIteration
        self.sent_bytes += len(piece)
        return piece

    def on_end(self, end: Callable[[], None]) -> None:
        """Have `end` called when this is closed."""
        self._ends.append(end)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if (close := getattr(self._source, "close", None)) is not None:
                close()
        finally:
            for end in self._ends:
                end()

    def _make(self) -> bytes:
        """Return the next piece that is not empty; b"" when there is none."""
        for piece in self._pieces:
            if isinstance(piece, str):
                piece = piece.encode()
            if not isinstance(piece, bytes | bytearray | memoryview):
                raise InternalError(f"The service's response has a piece that is neither bytes nor text: {piece!r:.80}")
            if piece:
                return bytes(piece)
        return b""


def is_stream(payload: Any) -> bool:
    """Whether a service's payload is an iterator or a file, rather than a value."""
    if type(payload) in _VALUES:
        return False
    return isinstance(payload, Iterator) or _is_file(payload)


def _is_file(payload: Any) -> bool:
    return callable(getattr(payload, "read", None))
