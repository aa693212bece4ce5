"""Servers and clients of both sorts, threaded and asyncio, so that each test of gRPC runs for all four pairs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from zato.common.rpc.aio import AioClient, AioServer
from zato.common.rpc.client import Client
from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.tls import TLSFiles
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent
from zato.proto.control_plane.v1.control_plane_pb2_grpc import (
    ControlPlaneServicer,
    add_ControlPlaneServicer_to_server,
)
from zato.proto.load_balancer.v1.load_balancer_pb2 import JoinRequest, JoinResponse
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import (
    LoadBalancerServicer,
    LoadBalancerStub,
    add_LoadBalancerServicer_to_server,
)

TOKEN = "token-of-the-cluster"
SERVICES = ("zato.proto.load_balancer.v1.LoadBalancer", "zato.proto.control_plane.v1.ControlPlane")


@dataclass
class Part:
    """What stands behind both servers: raises what it was given, or takes its time, then answers."""

    error: BaseException | None = None
    takes_s: float = 0.0
    called: list[str] = field(default_factory=list)

    def answer(self, name: str) -> JoinResponse:
        self.called.append(name)
        if self.error:
            raise self.error
        return JoinResponse(lease_s=len(name))


class ThreadedPart(LoadBalancerServicer, ControlPlaneServicer):
    def __init__(self, part: Part) -> None:
        self._part = part

    def Join(self, request: Any, context: Any) -> JoinResponse:
        time.sleep(self._part.takes_s)
        return self._part.answer(request.name)

    def Watch(self, request: Any, context: Any) -> Iterator[WatchEvent]:
        yield WatchEvent(version=1)
        self._part.answer(request.watcher)
        yield WatchEvent(version=2)


class AioPart(LoadBalancerServicer, ControlPlaneServicer):
    def __init__(self, part: Part) -> None:
        self._part = part

    async def Join(self, request: Any, context: Any) -> JoinResponse:
        await asyncio.sleep(self._part.takes_s)
        return self._part.answer(request.name)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[WatchEvent]:
        yield WatchEvent(version=1)
        self._part.answer(request.watcher)
        yield WatchEvent(version=2)


class Loop:
    """One event loop in a thread: gRPC's asyncio side wants all of a process on one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


class Serving:
    """Starts servers of one sort."""

    def __init__(self, sort: str, loop: Loop, stack: contextlib.ExitStack) -> None:
        self._sort = sort
        self._loop = loop
        self._stack = stack

    def __call__(self, part: Part, *, port: int = 0, token: str = TOKEN, tls: TLSFiles | None = None) -> "Served":
        address = f"localhost:{port}"
        if self._sort == "aio":
            server = self._loop.run(self._aio(part, address, token, tls))
            served = Served(server.port, lambda: self._loop.run(server.stop(0.1)))
        else:
            threaded = ThreadedServer(
                address, token=token, services=SERVICES, add=lambda at: add_part(ThreadedPart(part), at), tls=tls
            )
            threaded.start()
            served = Served(threaded.port, lambda: threaded.stop(0.1))
        self._stack.callback(served.stop)
        return served

    async def _aio(self, part: Part, address: str, token: str, tls: TLSFiles | None) -> AioServer:
        server = AioServer(address, token=token, services=SERVICES, add=lambda at: add_part(AioPart(part), at), tls=tls)
        await server.start()
        await server.set_serving(True)
        return server


@dataclass
class Served:
    port: int
    _stop: Any

    @property
    def target(self) -> str:
        return f"localhost:{self.port}"

    def stop(self) -> None:
        stop, self._stop = self._stop, lambda: None
        stop()


def add_part(part: Any, server: Any) -> None:
    add_LoadBalancerServicer_to_server(part, server)
    add_ControlPlaneServicer_to_server(part, server)


class Caller:
    """Calls `Join` as one sort of client does."""

    def __init__(self, sort: str, loop: Loop, stack: contextlib.ExitStack) -> None:
        self._sort = sort
        self._loop = loop
        self._stack = stack

    def connect(self, target: str, *, token: str = TOKEN, tls: TLSFiles | None = None) -> "Connected":
        if self._sort == "aio":
            return self._loop.run(self._aio(target, token, tls))
        client = Client(target, token=token, tls=tls)
        self._stack.callback(client.close)
        stub = LoadBalancerStub(client.channel)
        return Connected(lambda name, **options: client.call(stub.Join, JoinRequest(name=name), **options))

    async def _aio(self, target: str, token: str, tls: TLSFiles | None) -> "Connected":
        client = AioClient(target, token=token, tls=tls)
        self._stack.callback(lambda: self._loop.run(client.close()))
        stub = LoadBalancerStub(client.channel)
        return Connected(lambda name, **options: self._loop.run(client.call(stub.Join, JoinRequest(name=name), **options)))


@dataclass
class Connected:
    _join: Any

    def join(self, name: str = "server1", *, timeout_s: float = 5.0, cid: str = "") -> JoinResponse:
        response: JoinResponse = self._join(name, timeout_s=timeout_s, cid=cid)
        return response


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(params=["threaded", "aio"])
def serve(request: pytest.FixtureRequest, loop: Loop, stack: contextlib.ExitStack) -> Serving:
    return Serving(request.param, loop, stack)


@pytest.fixture(params=["from-threaded", "from-aio"])
def caller(request: pytest.FixtureRequest, loop: Loop, stack: contextlib.ExitStack) -> Caller:
    return Caller(request.param.removeprefix("from-"), loop, stack)


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def served(serve: Serving, part: Part) -> Served:
    return serve(part)
