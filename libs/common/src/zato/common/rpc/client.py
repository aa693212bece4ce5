"""Calling another part: a deadline on every call, the cluster's token, and the other side's error raised here."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, cast

import grpc

from zato.common.cid import new_cid
from zato.common.errors import Unavailable
from zato.common.rpc.calls import call_metadata
from zato.common.rpc.channels import ReloadingChannel
from zato.common.rpc.distrust import Distrust
from zato.common.rpc.refusals import Refusal
from zato.common.rpc.tls import TLSFiles, channel_credentials

Response = TypeVar("Response")

RECONNECT_OPTIONS = (
    # A part that was away is found again within a second of its return.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A machine or container that is gone without a word: what it has not acknowledged for 5 s breaks the connection
    # (TCP_USER_TIMEOUT, which gRPC sets only where it pings too). Servers take more frequent pings for an attack.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
# What servers send at most: a snapshot of the configuration is one message.
_CHANNEL_OPTIONS = (*RECONNECT_OPTIONS, ("grpc.max_receive_message_length", 64 * 1024 * 1024))


class UnaryMethod(Protocol[Response]):
    """A stub's method, e.g. `LoadBalancerStub(client.channel).Join`."""

    def future(self, request: Any, timeout: float, metadata: Any) -> "grpc.Future[Response]": ...


class Client:
    """
    A channel to one part, and how to call through it. Safe to share between threads or greenlets; make it after forking.

    Args:
        target: host:port, or what a gRPC name resolver takes, e.g. "dns:///server:17110".
        token: The cluster's token.
        tls: Files that are read again when they change; calls that run then are not disturbed.
        on_refusal: Is told when the server's certificate is not what it should be.
    """

    def __init__(
        self, target: str, *, token: str, tls: TLSFiles | None = None, on_refusal: Callable[[Refusal], None] | None = None
    ) -> None:
        self.target = target
        self._distrust = Distrust(target, on_refusal)
        self._token = token
        self.channel: grpc.Channel
        if tls is not None and tls.is_on:
            channel = ReloadingChannel(
                tls.reader(),
                make=lambda material: grpc.secure_channel(target, channel_credentials(material), options=_CHANNEL_OPTIONS),
                # Calls that run keep it; with the last of them it goes, and its connection.
                retire=lambda _channel: None,
            )
            self.channel = cast("grpc.Channel", channel)
        else:
            self.channel = grpc.insecure_channel(target, options=_CHANNEL_OPTIONS)

    @classmethod
    def with_roots(cls, target: str, roots: bytes) -> "Client":
        """Return a client that shows no certificate and no token, and trusts servers of these roots (PEM)."""
        client = cls(target, token="")
        client.channel.close()
        client.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options=_CHANNEL_OPTIONS)
        return client

    def call(
        self,
        method: UnaryMethod[Response],
        request: Any,
        *,
        timeout_s: float,
        cid: str = "",
        token: str = "",
        address: str = "",
    ) -> Response:
        """
        Call `method` and return its answer.

        Args:
            token: Somebody's own, for this call instead of the client's.
            address: Where that person is: believed of the web admin only.

        A future, not a blocking call: under gevent a blocking one holds a thread of the hub's small pool.

        Raises:
            ZatoError: The one that was raised at the other side; Unavailable or DeadlineExceeded when it can't be reached.
        """
        metadata = call_metadata(token or self._token, cid or new_cid(), address)
        future = method.future(request, timeout=timeout_s, metadata=metadata)
        try:
            return future.result()
        except grpc.RpcError as exc:
            raise self._distrust.error_of(exc) from exc
        except BaseException:
            future.cancel()
            raise

    def start(self, method: UnaryMethod[Response], request: Any, *, timeout_s: float, cid: str = "") -> "grpc.Future[Response]":
        """Begin a call and return at once; `result_of` says what became of it."""
        return method.future(request, timeout=timeout_s, metadata=call_metadata(self._token, cid or new_cid()))

    def result_of(self, future: "grpc.Future[Response]") -> Response:
        """Return the answer of a call that `start` began, or raise as `call` does."""
        try:
            return future.result()
        except grpc.RpcError as exc:
            raise self._distrust.error_of(exc) from exc
        except grpc.FutureCancelledError as exc:
            raise Unavailable(f"The call to {self.target} was cancelled") from exc

    def stream(self, method: Any, request: Any, *, timeout_s: float) -> Iterator[Any]:
        """Yield what a streaming method sends, until it ends or the time is up; raises as `call` does."""
        responses = method(request, timeout=timeout_s, metadata=call_metadata(self._token, new_cid()))
        try:
            yield from responses
        except grpc.RpcError as exc:
            raise self._distrust.error_of(exc) from exc
        finally:
            responses.cancel()

    def close(self) -> None:
        self.channel.close()
