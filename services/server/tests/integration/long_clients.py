"""Clients that stay for a while: one that watches the configuration, and a few that never stop asking."""

import queue
import threading
from typing import Any

import grpc

from zato.common.errors import ZatoError
from zato.common.rpc.calls import call_metadata, error_from_call
from zato.common.rpc.client import Client
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent, WatchRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub

from .conftest import TOKEN, RawConnection, Server


class Watcher:
    """An open Watch stream; events and the error that it ends with are put into queues as they come."""

    def __init__(self, server: Server, from_version: int = 0) -> None:
        self._client = Client(f"127.0.0.1:{server.grpc_port}", token=TOKEN)
        request = WatchRequest(watcher="test", kinds=["channel-http"], from_version=from_version)
        stub = ControlPlaneStub(self._client.channel)
        self._stream = stub.Watch(request, metadata=call_metadata(TOKEN, "watch"), timeout=100)
        self._events: queue.Queue[WatchEvent] = queue.Queue()
        self._ends: queue.Queue[ZatoError] = queue.Queue()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for event in self._stream:
                self._events.put(event)
        except grpc.RpcError as exc:
            self._ends.put(error_from_call(exc, "the server"))

    def next_event(self) -> WatchEvent:
        return self._events.get(timeout=20)

    def wait_for_object(self, name: str) -> WatchEvent:
        """Return the first event that has an object of that name."""
        while True:
            event = self.next_event()
            if any(each.name == name for each in event.objects):
                return event

    def wait_for_end(self) -> ZatoError:
        return self._ends.get(timeout=20)

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self._stream.cancel()
        self._thread.join(10)
        self._client.close()


class Load:
    """Steady requests from a few clients, over new connections and over kept ones, until it is left."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.failures: list[str] = []
        self.pids: list[int] = []
        self._is_over = threading.Event()
        targets = [self._over_new_connections, self._over_one_connection, self._over_grpc] * 2
        self._threads = [threading.Thread(target=target) for target in targets]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _over_new_connections(self) -> None:
        while not self._is_over.wait(0.002):
            try:
                answer = self._server.request("GET", "/where")
                self._take(answer.status, answer.json)
            except Exception as exc:
                self.failures.append(f"new connection: {exc!r}")

    def _over_one_connection(self) -> None:
        """Keep a connection until its answer says that it will be closed, as a load-balancer does."""
        connection: RawConnection | None = None
        while not self._is_over.wait(0.002):
            try:
                connection = connection or self._server.connect()
                connection.send(b"GET /where HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = connection.read_answer()
                if answer is None:
                    self.failures.append("kept connection: closed without an answer")
                else:
                    self._take(answer.status, answer.json)
                if answer is None or answer.headers.get("connection") == "close":
                    connection.close()
                    connection = None
            except Exception as exc:
                self.failures.append(f"kept connection: {exc!r}")
                connection = None
        if connection is not None:
            connection.close()

    def _over_grpc(self) -> None:
        while not self._is_over.wait(0.002):
            try:
                self._take(200, self._server.admin("samples.where"))
            except ZatoError as exc:
                self.failures.append(f"gRPC: {exc!r}")

    def _take(self, status: int, body: Any) -> None:
        if status != 200:
            self.failures.append(f"{status}: {body}")
        else:
            self.pids.append(body["pid"])
