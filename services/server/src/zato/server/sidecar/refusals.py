"""Calls that were not let in, reported to a worker, who has the audit log."""

import asyncio
import dataclasses
import json
import time

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.access import Refusal
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

_METHOD = "Access/Refused"
_TIMEOUT_S = 10.0
# Who is refused all the time must not fill the ODB; the log has all of them.
_MAX_IN_WINDOW = 60
_WINDOW_S = 60.0


class Refusals:
    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._recent: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, refusal: Refusal) -> None:
        """Report it; whoever was refused need not wait for that."""
        now = time.monotonic()
        self._recent = [at for at in self._recent if at > now - _WINDOW_S]
        if len(self._recent) >= _MAX_IN_WINDOW:
            return
        self._recent.append(now)
        task = asyncio.get_running_loop().create_task(self._report(refusal))
        # The loop itself keeps no task alive.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, refusal: Refusal) -> None:
        message = json.dumps(dataclasses.asdict(refusal)).encode()
        try:
            await self._workers.call(_METHOD, message, cid=refusal.cid, actor=refusal.caller or "unknown", timeout_s=_TIMEOUT_S)
        except ZatoError as exc:
            log.warning("refusal_not_audited", method=refusal.method, reason=exc.message)
