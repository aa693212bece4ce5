"""The contract `LoadBalancer`, served: messages in, messages out; the work is the balancer's."""

from typing import TYPE_CHECKING

from zato.lb_agent.balancer import Balancer
from zato.proto.load_balancer.v1 import load_balancer_pb2 as messages
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerServicer

if TYPE_CHECKING:
    import grpc

SERVICE = "zato.proto.load_balancer.v1.LoadBalancer"


class BalancerServicer(LoadBalancerServicer):
    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer

    def Join(self, request: messages.JoinRequest, context: "grpc.ServicerContext") -> messages.JoinResponse:
        return messages.JoinResponse(lease_s=self._balancer.join(request.name, request.address, request.weight))

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
        backends = [
            messages.Backend(
                name=server.name,
                address=state.addresses.get(server.name, server.endpoint),
                weight=server.weight,
                state=server.state,
                active_requests=server.active_requests,
                total_requests=server.total_requests,
                errors=server.errors,
                last_check=server.last_check,
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
        )

    def GetConfig(self, request: messages.GetConfigRequest, context: "grpc.ServicerContext") -> messages.GetConfigResponse:
        return messages.GetConfigResponse(config=self._balancer.config())

    def Reload(self, request: messages.ReloadRequest, context: "grpc.ServicerContext") -> messages.ReloadResponse:
        return messages.ReloadResponse(haproxy_pid=self._balancer.reload())
