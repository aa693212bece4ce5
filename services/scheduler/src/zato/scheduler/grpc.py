"""The contract `Scheduler`, served: messages in, messages out; the work is the view's."""

from typing import TYPE_CHECKING

from zato.proto.scheduler.v1 import scheduler_pb2 as messages
from zato.proto.scheduler.v1.scheduler_pb2_grpc import SchedulerServicer
from zato.scheduler.view import View

if TYPE_CHECKING:
    import grpc

SERVICE = messages.DESCRIPTOR.services_by_name["Scheduler"].full_name


class ViewServicer(SchedulerServicer):
    def __init__(self, view: View) -> None:
        self._view = view

    def Execute(self, request: messages.ExecuteRequest, context: "grpc.ServicerContext") -> messages.ExecuteResponse:
        run_id, cid = self._view.execute(request.job)
        return messages.ExecuteResponse(run_id=run_id, cid=cid)

    def Pause(self, request: messages.PauseRequest, context: "grpc.ServicerContext") -> messages.PauseResponse:
        self._view.set_paused(request.job, True)
        return messages.PauseResponse()

    def Resume(self, request: messages.ResumeRequest, context: "grpc.ServicerContext") -> messages.ResumeResponse:
        self._view.set_paused(request.job, False)
        return messages.ResumeResponse()

    def GetNextFires(
        self, request: messages.GetNextFiresRequest, context: "grpc.ServicerContext"
    ) -> messages.GetNextFiresResponse:
        return messages.GetNextFiresResponse(fires=self._view.next_fires(request.job, request.count))

    def GetRuns(self, request: messages.GetRunsRequest, context: "grpc.ServicerContext") -> messages.GetRunsResponse:
        values = {"name": request.job, "state": request.state, "cid": request.cid, "before_id": request.before_id}
        runs = self._view.runs({**values, "limit": request.limit or 50})
        return messages.GetRunsResponse(runs=runs)

    def GetStatus(self, request: messages.GetStatusRequest, context: "grpc.ServicerContext") -> messages.GetStatusResponse:
        return self._view.status()
