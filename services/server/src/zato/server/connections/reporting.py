"""Telling the control plane how connections fare."""

from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import ObjectStatus, ReportStatusRequest
from zato.server.connections.failures import Health
from zato.server.connections.pool import ConnectionPool
from zato.server.control.status import store_status
from zato.server.odb.database import Database

log = get_logger(__name__)


class StatusReporter:
    """
    Reports what has changed since the last time; of several workers that use a connection the last one counts.

    Args:
        reporter: The server's name.
    """

    def __init__(self, database: Database, reporter: str) -> None:
        self._database = database
        self._reporter = reporter
        self._reported: dict[int, tuple[int, Health]] = {}

    def report(self, pool: ConnectionPool) -> None:
        """What can't be reported now, since the ODB is not there, is reported the next time."""
        current = {object_id: (version, health) for object_id, version, health in pool.health()}
        changed = {object_id: each for object_id, each in current.items() if self._reported.get(object_id) != each}
        if not changed:
            return
        statuses = [
            ObjectStatus(object_id=object_id, version_applied=version, is_connected=health.is_connected, error=health.error)
            for object_id, (version, health) in changed.items()
        ]
        try:
            store_status(self._database, ReportStatusRequest(reporter=self._reporter, objects=statuses))
        except Exception as exc:
            # Another worker may have written the same row in this moment, too.
            log.warning("connection_status_not_reported", error=str(exc)[:200])
        else:
            self._reported.update(changed)
