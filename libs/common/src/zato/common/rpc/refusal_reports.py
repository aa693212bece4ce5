"""Refusals on their way to the audit log, which servers have and other parts have not."""

import threading
from typing import TYPE_CHECKING

from zato.common.errors import Forbidden, NotImplementedHere, ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.refusals import Kept, Refusal, Refusals
from zato.proto.control_plane.v1.control_plane_pb2 import RefusalReport, ReportRefusalsRequest

if TYPE_CHECKING:
    # Servers read reports without calling anybody, and so without gRPC.
    from zato.common.rpc.servers import Servers

log = get_logger(__name__)

_CALL_S = 5.0
_AGAIN_S = 1.0


class RefusalReporter:
    """
    Has servers write into their audit log what a follower of theirs refused, again until one did.

    Args:
        reporter: e.g. "connector-amqp/1".
    """

    def __init__(self, servers: "Servers", refusals: Refusals, reporter: str) -> None:
        self._servers = servers
        self._refusals = refusals
        self._reporter = reporter

    def report(self, stop: threading.Event) -> None:
        """Look now and then, since it is in no hurry, until `stop` is set."""
        while not stop.wait(_AGAIN_S):
            try:
                while kept := self._refusals.offer():
                    self._report_once(kept)
            except ZatoError as exc:
                log.debug("refusals_not_reported", error=exc.message)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("refusals_not_reported")

    def _report_once(self, kept: list[Kept]) -> None:
        request = ReportRefusalsRequest(reporter=self._reporter, refusals=[as_report(each) for each in kept])
        try:
            self._servers.call(lambda server: server.control_plane.ReportRefusals, request, timeout_s=_CALL_S)
        except (NotImplementedHere, Forbidden) as exc:
            # Of the release before: it never will.
            log.warning("refusals_not_audited", count=len(kept), reason=exc.message)
        self._refusals.noted(each.id for each in kept)


def as_report(kept: Kept) -> RefusalReport:
    refusal = kept.refusal
    return RefusalReport(
        id=kept.id,
        kind=refusal.kind,
        method=refusal.method,
        caller=refusal.caller,
        role=refusal.role,
        reason=refusal.reason,
        cid=refusal.cid,
    )


def as_refusal(report: RefusalReport) -> Refusal:
    return Refusal(report.method, report.caller, report.role, report.reason, report.cid, report.kind)
