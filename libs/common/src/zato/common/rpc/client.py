"""Calling another part: a deadline on every call, the cluster's token, and the other side's error raised here."""

import time
from typing import Any, Protocol, TypeVar, cast

import grpc

from zato.common.cid import new_cid
from zato.common.rpc.calls import call_metadata, error_from_call
from zato.common.rpc.channels import ReloadingChannel
from zato.common.rpc.tls import TLSFiles, channel_credentials

Response = TypeVar("Response")

# A part that was away is found again within a second of its return.
RECONNECT_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 1000))
# Longer than any call takes; a stream that is cut then is begun anew.
RETIRED_CHANNEL_S = 300.0


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
    """

    def __init__(self, target: str, *, token: str, tls: TLSFiles | None = None) -> None:
        self.target = target
        self._token = token
        self._retired: list[tuple[float, grpc.Channel]] = []
        self.channel: grpc.Channel
        if tls is not None and tls.is_on:
            channel = ReloadingChannel(
                tls.reader(),
                make=lambda material: grpc.secure_channel(target, channel_credentials(material), options=RECONNECT_OPTIONS),
                retire=self._retire,
            )
            self.channel = cast("grpc.Channel", channel)
        else:
            self.channel = grpc.insecure_channel(target, options=RECONNECT_OPTIONS)

    @classmethod
    def with_roots(cls, target: str, roots: bytes) -> "Client":
        """Return a client that shows no certificate and no token, and trusts servers of these roots (PEM)."""
        client = cls(target, token="")
        client.channel.close()
        client.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options=RECONNECT_OPTIONS)
        return client

    def call(self, method: UnaryMethod[Response], request: Any, *, timeout_s: float, cid: str = "") -> Response:
        """
        Call `method` and return its answer.

        A future, not a blocking call: under gevent a blocking one holds a thread of the hub's small pool.

        Raises:
            ZatoError: The one that was raised at the other side; Unavailable or DeadlineExceeded when it can't be reached.
        """
        future = method.future(request, timeout=timeout_s, metadata=call_metadata(self._token, cid or new_cid()))
        try:
            return future.result()
        except grpc.RpcError as exc:
            raise error_from_call(exc, self.target) from exc
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self.channel.close()
        for _, channel in self._retired:
            channel.close()

    def _retire(self, channel: grpc.Channel) -> None:
        # Closing cancels calls; those on the channels before this one have ended long ago.
        now = time.monotonic()
        for retired_at, old in self._retired:
            if now - retired_at > RETIRED_CHANNEL_S:
                old.close()
        self._retired = [each for each in self._retired if now - each[0] <= RETIRED_CHANNEL_S] + [(now, channel)]
