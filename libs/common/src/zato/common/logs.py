"""
Structured logs: a static event name and fields, columns on a terminal, one JSON object a line elsewhere.

    log = get_logger(__name__)
    log.info("job_fired", job_id=job.id, late_s=0.4)

`cid` is bound once where a request enters (`bind_cid`) and is in every line from then on.
"""

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

# structlog takes in, where others have installed it, what is of no use to us: rich, 10 MB in every process, to paint
# tracebacks, colorama for Windows, and greenlet for a module that it has given up.
_OF_NO_USE = [name for name in ("rich", "colorama", "greenlet") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_OF_NO_USE))  # type: ignore[arg-type]
import structlog  # noqa: E402

for _name in _OF_NO_USE:
    del sys.modules[_name]

_MAX_FIELD_CHARACTERS = 1500
# Two surrogates, of six characters each: the most that JSON makes of one.
_MOST_OF_ONE = 12

_current_cid: ContextVar[str] = ContextVar("zato_cid", default="")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


class bind_cid:
    """Put `cid` into every line that is logged inside the `with` block, in this greenlet, thread or task only."""

    __slots__ = ("_cid", "_token")

    def __init__(self, cid: str) -> None:
        self._cid = cid

    def __enter__(self) -> None:
        self._token = _current_cid.set(self._cid)

    def __exit__(self, *_exc: object) -> None:
        _current_cid.reset(self._token)


def current_cid() -> str:
    """Return the cid that is bound here, "" outside of everything that has one."""
    return _current_cid.get()


def is_for_people(log_format: str, stream: TextIO) -> bool:
    """Whether lines go out in columns for a terminal, rather than as JSON."""
    return log_format == "console" or (log_format == "auto" and stream.isatty())


def configure(part: str, *, log_format: str = "auto", level: str = "INFO", stream: TextIO | None = None) -> None:
    """
    Set up logging of the whole process, the standard library's loggers included.

    Args:
        part: Name of the part, in every line.
        log_format: "json", "console", or "auto": console on a terminal, JSON elsewhere.
    """
    stream = stream or sys.stderr

    def add_part(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("part", part)
        return event

    shared: list[structlog.typing.Processor] = [
        _add_cid,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_part,
    ]
    if is_for_people(log_format, stream):
        # Its own choice of traceback prints the values of variables, passwords included.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        final: list[structlog.typing.Processor] = [_shorten, renderer]
    else:
        final = [structlog.processors.format_exc_info, _shorten, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _add_cid(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if cid := _current_cid.get():
        event.setdefault("cid", cid)
    return event


def _shorten(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Bound each field, so that no client can fill a disk with one request. A traceback keeps its end, where the reason is."""
    for key, value in event.items():
        if key == "exc_info" or value is None or isinstance(value, bool | float):
            continue
        try:
            text = value if isinstance(value, str) else repr(value)
        except Exception:  # a number of too many digits, or an object whose __repr__ is broken
            event[key] = f"a {type(value).__name__} that cannot be shown"
            continue
        short = _cut(text, keep_end=key == "exception")
        if short != text:
            event[key] = f"… {short}" if key == "exception" else f"{short} …"
    return event


def _cut(text: str, *, keep_end: bool) -> str:
    """Return as much of `text` as fits when it is written as JSON, where one character can take twelve."""
    # Nearly all fields: counting them exactly would take longer than anything else that a request needs.
    if len(text) * _MOST_OF_ONE <= _MAX_FIELD_CHARACTERS:
        return text
    length = min(len(text), _MAX_FIELD_CHARACTERS)
    while True:
        part = text[len(text) - length :] if keep_end else text[:length]
        if (needed := len(json.dumps(part)) - 2) <= _MAX_FIELD_CHARACTERS:
            return part
        length = min(length - 1, length * _MAX_FIELD_CHARACTERS // needed)
