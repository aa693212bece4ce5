"""What the conductor asks of servers, over gRPC."""

from zato.common.rpc.servers import Servers
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.scheduler.conductor import Call, Done
from zato.scheduler.timetable import Fire

_CALL_S = 3.0
_ALL_JOBS_S = 30.0
# A run without a deadline may take as long as it likes, within reason.
_NO_DEADLINE_S = 30 * 86_400.0
_DEADLINE_GRACE_S = 10.0


class GRPCBackend:
    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def claim(self, epoch: int, fires: list[Fire]) -> list[messages.Claim]:
        request = messages.ClaimRequest(epoch=epoch, fires=[_message(fire) for fire in fires])
        response = self._servers.call(lambda server: server.jobs.Claim, request, timeout_s=_CALL_S)
        return list(response.claims)

    def state(self, job_ids: frozenset[int] | None) -> messages.GetStateResponse:
        request = messages.GetStateRequest(job_ids=job_ids or (), all_jobs=job_ids is None)
        timeout_s = _ALL_JOBS_S if job_ids is None else _CALL_S
        response: messages.GetStateResponse = self._servers.call(
            lambda server: server.jobs.GetState, request, timeout_s=timeout_s
        )
        return response

    def start_run(self, epoch: int, run: messages.PendingRun, done: Done) -> Call:
        timeout_s = run.deadline_s + _DEADLINE_GRACE_S if run.deadline_s else _NO_DEADLINE_S
        request = messages.RunRequest(epoch=epoch, run_id=run.run_id)
        return self._servers.start(lambda server: server.jobs.Run, request, timeout_s=timeout_s, done=done)


def _message(fire: Fire) -> messages.Fire:
    return messages.Fire(
        job_id=fire.job_id,
        version=fire.version,
        planned_us=fire.planned_us,
        missed=fire.missed,
        is_catch_up=fire.is_catch_up,
        not_before_us=fire.not_before_us,
    )
