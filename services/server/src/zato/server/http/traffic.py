"""What channels and servers answer, as people look at it live and over days: see `services/counts.py`."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from zato.server.services.counts import Counts, CountsWriter

if TYPE_CHECKING:
    import redis

CHANNEL, SERVER = "channel:", "server:"


class Traffic:
    """
    HTTP requests by channel and by server; those with a status of 500 and above are its errors.

    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:http".
        server: The name of this one.
        take: Returns how channels fared since it was asked last.
    """

    def __init__(
        self,
        conn: "redis.Redis",
        prefix: str,
        server: str,
        take: Callable[[], Mapping[str, Counts]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.prefix = prefix
        self._take = take
        self._server = f"{SERVER}{server}"
        self._counts: dict[str, Counts] = {}
        self._writer = CountsWriter(conn, prefix, clock)

    def add(self, channels: Mapping[str, Counts]) -> None:
        """Take over what somebody else was told. A request that no channel matched is of the channel ""."""
        for name, counts in channels.items():
            for subject in (f"{CHANNEL}{name}", self._server):
                self._counts.setdefault(subject, Counts()).add(counts)

    def flush_seconds(self) -> None:
        self.add(self._take())
        counts, self._counts = self._counts, {}
        self._writer.write_seconds(counts)

    def flush(self) -> None:
        self.flush_seconds()
        self._writer.write_longer()
