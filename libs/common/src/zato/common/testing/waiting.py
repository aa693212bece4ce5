"""Waiting for what should happen, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, timeout_s: float = 10.0, what: str = "") -> T:
    """
    Call `condition` until its result is true, and return that result.

    An AssertionError counts as "not yet", so a condition can be a plain function with asserts that returns True.

    Raises:
        AssertionError: It was not true within `timeout_s`. Says what was waited for and what came last.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        last: object
        try:
            result = condition()
        except AssertionError as exc:
            last = exc
        else:
            if result:
                return result
            last = result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what or condition!r}; last: {last!r}")
        time.sleep(0.02)
