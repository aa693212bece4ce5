"""Tells a job's callback how a run ended: an asynchronous invocation of that service."""

import time

import gevent

from zato.common.cid import new_cid
from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.server.jobs.history import public_run
from zato.server.odb.tables import JobRunRow
from zato.server.services.tasks import Task, Tasks, encode_payload

log = get_logger(__name__)

_CHANNEL = "invoke-async-callback"
_RETRY_S = 1.0


class Callbacks:
    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def tell(self, service: str, row: JobRunRow) -> None:
        """Queue the invocation. While Redis does not take it, it is tried again for as long as this worker lives."""
        payload, payload_format = encode_payload(public_run(row))
        task = Task(
            service=service,
            cid=new_cid(),
            payload=payload,
            payload_format=payload_format,
            channel=_CHANNEL,
            in_reply_to=row.cid,
            caller=row.job_name,
            created_at=time.time(),
        )
        if not self._is_queued(task):
            gevent.spawn(self._tell_at_last, task)

    def _is_queued(self, task: Task) -> bool:
        try:
            self._tasks.publish([task])
        except Unavailable as exc:
            log.warning("job_callback_not_queued", service=task.service, run_cid=task.in_reply_to, error=exc.message)
            return False
        return True

    def _tell_at_last(self, task: Task) -> None:
        while True:
            gevent.sleep(_RETRY_S)
            if self._is_queued(task):
                return
