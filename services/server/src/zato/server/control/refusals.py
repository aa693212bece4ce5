"""Calls and connections that parts did not let in, kept in the audit log."""

from collections.abc import Callable, Iterable, Mapping

import gevent

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.refusal_reports import as_refusal
from zato.common.rpc.refusals import CALL, HANDSHAKE, Refusal
from zato.proto.control_plane.v1.control_plane_pb2 import ReportRefusalsRequest, ReportRefusalsResponse
from zato.server.control.audit_chain import REFUSED
from zato.server.control.changes import Author, audit
from zato.server.odb.database import Database
from zato.server.rpc import Call

log = get_logger(__name__)

_ACTION = "refused"
_UNKNOWN = "unknown"
_MAX_CHARACTERS = 2000
_MAX_NAME_CHARACTERS = 200


class RefusalsLog:
    """
    Args:
        reporter: This server's name.
    """

    def __init__(self, database: Database, reporter: str) -> None:
        self._database = database
        self._reporter = reporter

    def take(self, refusal: Refusal) -> None:
        """Write down whom this worker did not talk to; whoever wanted it to need not wait for that."""
        gevent.spawn(self._note_own, refusal)

    def note(self, address: str, reporter: str, refusals: Iterable[Refusal]) -> None:
        """
        Args:
            address: Where those who refused are.
        """
        with self._database.transaction() as session:
            for refusal in refusals:
                audit(
                    session,
                    Author(name=refusal.caller[:_MAX_NAME_CHARACTERS] or _UNKNOWN, cid=refusal.cid, address=address),
                    _ACTION,
                    kind=refusal.kind if refusal.kind in (CALL, HANDSHAKE) else CALL,
                    name=(refusal.method or reporter)[:_MAX_NAME_CHARACTERS],
                    result=REFUSED,
                    details=refusal.reason[:_MAX_CHARACTERS],
                    # Whose word this is: what a caller is called comes from there.
                    after={"role": refusal.role, "by": reporter},
                )

    def _note_own(self, refusal: Refusal) -> None:
        try:
            self.note("", self._reporter, [refusal])
        except ZatoError as exc:
            log.warning("refusals_not_audited", reason=exc.message)


class RefusalsRPC:
    def __init__(self, refusals: RefusalsLog) -> None:
        self._refusals = refusals

    @property
    def methods(self) -> Mapping[str, Callable[[Call], bytes]]:
        return {"ControlPlane/ReportRefusals": self._report}

    def _report(self, call: Call) -> bytes:
        """What this server's sidecar, the load-balancer, schedulers and connectors refused."""
        request = ReportRefusalsRequest.FromString(call.message)
        self._refusals.note(call.author.address, request.reporter, [as_refusal(each) for each in request.refusals])
        return ReportRefusalsResponse().SerializeToString()
