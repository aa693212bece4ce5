"""Lines that are written for each request, or message: so many that each has to cost little."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, BinaryIO

import gevent
import orjson

from zato.common.logs import get_logger

# Of what others say and a line repeats.
MAX_CHARACTERS = 200
_WRITE_AFTER_S = 0.1
_MAX_WAITING = 1000


class FrequentLines:
    """
    Lines of one event.

    They are made without the machinery of other lines, and written together a tenth of a second later. A worker that is
    killed takes the last ones along.

    Args:
        logger: As in other lines; its level says whether these are wanted.
        event: Of all of them.
        part: As in all other lines.
        stream: Where JSON goes; None on a terminal, where these are lines as all others.
    """

    def __init__(self, logger: str, event: str, part: str, stream: BinaryIO | None) -> None:
        self._logger = logger
        self._event = event
        self._part = part
        self._stream = stream
        self._log = get_logger(logger)
        self._is_wanted = logging.getLogger(logger).isEnabledFor(logging.INFO)
        self._waiting: list[tuple[int, str, dict[str, Any]]] = []
        self._second, self._second_text = 0, ""

    def add(self, cid: str, fields: dict[str, Any]) -> None:
        if not self._is_wanted:
            return
        if self._stream is None:
            self._log.info(self._event, **fields)
            return
        if not self._waiting:
            gevent.spawn_later(_WRITE_AFTER_S, self.flush)
        self._waiting.append((time.time_ns(), cid, fields))
        if len(self._waiting) >= _MAX_WAITING:
            self.flush()

    def _line(self, moment_ns: int, cid: str, fields: dict[str, Any]) -> bytes:
        timestamp = self._timestamp(moment_ns)
        fields.update(event=self._event, cid=cid, logger=self._logger, level="info", timestamp=timestamp, part=self._part)
        return _encode(fields)

    def _timestamp(self, moment_ns: int) -> str:
        """A moment as all lines have it. What all of a second's lines share is made once."""
        seconds, microseconds = divmod(moment_ns // 1000, 1_000_000)
        if seconds != self._second:
            self._second, self._second_text = seconds, f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._second_text}.{microseconds:06d}Z"

    def flush(self) -> None:
        if self._stream is not None and self._waiting:
            lines, self._waiting = self._waiting, []
            self._stream.write(b"".join([self._line(*line) for line in lines]))
            self._stream.flush()


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half of a character, which UTF-8 has no form for
        return json.dumps(line).encode() + b"\n"


def shown(text: str) -> str:
    """Clients send any byte, and any number: what is no ASCII might be an order to the terminal that shows the log."""
    text = text[:MAX_CHARACTERS]
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()
