"""Those parts of the cluster that are asked beside its servers: the load-balancer's agent, schedulers, the authority."""

import threading
from typing import Any

from zato.common.errors import DeadlineExceeded, InvalidOptions, Unavailable, ZatoError
from zato.common.rpc.client import Client
from zato.proto.certificate_authority.v1.certificate_authority_pb2 import GetOverviewRequest
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub
from zato.proto.load_balancer.v1 import load_balancer_pb2 as messages
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub
from zato.proto.scheduler.v1.scheduler_pb2 import GetNextFiresRequest, NextFire
from zato.proto.scheduler.v1.scheduler_pb2_grpc import SchedulerStub
from zato.webadmin.config import WebAdminSettings

_CALL_S = 5.0


class Parts:
    """Clients are made when they are first asked for: before, there may be no certificate."""

    def __init__(self, settings: WebAdminSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

    def load_balancer(self, method: str, *, timeout_s: float = _CALL_S, **fields: Any) -> Any:
        """
        Call a method of the contract `LoadBalancer`, e.g. "GetState".

        Raises:
            ZatoError: What the agent raised; Unavailable when it does not answer, or there is none.
        """
        client = self._client(self._settings.lb_agent_address)
        request = getattr(messages, f"{method}Request")(**fields)
        return client.call(getattr(LoadBalancerStub(client.channel), method), request, timeout_s=timeout_s)

    def next_fires(self, job: str, count: int) -> list[NextFire]:
        """
        Return what jobs fire next, of all jobs, each once, or of one job.

        Raises:
            NotFound: There is no such job, or it is not active.
            Unavailable: No scheduler answers.
        """
        failure: ZatoError = Unavailable("The web admin has not been told where schedulers are: set 'scheduler_addresses'")
        for address in self._settings.scheduler_addresses:
            client = self._client(address)
            request = GetNextFiresRequest(job=job, count=count)
            try:
                answer = client.call(SchedulerStub(client.channel).GetNextFires, request, timeout_s=_CALL_S)
            except (Unavailable, DeadlineExceeded) as exc:
                failure = exc
            else:
                return list(answer.fires)
        raise failure

    def certificates(self) -> Any:
        """
        Return what the authority tells of itself and of the certificates that are valid.

        Raises:
            ZatoError: It refused; Unavailable when it does not answer, or the cluster has none.
        """
        client = self._client(self._settings.ca_address)
        request = GetOverviewRequest()
        return client.call(CertificateAuthorityStub(client.channel).GetOverview, request, timeout_s=_CALL_S)

    def _client(self, address: str) -> Client:
        if not address:
            raise Unavailable("The web admin has not been told where this part is: set its address")
        with self._lock:
            if address not in self._clients:
                try:
                    self._clients[address] = Client(address, token=self._settings.token, tls=self._settings.tls())
                except InvalidOptions as exc:
                    raise Unavailable(f"The web admin has no certificate yet: {exc.message}") from exc
            return self._clients[address]
