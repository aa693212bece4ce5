"""The contract `LoadBalancer`, served: messages in, messages out; the work is the balancer's."""

import dataclasses
from typing import TYPE_CHECKING

from zato.common.rpc.refusal_reports import as_report
from zato.common.rpc.refusals import Refusals
from zato.lb_agent.balancer import Balancer
from zato.lb_agent.remote_commands import ALLOWED, MOST_CHARACTERS
from zato.proto.load_balancer.v1 import load_balancer_pb2 as messages
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerServicer

if TYPE_CHECKING:
    import grpc

SERVICE = "zato.proto.load_balancer.v1.LoadBalancer"


class BalancerServicer(LoadBalancerServicer):
    """
    Args:
        refusals: What servers that join are told of, for their audit log.
    """

    def __init__(self, balancer: Balancer, refusals: Refusals) -> None:
        self._balancer = balancer
        self._refusals = refusals

    def Join(self, request: messages.JoinRequest, context: "grpc.ServicerContext") -> messages.JoinResponse:
        lease_s = self._balancer.join(request.name, request.address, request.weight)
        self._refusals.noted(request.noted_refusals)
        # Whoever was told of them says by its next renewal that it has written them down.
        told = self._refusals.offer(again_after_s=lease_s)
        return messages.JoinResponse(lease_s=lease_s, refusals=map(as_report, told))

    def Drain(self, request: messages.DrainRequest, context: "grpc.ServicerContext") -> messages.DrainResponse:
        self._balancer.drain(request.name)
        return messages.DrainResponse()

    def Resume(self, request: messages.ResumeRequest, context: "grpc.ServicerContext") -> messages.ResumeResponse:
        self._balancer.resume(request.name)
        return messages.ResumeResponse()

    def Leave(self, request: messages.LeaveRequest, context: "grpc.ServicerContext") -> messages.LeaveResponse:
        self._balancer.leave(request.name)
        return messages.LeaveResponse()

    def GetState(self, request: messages.GetStateRequest, context: "grpc.ServicerContext") -> messages.GetStateResponse:
        state = self._balancer.state()
        members = state.members
        backends = [
            messages.Backend(
                name=server.name,
                address=members[server.name].address if server.name in members else server.endpoint,
                weight=server.weight,
                state=server.state,
                active_requests=server.active_requests,
                total_requests=server.total_requests,
                errors=server.errors,
                last_check=server.last_check,
                joined_weight=members[server.name].weight if server.name in members else 0,
            )
            for server in state.servers
        ]
        return messages.GetStateResponse(
            frontend_address=state.frontend_address,
            backends=backends,
            haproxy_pid=state.haproxy_pid,
            haproxy_version=state.haproxy_version,
            uptime_s=state.uptime_s,
            reloads=state.reloads,
            commands=ALLOWED,
        )

    def GetConfig(self, request: messages.GetConfigRequest, context: "grpc.ServicerContext") -> messages.GetConfigResponse:
        own = self._balancer.own_sections
        return messages.GetConfigResponse(config=self._balancer.config(), own_sections=own.text, revision=own.revision)

    def Reload(self, request: messages.ReloadRequest, context: "grpc.ServicerContext") -> messages.ReloadResponse:
        return messages.ReloadResponse(haproxy_pid=self._balancer.reload())

    def SetWeight(self, request: messages.SetWeightRequest, context: "grpc.ServicerContext") -> messages.SetWeightResponse:
        self._balancer.give_weight(request.name, request.weight)
        return messages.SetWeightResponse()

    def CheckConfig(
        self, request: messages.CheckConfigRequest, context: "grpc.ServicerContext"
    ) -> messages.CheckConfigResponse:
        config, diff = self._balancer.check(request.own_sections)
        return messages.CheckConfigResponse(config=config, diff=diff)

    def SetConfig(self, request: messages.SetConfigRequest, context: "grpc.ServicerContext") -> messages.SetConfigResponse:
        pid = self._balancer.replace_own_sections(request.own_sections, request.revision)
        return messages.SetConfigResponse(haproxy_pid=pid, revision=self._balancer.own_sections.revision)

    def GetStatistics(
        self, request: messages.GetStatisticsRequest, context: "grpc.ServicerContext"
    ) -> messages.GetStatisticsResponse:
        rows = [messages.Statistics(**dataclasses.asdict(each)) for each in self._balancer.statistics()]
        return messages.GetStatisticsResponse(rows=rows)

    def Execute(self, request: messages.ExecuteRequest, context: "grpc.ServicerContext") -> messages.ExecuteResponse:
        output = self._balancer.execute(request.command)
        return messages.ExecuteResponse(output=output[:MOST_CHARACTERS], is_truncated=len(output) > MOST_CHARACTERS)
