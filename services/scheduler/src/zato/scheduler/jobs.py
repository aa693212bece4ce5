"""The jobs as they are configured now, followed from the servers. Kept by leaders and by those that stand by."""

import threading
from dataclasses import dataclass

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent
from zato.scheduler.job import KIND, Job, job_of

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of jobs that are new or changed, and of those that are gone."""

    changed: frozenset[int]
    gone: frozenset[int]


class Jobs:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """The configuration's version that these are of; 0 before the first snapshot."""
        return self._version

    def apply(self, event: WatchEvent) -> Changes:
        """Take up what the servers sent."""
        present = {each.id: job for each in event.objects if each.kind == KIND.name and (job := _readable(each)) is not None}
        with self._lock:
            gone = set(event.deleted_ids) & self._jobs.keys()
            if event.is_snapshot:
                gone = self._jobs.keys() - present.keys()
            unreadable = {each.id for each in event.objects} - present.keys()
            gone |= unreadable & self._jobs.keys()
            changed = {job_id for job_id, job in present.items() if self._jobs.get(job_id) != job}
            for job_id in gone:
                del self._jobs[job_id]
            self._jobs.update({job_id: present[job_id] for job_id in changed})
            self._version = event.version
        return Changes(frozenset(changed), frozenset(gone))

    def get(self, job_id: int) -> Job | None:
        return self._jobs.get(job_id)

    def find(self, name: str) -> Job | None:
        return next((job for job in self.all() if job.name == name), None)

    def all(self) -> list[Job]:
        with self._lock:
            return list(self._jobs.values())


def _readable(message: object) -> Job | None:
    try:
        return job_of(message)  # type: ignore[arg-type]
    except (ZatoError, ValueError) as exc:
        log.error("job_not_usable", job=getattr(message, "name", ""), error=str(exc))
        return None
