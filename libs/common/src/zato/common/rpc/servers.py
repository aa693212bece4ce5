"""The cluster's servers, as scheduler and connectors use them: whichever answers. All that is asked may be asked twice."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zato.common.clock import Clock
from zato.common.errors import DeadlineExceeded, Unavailable, ZatoError
from zato.common.rpc.client import Client
from zato.common.rpc.refusals import Refusal
from zato.common.rpc.tls import TLSFiles
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.proto.jobs.v1.jobs_pb2_grpc import JobsStub

if TYPE_CHECKING:
    import grpc

OnRefusal = Callable[[Refusal], None]

# A server that did not answer gets no work for so long, unless no other one is left.
_AVOID_S = 5.0


class Server:
    """One address, and the stubs of what is served there."""

    def __init__(self, address: str, token: str, tls: TLSFiles, on_refusal: OnRefusal | None) -> None:
        self.address = address
        self.client = Client(address, token=token, tls=tls, on_refusal=on_refusal)
        self.jobs = JobsStub(self.client.channel)
        self.control_plane = ControlPlaneStub(self.client.channel)
        self.invoker = InvokerStub(self.client.channel)
        self.avoid_until = 0.0


class Servers:
    """
    Args:
        on_refusal: Is told of servers whose certificates are not what they should be.
    """

    def __init__(
        self, addresses: Sequence[str], token: str, tls: TLSFiles, clock: Clock, on_refusal: OnRefusal | None = None
    ) -> None:
        self._servers = [Server(address, token, tls, on_refusal) for address in addresses]
        self._clock = clock
        self._turns = itertools.count()
        self._is_reachable = False

    @property
    def is_reachable(self) -> bool:
        """Whether a server answered when we asked last."""
        return self._is_reachable

    def call(self, method: Callable[[Server], Any], request: Any, *, timeout_s: float) -> Any:
        """
        Ask one server after the other until one answers.

        Args:
            method: Picks the stub's method, e.g. `lambda server: server.jobs.Claim`.
            timeout_s: Of each one.

        Raises:
            ZatoError: What the server raised; Unavailable or DeadlineExceeded when none could be reached.
        """
        failure: ZatoError = Unavailable("No server is known")
        for server in self.in_order():
            try:
                answer = server.client.call(method(server), request, timeout_s=timeout_s)
            except (Unavailable, DeadlineExceeded) as exc:
                self._avoid(server)
                failure = exc
            else:
                self._is_reachable = True
                return answer
        self._is_reachable = False
        raise failure

    def start(
        self, method: Callable[[Server], Any], request: Any, *, timeout_s: float, done: Callable[[Any], None]
    ) -> "grpc.Future[Any]":
        """
        Let one server do something, each in its turn.

        Args:
            done: Called with the answer or with the ZatoError, in a thread of gRPC's.
        """
        server = self.in_order()[0]
        future = server.client.start(method(server), request, timeout_s=timeout_s)

        def finished(ended: "grpc.Future[Any]") -> None:
            try:
                answer = server.client.result_of(ended)
            except (Unavailable, DeadlineExceeded) as exc:
                self._avoid(server)
                done(exc)
            except ZatoError as exc:
                done(exc)
            else:
                done(answer)

        future.add_done_callback(finished)
        return future

    def watch(self, server: Server, request: Any, *, timeout_s: float) -> Iterator[Any]:
        return server.client.stream(server.control_plane.Watch, request, timeout_s=timeout_s)

    def in_order(self) -> list[Server]:
        """Return all servers, those first that are not to be avoided, each time beginning with another one."""
        turn = next(self._turns) % max(1, len(self._servers))
        rotated = self._servers[turn:] + self._servers[:turn]
        now = self._clock.monotonic()
        return sorted(rotated, key=lambda server: server.avoid_until > now)

    def close(self) -> None:
        for server in self._servers:
            server.client.close()

    def _avoid(self, server: Server) -> None:
        server.avoid_until = self._clock.monotonic() + _AVOID_S
