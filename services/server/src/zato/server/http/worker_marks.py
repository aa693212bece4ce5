"""
What a worker tells gunicorn's master beside that it lives: that it serves, and that it wants to be replaced.

Both have the file open by whose time of change the master sees that a worker lives; its size is free to mean something.
"""

import os
from typing import Any

_SERVES, _IS_WORN = 1, 2


def say_serving(worker: Any) -> None:
    _say(worker, _SERVES)


def say_worn(worker: Any) -> None:
    _say(worker, _IS_WORN)


def is_serving(worker: Any) -> bool:
    return _mark(worker) == _SERVES


def is_worn(worker: Any) -> bool:
    return _mark(worker) == _IS_WORN


def _say(worker: Any, mark: int) -> None:
    os.ftruncate(worker.tmp.fileno(), mark)
    # Its time of change is in seconds of the monotonic clock, which the system does not know.
    worker.tmp.notify()


def _mark(worker: Any) -> int:
    return os.fstat(worker.tmp.fileno()).st_size
