"""What people ask of a scheduler: it answers from its jobs, or has a server do it."""

import heapq
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from zato.common.clock import Clock
from zato.common.errors import InternalError, NotFound
from zato.common.rpc.servers import Servers
from zato.common.spelling import did_you_mean
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.jobs.v1 import jobs_pb2
from zato.proto.scheduler.v1 import scheduler_pb2 as messages
from zato.scheduler.conductor import Backend, Conductor
from zato.scheduler.job import Job
from zato.scheduler.jobs import Jobs
from zato.scheduler.lease import Lease
from zato.scheduler.schedules import SECOND_US, from_us, make_schedule, upcoming, zone_of

_CALL_S = 10.0
_MOST_FIRES = 1000
_RUN_FIELDS = frozenset(messages.Run.DESCRIPTOR.fields_by_name)


class View:
    """
    Args:
        name: Of this scheduler.
    """

    def __init__(
        self, name: str, clock: Clock, jobs: Jobs, lease: Lease, conductor: Conductor, servers: Servers, backend: Backend
    ) -> None:
        self._name = name
        self._clock = clock
        self._jobs = jobs
        self._lease = lease
        self._conductor = conductor
        self._servers = servers
        self._backend = backend

    def execute(self, job: str) -> tuple[int, str]:
        executed = self._invoke("zato.scheduler.job.execute", {"name": job})
        return executed["run_id"], executed["cid"]

    def set_paused(self, job: str, is_paused: bool) -> None:
        if job:
            self._invoke("zato.scheduler.job.set-active-status", {"name": job, "is_active": not is_paused})
        else:
            request = jobs_pb2.SetPausedRequest(is_paused=is_paused)
            self._servers.call(lambda server: server.jobs.SetPaused, request, timeout_s=_CALL_S)

    def runs(self, values: dict[str, Any]) -> list[messages.Run]:
        found = self._invoke("zato.scheduler.job.get-run-list", values)
        return [messages.Run(**{name: value for name, value in run.items() if name in _RUN_FIELDS}) for run in found]

    def next_fires(self, name: str, count: int) -> list[messages.NextFire]:
        """
        Raises:
            NotFound: There is no job of that name, or it is not active.
        """
        count = min(count or 10, _MOST_FIRES)
        if not name:
            return self._next_of_all(count)
        job = self._jobs.find(name)
        if job is None or not job.is_active:
            if job:
                raise NotFound(f"The job '{name}' is not active, so it does not fire: 'zato scheduler resume {name}'", job=name)
            hint = did_you_mean(name, (each.name for each in self._jobs.all()), ": 'zato object list scheduler-job' has all")
            raise NotFound(f"There is no job '{name}'{hint}", job=name)
        (state,) = self._backend.state(frozenset({job.id})).jobs or (jobs_pb2.JobState(job_id=job.id),)
        times_us = islice(upcoming(make_schedule(job.options, state.since_us), self._from_us(state)), count)
        return [_next_fire(job, state, time_us) for time_us in times_us]

    def status(self) -> messages.GetStatusResponse:
        leader, jobs = self._lease.leader, self._jobs.all()
        return messages.GetStatusResponse(
            name=self._name,
            is_leader=bool(self._lease.epoch),
            leader=leader.name,
            epoch=leader.epoch,
            is_paused=leader.is_paused,
            jobs=len(jobs),
            active_jobs=sum(job.is_active for job in jobs),
            running=self._conductor.running,
            config_version=self._jobs.version,
            is_connected=self._servers.is_reachable,
        )

    def _next_of_all(self, count: int) -> list[messages.NextFire]:
        states = {state.job_id: state for state in self._backend.state(None).jobs}
        first = heapq.nsmallest(count, self._first_fires(states), key=lambda found: (found[0], found[1].name))
        return [_next_fire(job, states[job.id], time_us) for time_us, job in first]

    def _first_fires(self, states: dict[int, jobs_pb2.JobState]) -> Iterable[tuple[int, Job]]:
        for job in self._jobs.all():
            state = states.get(job.id)
            if job.is_active and state is not None:
                time_us = make_schedule(job.options, state.since_us).after(self._from_us(state))
                if time_us is not None:
                    yield time_us, job

    def _from_us(self, state: jobs_pb2.JobState) -> int:
        return max(int(self._clock.now() * SECOND_US), state.last_planned_us)

    def _invoke(self, service: str, values: dict[str, Any]) -> Any:
        request = InvokeRequest(service=service, payload=json.dumps(values).encode())
        response = self._servers.call(lambda server: server.invoker.Invoke, request, timeout_s=_CALL_S)
        try:
            return json.loads(response.payload)
        except ValueError:
            raise InternalError(f"The server did not answer {service} with JSON") from None


def _next_fire(job: Job, state: jobs_pb2.JobState, time_us: int) -> messages.NextFire:
    return messages.NextFire(
        job=job.name,
        job_type=job.options.job_type,
        at=from_us(time_us, zone_of(job.options.time_zone)).isoformat(),
        schedule=make_schedule(job.options, state.since_us).describe(),
        service=job.options.service,
    )
