"""What channels of all protocols have: the same words for their services, and members that take messages beside each other."""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from zato.common.connectors.intake import IntakeSettings


class ServiceOptions(Protocol):
    """Of a channel's options, those that say what is done with a message. `IntakeSettings` has their meanings."""

    @property
    def service(self) -> str: ...
    @property
    def data_format(self) -> str: ...
    @property
    def tries(self) -> int: ...
    @property
    def retry_after_s(self) -> float: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def inbox_s(self) -> int: ...


def intake_settings(options: ServiceOptions, **more: Any) -> IntakeSettings:
    """
    Return what an intake needs to know, from a channel's options.

    Args:
        more: What the protocol calls otherwise or has none of, e.g. `is_ordered`; counts over the options.
    """
    names = ("service", "data_format", "tries", "retry_after_s", "timeout_s", "inbox_s")
    return IntakeSettings(**{**{name: getattr(options, name) for name in names}, **more})


class Crew:
    """
    Those who take the messages of one channel beside each other, consumers or readers, and how the channel fares with them.

    Args:
        size: How many there are.
        report: Told whether any of them works, and why another one does not.
    """

    def __init__(self, size: int, report: Callable[[bool, str], None]) -> None:
        self._size = size
        self._report = report
        self._lock = threading.Lock()
        self._reasons: dict[object, str] = {}

    def fares(self, member: object, reason: str) -> None:
        """One of them works, or says why it does not. Called in the members' threads."""
        with self._lock:
            self._reasons[member] = reason
            reasons = list(self._reasons.values())
            reasons += ["it connects"] * (self._size - len(reasons))
            # With one that works messages flow; the reason why another does not is worth to know all the same.
            self._report("" in reasons, next((each for each in reasons if each), ""))
