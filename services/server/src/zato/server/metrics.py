"""
Counters for Prometheus, summed over the workers of a server.

Each worker counts in files of its own (prometheus_client's multi-process mode); whoever answers /metrics adds them up.
"""

from bisect import bisect_left
from collections import Counter as Count
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from zato.server.services.counts import BOUNDS_MS, Counts

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_JOB_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 3600)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


# Which of them each of the finer ones, that requests are counted in, is part of.
_BUCKET_OF = (*(bisect_left(_BUCKETS, bound_ms / 1000) for bound_ms in BOUNDS_MS), len(_BUCKETS))


class Metrics:
    """Requests are counted in memory first, since prometheus_client's files cost more than many a request: see `flush`."""

    def __init__(self) -> None:
        # Of this process, up to the last time they were made known.
        self.requests = 0
        self._answered: Count[tuple[str, str, int]] = Count()
        self._durations: dict[str, Counts] = {}
        # What is read comes from the files: see `render`. A registry of its own keeps several in a process apart.
        own = CollectorRegistry()
        self._requests = Counter("zato_http_requests", "HTTP requests answered", ["channel", "method", "status"], registry=own)
        self._seconds = Histogram("zato_http_request_seconds", "Seconds to answer", ["channel"], buckets=_BUCKETS, registry=own)
        self._connections = Gauge("zato_http_connections", "Open connections", multiprocess_mode="livesum", registry=own)
        self._version = Gauge(
            "zato_config_version", "Configuration version that runs", ["pid"], multiprocess_mode="liveall", registry=own
        )
        self._lag = Histogram(
            "zato_config_lag_seconds", "Seconds from a change to its being live", buckets=_BUCKETS, registry=own
        )
        self._job_runs = Counter("zato_job_runs", "Runs of jobs that ended", ["job", "state"], registry=own)
        self._job_drift = Histogram(
            "zato_job_drift_seconds", "Seconds from planned to started", buckets=_JOB_BUCKETS, registry=own
        )
        self._job_seconds = Histogram(
            "zato_job_run_seconds", "Seconds that runs of jobs took", ["job"], buckets=_JOB_BUCKETS, registry=own
        )
        self._deployments = Counter("zato_deployments", "Files of services taken up or refused", ["result"], registry=own)

    def observe_request(self, channel: str, method: str, status: int, elapsed_s: float) -> None:
        # Methods are the client's text: any that we don't know would be a time series of its own.
        self._answered[channel, method if method in _METHODS else "other", status] += 1
        durations = self._durations.get(channel)
        if durations is None:
            durations = self._durations[channel] = Counts()
        durations.observe(elapsed_s * 1000)
        if status >= 500:
            durations.errors += 1

    def count_refused(self, status: int) -> None:
        """A request that could not be read; neither its method nor its channel is known for certain."""
        self._answered["", "other", status] += 1

    def flush(self) -> Mapping[str, Counts]:
        """
        Make what was counted since the last time part of what Prometheus reads. Called about twice a second.

        Returns:
            How channels fared since the last time.
        """
        answered, self._answered = self._answered, Count()
        durations, self._durations = self._durations, {}
        for labels, count in answered.items():
            self._requests.labels(*labels).inc(count)
            self.requests += count
        for channel, each in durations.items():
            histogram = self._seconds.labels(channel)
            # The package takes one value at a time only; each of these is what `observe` adds to, a bucket by itself.
            histogram._sum.inc(each.total_ms / 1000)
            for index, count in enumerate(each.buckets):
                if count:
                    histogram._buckets[_BUCKET_OF[index]].inc(count)
        return durations

    def set_connections(self, count: int) -> None:
        self._connections.set(count)

    def set_config_version(self, version: int, pid: int) -> None:
        self._version.labels(pid).set(version)

    def observe_lags(self, lags_s: Iterable[float]) -> None:
        """Changes became live in this worker, each so long after it was made."""
        for lag_s in lags_s:
            self._lag.observe(lag_s)

    def count_deployment(self, *, is_ok: bool) -> None:
        self._deployments.labels("ok" if is_ok else "refused").inc()

    def observe_job_run(self, job: str, state: str, drift_s: float, elapsed_s: float) -> None:
        self._job_runs.labels(job, state).inc()
        self._job_drift.observe(drift_s)
        self._job_seconds.labels(job).observe(elapsed_s)


def render(folder: Path) -> bytes:
    """Return the text that Prometheus reads."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_worker(pid: int, folder: Path) -> None:
    """Drop what a dead worker said of the present; what it counted stays."""
    multiprocess.mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call]
