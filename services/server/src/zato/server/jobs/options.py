"""
What servers have to know of a job. Schedulers declare the whole kind and register it; this much is read straight from the
job's row, so that a server which has not heard of a newer description yet still runs the job.
"""

from zato.common.errors import InvalidOptions
from zato.common.logs import get_logger
from zato.common.options import declared_options, option, options, parse_options
from zato.server.odb.tables import ObjectRow

log = get_logger(__name__)

KIND = "scheduler-job"


@options
class RunOptions:
    job_type: str = option("one_time, interval_based or cron_style")
    service: str = option("Service that it runs")
    extra: str = option("What the service finds in raw_request", default="")
    overlap: str = option("allow, queue or skip", default="allow")
    deadline_s: float = option("Seconds that a run may take; no limit when 0", default=0.0, minimum=0)
    retries: int = option("Attempts after one that failed", default=0, minimum=0)
    retry_after_s: float = option("Seconds to the first of them", default=10.0, minimum=0)
    callback: str = option("Service that is told how runs end", default="")


_NAMES = frozenset(declared.name for declared in declared_options(RunOptions))


def run_options(job: ObjectRow) -> RunOptions | None:
    """Return None of a job that cannot be used: it must not keep the others from running."""
    known = {name: value for name, value in job.data.items() if name in _NAMES}
    try:
        return parse_options(RunOptions, known, what=f"{KIND} '{job.name}'")
    except InvalidOptions as exc:
        log.error("job_not_usable", job=job.name, error=exc.message)
        return None
