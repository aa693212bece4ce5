"""The cluster's servers as people use them: whichever answers, each call with the token of whoever is signed in."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from zato.common.errors import DeadlineExceeded, InternalError, InvalidOptions, Unavailable, Unreachable, WorkerLost, ZatoError
from zato.common.rpc.client import Client, UnaryMethod
from zato.common.rpc.tls import TLSFiles
from zato.proto.accounts.v1.accounts_pb2 import SignInRequest, SignInResponse, SignOutRequest
from zato.proto.accounts.v1.accounts_pb2_grpc import AccountsStub
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, DeployResponse
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

T = TypeVar("T")
PURPOSE = "web admin"
CALL_S = 15.0
_PING_S = 2.0
# A server that did not answer is asked last for so long.
_AVOID_S = 5.0
# One that answered so lately is not asked first whether it is there.
_FRESH_S = 5.0


@dataclass(frozen=True)
class Caller:
    """
    As whom something is asked for.

    Args:
        token: The person's.
        address: Where their browser is, for the audit log.
    """

    token: str
    address: str


class Server:
    """One address, and the stubs of what is served there."""

    def __init__(self, address: str, token: str, tls: TLSFiles) -> None:
        self.address = address
        self.client = Client(address, token=token, tls=tls)
        self.accounts = AccountsStub(self.client.channel)
        self.control_plane = ControlPlaneStub(self.client.channel)
        self.invoker = InvokerStub(self.client.channel)
        self.avoid_until = 0.0
        self.answered_at = 0.0

    def call(self, method: UnaryMethod[T], request: Any, caller: Caller, *, timeout_s: float) -> T:
        return self.client.call(method, request, timeout_s=timeout_s, token=caller.token, address=caller.address)


class Cluster:
    """
    Args:
        token: The cluster's, by which servers believe where somebody who signs in is.
        tls: Makes the files of our certificate; called when the first call is made, since there may be none before.
    """

    def __init__(self, addresses: Sequence[str], token: str, tls: Callable[[], TLSFiles]) -> None:
        self._addresses = tuple(addresses)
        self._token = token
        self._tls = tls
        self._lock = threading.Lock()
        self._servers: list[Server] | None = None

    def sign_in(self, name: str, password: str, code: str, *, address: str) -> SignInResponse:
        """
        Args:
            code: Of the authenticator, "" without one.
            address: Where the person's browser is.

        Raises:
            Unauthorized: Something was wrong.
            TooManyRequests: It was, too often.
        """
        request = SignInRequest(name=name, password=password, code=code, address=address, purpose=PURPOSE)
        return self._once(lambda server: server.client.call(server.accounts.SignIn, request, timeout_s=CALL_S))

    def sign_out(self, caller: Caller) -> None:
        self._once(lambda server: server.call(server.accounts.SignOut, SignOutRequest(), caller, timeout_s=_PING_S))

    def invoke(
        self, service: str, values: Any, *, caller: Caller, is_idempotent: bool = False, timeout_s: float = CALL_S
    ) -> Any:
        """
        Invoke a service with JSON, and return its answer decoded.

        Args:
            is_idempotent: It may run twice, so the next server is tried when one does not answer.

        Raises:
            ZatoError: What the service raised; Unavailable when no server answers.
        """
        payload = json.dumps(values).encode()
        response = self.invoke_raw(service, payload, caller=caller, is_idempotent=is_idempotent, timeout_s=timeout_s)
        try:
            return json.loads(response.payload) if response.payload else None
        except ValueError as exc:
            raise InternalError(f"Service '{service}' did not answer with JSON") from exc

    def invoke_raw(
        self,
        service: str,
        payload: bytes,
        *,
        caller: Caller,
        data_format: str = "json",
        is_idempotent: bool = False,
        timeout_s: float = CALL_S,
    ) -> InvokeResponse:
        request = InvokeRequest(service=service, payload=payload, data_format=data_format)

        def call(server: Server) -> InvokeResponse:
            return server.call(server.invoker.Invoke, request, caller, timeout_s=timeout_s)

        return self._on_any(call) if is_idempotent else self._once(call)

    def deploy(self, file_name: str, source: bytes, *, caller: Caller, wait_s: float, undeploy: bool = False) -> DeployResponse:
        """Store a new version of a file of services, or take it out of use."""
        request = DeployRequest(file_name=file_name, source=source, undeploy=undeploy, wait_s=wait_s)
        return self._once(lambda server: server.call(server.control_plane.Deploy, request, caller, timeout_s=wait_s + CALL_S))

    def _on_any(self, call: Callable[[Server], T]) -> T:
        failures: list[ZatoError] = []
        for server in self._in_order():
            try:
                answer = call(server)
            except (Unreachable, WorkerLost, DeadlineExceeded) as exc:
                # Others are there, and say what they lack for the call: it is the same everywhere.
                server.avoid_until = time.monotonic() + _AVOID_S
                failures.append(exc)
            else:
                server.answered_at = time.monotonic()
                return answer
        tried = ", ".join(self._addresses)
        raise NoServer(f"None of the servers {tried} answers", tried=tried) from (failures[-1] if failures else None)

    def _once(self, call: Callable[[Server], T]) -> T:
        """Send what must not run twice to a server that works."""
        server = self._in_order()[0]
        if server.answered_at < time.monotonic() - _FRESH_S:
            server = self._on_any(self._answering)
        return call(server)

    def _answering(self, server: Server) -> Server:
        request = InvokeRequest(service="zato.ping")
        server.client.call(server.invoker.Invoke, request, timeout_s=_PING_S)
        return server

    def _in_order(self) -> list[Server]:
        """The one that answered last comes first: what it was just told it knows already."""
        now = time.monotonic()
        return sorted(self._known(), key=lambda server: (server.avoid_until > now, -server.answered_at))

    def _known(self) -> list[Server]:
        with self._lock:
            if self._servers is None:
                try:
                    tls = self._tls()
                    self._servers = [Server(address, self._token, tls) for address in self._addresses]
                except InvalidOptions as exc:
                    raise NoServer(f"The web admin has no certificate yet: {exc.message}") from exc
            return self._servers


class NoServer(Unavailable):
    """No server of the cluster answers. `tried` has their addresses."""
