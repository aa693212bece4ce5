"""A sender that does not stop when things break: what it was told is kept must be there in the end."""

import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from zato.common.testing.waiting import eventually

_PAUSE_S = 0.02
_END_S = 180.0


class SteadySender:
    """
    Sends one message after the other until the block is left, each again and again until it is confirmed.

    Args:
        send: Sends one message, given its body; raises whatever it likes unless the message was confirmed.
        start: Of the bodies, e.g. "s" of s-0, s-1 and so on.

    Attributes:
        confirmed: The bodies of those that were confirmed.
        attempts: How often each was sent, by its body: one that was in doubt may be there more than once by nobody's fault.
        failures: How often one was not confirmed.
    """

    def __init__(self, send: Callable[[str], None], start: str) -> None:
        self._send = send
        self._start = start
        self.confirmed: list[str] = []
        self.attempts: Counter[str] = Counter()
        self.failures = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"steady-{start}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join(_END_S)
        if exc is None:
            assert not self._thread.is_alive(), f"{self._start}: the last message was not confirmed"

    def await_more(self, count: int, *, timeout_s: float = 60.0) -> None:
        """Return when so many further ones were confirmed."""
        wanted = len(self.confirmed) + count
        what = f"{count} more confirmed messages of {self._start}"
        eventually(lambda: len(self.confirmed) >= wanted, timeout_s=timeout_s, what=what)

    def await_failure(self, *, timeout_s: float = 60.0) -> None:
        """Return when one more was not confirmed at its first attempt."""
        before = self.failures
        eventually(lambda: self.failures > before, timeout_s=timeout_s, what=f"{self._start} to notice that something broke")

    def _run(self) -> None:
        while not self._is_over.wait(_PAUSE_S):
            body = f"{self._start}-{len(self.confirmed)}"
            while body not in self.confirmed[-1:]:
                self.attempts[body] += 1
                try:
                    self._send(body)
                except Exception:  # whatever it is, nobody has said that the message is kept
                    self.failures += 1
                    self._is_over.wait(_PAUSE_S)
                else:
                    self.confirmed.append(body)
