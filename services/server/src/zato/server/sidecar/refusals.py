"""Calls and connections that were not let in, reported to a worker, who has the audit log: again until it has taken them."""

import asyncio
import dataclasses
import json

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.refusals import Refusal, Refusals
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

_METHOD = "Access/Refused"
_TIMEOUT_S = 10.0
_AGAIN_S = 1.0


class Reporter:
    """
    Args:
        reporter: This server's name.
    """

    def __init__(self, workers: Workers, reporter: str) -> None:
        self._workers = workers
        self._reporter = reporter
        self.refusals = Refusals()

    async def report(self) -> None:
        """Go on for ever. What is refused is in no hurry: it is looked for now and then."""
        while True:
            await asyncio.sleep(_AGAIN_S)
            try:
                for kept in self.refusals.offer():
                    await self.note(kept.refusal, self._reporter)
                    self.refusals.noted([kept.id])
            except ZatoError as exc:
                log.warning("refusals_not_audited", reason=exc.message)

    async def note(self, refusal: Refusal, reporter: str) -> None:
        """Have a worker write it down. Raises ZatoError when none does now."""
        message = json.dumps({**dataclasses.asdict(refusal), "reporter": reporter}).encode()
        await self._workers.call(_METHOD, message, cid=refusal.cid, actor=refusal.caller or "unknown", timeout_s=_TIMEOUT_S)
