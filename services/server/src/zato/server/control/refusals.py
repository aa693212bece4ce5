"""Calls of other parts that the sidecar did not let in, kept in the audit log."""

import json
from collections.abc import Callable, Mapping

from zato.server.control.audit_chain import REFUSED
from zato.server.control.changes import audit
from zato.server.odb.database import Database
from zato.server.rpc import Call

_ACTION, _KIND = "refused", "call"


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
            audit(
                session,
                call.author,
                _ACTION,
                kind=_KIND,
                name=refusal["method"],
                result=REFUSED,
                details=refusal["reason"],
                after={"role": refusal["role"]},
            )
        return b""
