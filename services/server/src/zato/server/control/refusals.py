"""Calls of other parts that the sidecar did not let in, kept in the audit log."""

import json
from collections.abc import Callable, Mapping

from zato.server.control.changes import current_version
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow
from zato.server.rpc import Call

_ACTION, _KIND = "refused", "call"
_MAX_NAME = 200


class RefusalsRPC:
    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def methods(self) -> Mapping[str, Callable[[Call], bytes]]:
        return {"Access/Refused": self._refused}

    def _refused(self, call: Call) -> bytes:
        """Takes JSON with the fields of `zato.common.rpc.access.Refusal`."""
        refusal = json.loads(call.message)
        with self._database.transaction() as session:
            session.add(
                AuditRow(
                    actor=call.author.name,
                    cid=call.author.cid,
                    action=_ACTION,
                    kind=_KIND,
                    name=refusal["method"][:_MAX_NAME],
                    version=current_version(session),
                    after={"role": refusal["role"], "reason": refusal["reason"]},
                )
            )
        return b""
