"""Taking part in the load-balancer: joining when the server is ready, renewing the lease, leaving before it stops."""

import asyncio
from collections.abc import Sequence

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.aio import AioClient
from zato.proto.control_plane.v1.control_plane_pb2 import RefusalReport
from zato.proto.load_balancer.v1.load_balancer_pb2 import JoinRequest, LeaveRequest
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub
from zato.server.sidecar.forward import Workers
from zato.server.sidecar.refusals import Reporter

log = get_logger(__name__)

_CALL_S = 2.0
_LEAVE_S = 5.0
_RETRY_S = 0.5
_READY_EVERY_S = 0.1
# There is one; who joins knows no other name of it.
_AGENT = "lb-agent"


class Membership:
    """
    Args:
        name: Of this server.
        address: host:port that the load-balancer connects to.
        refusals: Has the audit log say whom the agent did not let in.
    """

    def __init__(self, agent: AioClient, workers: Workers, name: str, address: str, refusals: Reporter) -> None:
        self._agent = agent
        self._stub = LoadBalancerStub(agent.channel)
        self._workers = workers
        self._name = name
        self._address = address
        self._refusals = refusals
        self._noted: list[str] = []
        self._has_joined = False

    async def keep(self) -> None:
        """Join, and stay for as long as the workers are ready. An agent that restarted learns of us by the next renewal."""
        while True:
            if await self._workers.is_ready():
                await asyncio.sleep(await self._join())
            elif self._has_joined:
                log.warning("server_not_ready", server=self._name)
                await self.leave()
            else:
                await asyncio.sleep(_READY_EVERY_S)

    async def leave(self) -> None:
        """Ask for no new requests. Returns when the load-balancer has stopped sending any, or can't be reached."""
        if not self._has_joined:
            return
        self._has_joined = False
        try:
            await self._agent.call(self._stub.Leave, LeaveRequest(name=self._name), timeout_s=_LEAVE_S)
            log.info("load_balancer_left", server=self._name)
        except ZatoError as exc:
            log.warning("load_balancer_not_left", error=exc.message)

    async def _join(self) -> float:
        """Return the seconds until the next renewal."""
        try:
            request = JoinRequest(name=self._name, address=self._address, noted_refusals=self._noted)
            response = await self._agent.call(self._stub.Join, request, timeout_s=_CALL_S)
        except ZatoError as exc:
            if self._has_joined:
                log.warning("load_balancer_not_reachable", error=exc.message)
            self._has_joined = False
            return _RETRY_S
        if not self._has_joined:
            log.info("load_balancer_joined", server=self._name, address=self._address)
        self._has_joined = True
        self._noted = await self._note(response.refusals)
        return max(0.2, float(response.lease_s) / 3)

    async def _note(self, reports: Sequence[RefusalReport]) -> list[str]:
        """Return the ids of those that are in the audit log now; the agent tells of the others again."""
        try:
            await self._refusals.note(reports, _AGENT)
        except ZatoError as exc:
            log.warning("refusals_not_audited", reason=exc.message)
            return []
        return [report.id for report in reports]
