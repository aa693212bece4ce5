"""Requests without a pause, to find out what a change or a failure costs clients."""

import threading
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType, TracebackType

from zato.common.testing.waiting import eventually


class Load:
    """
    Steady requests until the block is left.

    Args:
        body: What is posted; GETs are sent without one.

    Attributes:
        answers: The bodies.
        failures: Whatever was no 200, and why.
    """

    def __init__(
        self,
        url: str,
        *,
        threads: int = 4,
        pause_s: float = 0.005,
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | None = None,
    ) -> None:
        self.url = url
        self._request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 (a URL of tests)
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self._pause_s = pause_s
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int) -> None:
        """Return when that many further requests were answered."""
        seen = len(self.answers)

        def has_more() -> bool:
            assert len(self.answers) >= seen + count, self.failures[-3:]
            return True

        eventually(has_more, what=f"{count} answers from {self.url}")

    def _run(self) -> None:
        while not self._is_over.wait(self._pause_s):
            try:
                with urllib.request.urlopen(self._request, timeout=20) as response:  # noqa: S310 (a URL of tests)  # nosec B310
                    self.answers.append(response.read())
            except Exception as exc:  # whatever it is, the client saw it
                self.failures.append(repr(exc))
