"""Calls and connections that were not let in, reported to a worker, who has the audit log: again until it has taken them."""

import asyncio
from collections.abc import Sequence

from zato.common.cid import new_cid
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.refusal_reports import as_report
from zato.common.rpc.refusals import Refusals
from zato.proto.control_plane.v1.control_plane_pb2 import RefusalReport, ReportRefusalsRequest
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

_METHOD = "ControlPlane/ReportRefusals"
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
                offered = self.refusals.offer()
                await self.note([as_report(each) for each in offered], self._reporter)
                self.refusals.noted(each.id for each in offered)
            except ZatoError as exc:
                log.warning("refusals_not_audited", reason=exc.message)

    async def note(self, reports: Sequence[RefusalReport], reporter: str) -> None:
        """Have a worker write them down, all or none. Raises ZatoError when none does now."""
        if reports:
            message = ReportRefusalsRequest(reporter=reporter, refusals=reports).SerializeToString()
            await self._workers.call(_METHOD, message, cid=new_cid(), actor=reporter, timeout_s=_TIMEOUT_S)
