"""The outermost step: one log line and one measurement for each request."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, BinaryIO

import gevent
import orjson

from zato.common.logs import bind_cid, get_logger
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.metrics import Metrics

_LOGGER = "zato.access"
_EVENT = "http_request"
_MAX_CHARACTERS = 200
_WRITE_AFTER_S = 0.1
_MAX_WAITING = 1000


class AccessLog:
    """
    Lines of requests, or of calls.

    There are so many that each has to cost little: they are made without the machinery of other lines, and written together a
    tenth of a second later. A worker that is killed takes the last ones along.

    Args:
        part: As in all other lines.
        stream: Where JSON goes; None on a terminal, where these are lines as all others.
        logger, event: In each line.
    """

    def __init__(self, part: str, stream: BinaryIO | None, *, logger: str = _LOGGER, event: str = _EVENT) -> None:
        self._part = part
        self._stream = stream
        self._logger = logger
        self._event = event
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


def make_access_log_step(metrics: Metrics, access_log: AccessLog) -> Step:
    def log_access(request: Request, next: Handler) -> Response:
        with bind_cid(request.cid):
            started = time.perf_counter()
            response = next(request)
            if (stream := response.stream) is not None:
                stream.on_end(lambda: note(request, response, started, stream.sent_bytes))
            else:
                note(request, response, started, len(response.body))
            return response

    def note(request: Request, response: Response, started: float, sent_bytes: int) -> None:
        elapsed_s = time.perf_counter() - started
        channel = request.channel.name if request.channel is not None else ""
        metrics.observe_request(channel, request.method, response.status, elapsed_s)
        fields = {
            "method": request.method,
            "path": request.path[:_MAX_CHARACTERS],
            "channel": channel,
            "status": response.status,
            "bytes_in": len(request.body),
            "bytes_out": sent_bytes,
            "duration_ms": round(elapsed_s * 1000, 2),
            "remote_address": request.remote_address,
            "user_agent": shown(request.header(b"user-agent")),
        }
        access_log.add(request.cid, fields)

    return log_access


def shown(text: str) -> str:
    """Clients send any byte, and any number: what is no ASCII might be an order to the terminal that shows the log."""
    text = text[:_MAX_CHARACTERS]
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()
