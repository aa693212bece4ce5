"""The sidecar's side of the Unix socket, with workers of the test's own."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop
from grpc import aio

from zato.common.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    NotFound,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from zato.common.rpc.access import Doorkeeper
from zato.common.rpc.aio import AioClient, AioServer
from zato.common.rpc.calls import call_metadata
from zato.common.rpc.details import error_detail
from zato.common.rpc.roles import OPERATOR, WEBADMIN
from zato.proto.control_plane.v1.control_plane_pb2 import (
    DeployRequest,
    DeployResponse,
    WatchEvent,
    WatchRequest,
    WorkerDeployment,
)
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.errors.v1.errors_pb2 import ErrorDetail
from zato.proto.invoker.v1.invoker_pb2 import Invoked, InvokeManyRequest, InvokeManyResponse, InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.server.packages.archives import unpack
from zato.server.sidecar.forward import Workers
from zato.server.sidecar.grpc import SERVICES, add_services
from zato.server.sidecar.pickup import Pickup


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeWorker:
    """Takes calls over a Unix socket; `answer` says what becomes of each, None closes without an answer."""

    answer: Callable[[Received], Awaitable[tuple[int, bytes] | None]]
    received: list[Received] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    keeps_alive: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers["Content-Length"]))
                self.received.append(Received(head[0].split()[1], headers, body))
                answering = asyncio.ensure_future(self.answer(self.received[-1]))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    break
                gone.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await gone
                result = answering.result()
                if result is None:
                    break
                connection = "" if self.keeps_alive else "Connection: close\r\n"
                writer.write(
                    f"HTTP/1.1 {result[0]} X\r\n{connection}Content-Length: {len(result[1])}\r\n\r\n".encode() + result[1]
                )
        self.closed += 1
        writer.close()


@pytest.fixture
def socket_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zato-test-") as folder:
        yield Path(folder) / "rpc.sock"


@contextlib.asynccontextmanager
async def running(socket_file: Path, worker: FakeWorker, **kwargs: Any) -> AsyncIterator[Workers]:
    server = await asyncio.start_unix_server(worker.serve, socket_file)
    workers = Workers(socket_file, **kwargs)
    try:
        yield workers
    finally:
        workers.close()
        server.close()
        await until(lambda: worker.closed == worker.opened)


async def ok(received: Received) -> tuple[int, bytes]:
    return 200, b"answer to " + received.body


async def never(_received: Received) -> None:
    await asyncio.sleep(60)


async def close(_received: Received) -> None:
    return None


def call(workers: Workers, message: bytes = b"message", timeout_s: float = 5.0, **kwargs: Any) -> Awaitable[bytes]:
    return workers.call("Invoker/Invoke", message, cid="the-cid", actor="ann", timeout_s=timeout_s, **kwargs)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_call_is_forwarded_with_who_makes_it_and_how_long_it_may_take(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(ok)
        async with running(socket_file, worker) as workers:
            assert await call(workers, timeout_s=7.0) == b"answer to message"
        (received,) = worker.received
        assert (received.path, received.body) == ("/__rpc/Invoker/Invoke", b"message")
        assert (received.headers["x-zato-cid"], received.headers["x-zato-actor"]) == ("the-cid", "ann")
        assert 6900 < int(received.headers["x-zato-deadline-ms"]) <= 7000

    uvloop.run(run())


def test_what_callers_say_of_themselves_is_one_header_whatever_is_in_it(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(ok)
        async with running(socket_file, worker) as workers:
            actor = "ann\r\nx-zato-token: \r\n\r\nPOST /__rpc/ControlPlane/Deploy HTTP/1.1\x85\x1b"
            await workers.call("ControlPlane/Watch", b"message", cid="c\nd", actor=actor, timeout_s=5, token="the-token")
        (received,) = worker.received
        assert received.headers["x-zato-token"] == "the-token"
        assert received.headers["x-zato-actor"] == "ann??x-zato-token: ????POST /__rpc/ControlPlane/Deploy HTTP/1.1??"
        assert received.headers["x-zato-cid"] == "c?d"

    uvloop.run(run())


def test_a_reply_is_understood_however_it_is_cut(socket_file: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"message")
            for byte in b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\n\r\n\r\n!":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_unix_server(serve, socket_file)
        workers = Workers(socket_file)
        assert [await call(workers) for _ in range(2)] == [b"\r\n\r\n!"] * 2
        workers.close()
        server.close()

    uvloop.run(run())


@pytest.mark.parametrize("pause_s", [0, 0.02])
def test_what_nobody_asked_for_is_never_taken_for_an_answer(socket_file: Path, pause_s: float) -> None:
    closed = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"message")
        for number in (b"1", b"2"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)
            await asyncio.sleep(pause_s)
        await reader.read()
        writer.close()
        closed.append(writer)

    async def run() -> None:
        server = await asyncio.start_unix_server(serve, socket_file)
        workers = Workers(socket_file)
        for count in (1, 2):
            assert await call(workers) == b"1"
            await until(lambda count=count: len(closed) == count)  # type: ignore[misc]
        server.close()

    uvloop.run(run())


def test_connections_are_used_again_unless_the_worker_closes(socket_file: Path) -> None:
    async def run() -> None:
        for keeps_alive, connections in ((True, 1), (False, 5)):
            worker = FakeWorker(ok, keeps_alive=keeps_alive)
            async with running(socket_file, worker) as workers:
                for _ in range(5):
                    await call(workers)
                workers.close()
                await until(lambda worker=worker, connections=connections: worker.closed == connections)  # type: ignore[misc]
            socket_file.unlink(missing_ok=True)

    uvloop.run(run())


def test_a_worker_that_closes_meanwhile_is_unavailable_and_nothing_is_sent_twice(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(close)
        async with running(socket_file, worker) as workers:
            with pytest.raises(Unavailable, match="went away before it answered"):
                await call(workers)
            worker.answer = ok
            await call(workers, b"another")
        assert [received.body for received in worker.received] == [b"message", b"another"]

    uvloop.run(run())


def test_a_worker_that_closed_a_connection_in_the_pool_costs_nothing(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(ok)
        async with running(socket_file, worker) as workers:
            await call(workers)
            workers._idle[0]._transport.abort()
            await until(lambda: worker.closed == 1)
            assert await call(workers) == b"answer to message"

    uvloop.run(run())


def test_without_any_worker_a_call_is_unavailable_at_once(socket_file: Path) -> None:
    async def run() -> None:
        with pytest.raises(Unavailable, match="No worker"):
            await call(Workers(socket_file))
        assert not await Workers(socket_file).is_ready()

    uvloop.run(run())


def test_a_call_that_takes_too_long_ends_at_its_deadline_and_closes(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(never)
        async with running(socket_file, worker) as workers:
            with pytest.raises(DeadlineExceeded):
                await call(workers, timeout_s=0.05)
            await until(lambda: worker.closed == 1)

    uvloop.run(run())


def test_a_call_that_is_cancelled_closes_its_connection(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(never)
        async with running(socket_file, worker) as workers:
            task = asyncio.ensure_future(call(workers))
            await until(lambda: len(worker.received) == 1)
            task.cancel()
            await until(lambda: worker.closed == 1)
            assert workers._idle == []

    uvloop.run(run())


def test_calls_beyond_the_size_wait_their_turn_but_not_beyond_their_deadline(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(never)
        async with running(socket_file, worker, size=1) as workers:
            task = asyncio.ensure_future(call(workers))
            await until(lambda: len(worker.received) == 1)
            with pytest.raises(DeadlineExceeded, match="too many calls"):
                await call(workers, timeout_s=0.05)
            assert len(worker.received) == 1, "it was never sent"
            task.cancel()
            worker.answer = ok
            assert await call(workers) == b"answer to message"

    uvloop.run(run())


def test_a_server_that_is_busy_is_ready_all_the_same(socket_file: Path) -> None:
    async def answer(received: Received) -> tuple[int, bytes] | None:
        return (200, b"{}") if received.path == "/health/ready" else await never(received)  # type: ignore[func-returns-value]

    async def run() -> None:
        worker = FakeWorker(answer)
        async with running(socket_file, worker, size=1) as workers:
            task = asyncio.ensure_future(call(workers))
            await until(lambda: len(worker.received) == 1)
            assert await workers.is_ready()
            task.cancel()

    uvloop.run(run())


def test_who_waits_for_news_takes_no_turn_of_calls(socket_file: Path) -> None:
    async def answer(received: Received) -> tuple[int, bytes] | None:
        return await (never(received) if int(received.headers.get("x-zato-wait-ms", "0")) else ok(received))

    async def run() -> None:
        worker = FakeWorker(answer)
        async with running(socket_file, worker, size=1) as workers:
            watching = [asyncio.ensure_future(call(workers, wait_s=20)) for _ in range(5)]
            await until(lambda: len(worker.received) == 5)
            assert await call(workers) == b"answer to message"
            for task in watching:
                task.cancel()

    uvloop.run(run())


def test_who_waits_for_news_is_sent_on_when_the_server_stops(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(never)
        async with running(socket_file, worker) as workers:
            options = {"cid": "c", "actor": "a", "timeout_s": 20, "wait_s": 20}
            task = asyncio.ensure_future(workers.call_until_stop("ControlPlane/Watch", b"", **options))
            await until(lambda: len(worker.received) == 1)
            workers.say_stopping()
            with pytest.raises(Unavailable, match="stops"):
                await task
            await until(lambda: worker.closed == 1)

    uvloop.run(run())


def test_a_watcher_of_an_odb_where_nothing_was_ever_configured_gets_one_snapshot_until_something_is(socket_file: Path) -> None:
    async def answer(_received: Received) -> tuple[int, bytes]:
        # Who has version 0 gets a snapshot each time it asks.
        return 200, WatchEvent(version=int(len(worker.received) > 2), is_snapshot=True).SerializeToString()

    async def run() -> None:
        async with running(socket_file, worker) as workers:
            door = Doorkeeper(None)
            server = AioServer(
                "localhost:0", token="t", services=SERVICES, add=lambda at: add_services(at, workers, "t", lambda: door)
            )
            await server.start()
            await server.set_serving(True)
            client = AioClient(f"localhost:{server.port}", token="t")
            watch: Any = ControlPlaneStub(client.channel).Watch
            stream = watch(WatchRequest(watcher="w"), metadata=call_metadata("t", "c"), timeout=10)
            try:
                assert [(await stream.read()).version for _ in range(2)] == [0, 1]
                # It asks on at once from version 1, so there may be a fourth question already.
                asked = [WatchRequest.FromString(received.body).from_version for received in worker.received]
                assert asked[:3] == [0, 0, 0]
            finally:
                await client.close()
                await server.stop(0.1)

    worker = FakeWorker(answer)
    uvloop.run(run())


@pytest.mark.parametrize("error", [NotFound("nothing", service="s"), BadRequest("odd"), Unavailable("later")])
def test_the_workers_error_comes_out_as_itself(socket_file: Path, error: Any) -> None:
    async def answer(_received: Received) -> tuple[int, bytes]:
        return error.http_status, error_detail(error, "c").SerializeToString()

    async def run() -> None:
        async with running(socket_file, FakeWorker(answer)) as workers:
            with pytest.raises(type(error), match=error.message) as raised:
                await call(workers)
            assert raised.value.attributes == error.attributes

    uvloop.run(run())


def test_an_error_that_only_the_worker_knows_is_the_nearest_one_by_its_status(socket_file: Path) -> None:
    detail = ErrorDetail(type="OfAUsersService", message="odd", http_status=400)

    async def answer(_received: Received) -> tuple[int, bytes]:
        return 400, detail.SerializeToString()

    async def run() -> None:
        async with running(socket_file, FakeWorker(answer)) as workers:
            with pytest.raises(BadRequest, match="odd"):
                await call(workers)

    uvloop.run(run())


def test_a_refusal_that_is_no_error_of_ours_is_told_by_its_status(socket_file: Path) -> None:
    async def answer(_received: Received) -> tuple[int, bytes]:
        return 413, b'{"result": "Error"}'

    async def run() -> None:
        async with running(socket_file, FakeWorker(answer)) as workers:
            with pytest.raises(BadRequest, match="413"):
                await call(workers)

    uvloop.run(run())


@pytest.mark.parametrize(
    "garbage", [b"\r\n\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nshort"]
)
def test_an_answer_that_cannot_be_read_is_unavailable(socket_file: Path, garbage: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbage)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_unix_server(serve, socket_file)
        with pytest.raises(Unavailable):
            await call(Workers(socket_file), b"")
        server.close()

    uvloop.run(run())


def test_what_comes_in_pieces_is_forwarded_as_one_and_refused_as_soon_as_it_is_too_much(socket_file: Path) -> None:
    async def run() -> None:
        async with running(socket_file, worker) as workers:
            door = Doorkeeper(None)
            server = AioServer(
                "localhost:0", token="t", services=SERVICES, add=lambda at: add_services(at, workers, "t", lambda: door, 100)
            )
            await server.start()
            client = AioClient(f"localhost:{server.port}", token="t")
            upload: Any = ControlPlaneStub(client.channel).Upload
            pieces = [DeployRequest(file_name="a.zip", wait_s=3, source=b"x" * 50), DeployRequest(source=b"y" * 50)]
            await upload(iter(pieces), metadata=call_metadata("t", "c"), timeout=10)
            whole = DeployRequest(file_name="a.zip", wait_s=3, source=b"x" * 50 + b"y" * 50)
            assert [(each.path, DeployRequest.FromString(each.body)) for each in worker.received] == [
                ("/__rpc/ControlPlane/Deploy", whole)
            ]
            with pytest.raises(aio.AioRpcError) as raised:
                await upload(iter([*pieces, DeployRequest(source=b"z")]), metadata=call_metadata("t", "c"), timeout=10)
            assert raised.value.code() is grpc.StatusCode.OUT_OF_RANGE
            assert len(worker.received) == 1
            await client.close()
            await server.stop(0.1)

    async def answer(_received: Received) -> tuple[int, bytes]:
        return 200, DeployResponse(version=1).SerializeToString()

    worker = FakeWorker(answer)
    uvloop.run(run())


class Door(Doorkeeper):
    """Knows its callers' roles without their certificates."""

    def __init__(self, role: str) -> None:
        super().__init__(None)
        self._role = role

    def is_called_by(self, role: str, context: Any) -> bool:
        return role == self._role


@pytest.mark.parametrize(
    ("role", "told", "noted"),
    [
        (WEBADMIN, "192.0.2.7", "192.0.2.7"),
        (WEBADMIN, "2001:DB8::1", "2001:db8::1"),
        (WEBADMIN, "", "127.0.0.1"),
        (WEBADMIN, "nowhere", "127.0.0.1"),
        (OPERATOR, "192.0.2.7", "127.0.0.1"),
        ("", "192.0.2.7", "127.0.0.1"),
    ],
)
def test_only_the_web_admin_says_where_a_person_is(socket_file: Path, role: str, told: str, noted: str) -> None:
    async def run() -> None:
        async with running(socket_file, worker) as workers:
            door = Door(role)
            server = AioServer(
                "127.0.0.1:0", token="t", services=SERVICES, add=lambda at: add_services(at, workers, "t", lambda: door)
            )
            await server.start()
            client = AioClient(f"127.0.0.1:{server.port}", token="t")
            deploy: Any = ControlPlaneStub(client.channel).Deploy
            await deploy(DeployRequest(), metadata=call_metadata("t", "c", told), timeout=10)
            assert [each.headers["x-zato-address"] for each in worker.received] == [noted]
            await client.close()
            await server.stop(0.1)

    async def answer(_received: Received) -> tuple[int, bytes]:
        return 200, DeployResponse(version=1).SerializeToString()

    worker = FakeWorker(answer)
    uvloop.run(run())


@contextlib.asynccontextmanager
async def stream_of_many(workers: Workers) -> AsyncIterator[Any]:
    """A stream of InvokeMany through a sidecar's server."""
    door = Doorkeeper(None)
    server = AioServer("localhost:0", token="t", services=SERVICES, add=lambda at: add_services(at, workers, "t", lambda: door))
    await server.start()
    client = AioClient(f"localhost:{server.port}", token="t")
    stub: Any = InvokerStub(client.channel)
    stream = stub.InvokeMany(metadata=call_metadata("t", "c"), timeout=10)
    try:
        yield stream
    finally:
        stream.cancel()
        await client.close()
        await server.stop(0.1)


def many(*services: str) -> InvokeManyRequest:
    return InvokeManyRequest(invocations=[InvokeRequest(service=service) for service in services])


def answer_to(message: InvokeManyRequest) -> InvokeManyResponse:
    responses = [InvokeResponse(cid=each.service) for each in message.invocations]
    return InvokeManyResponse(results=[Invoked(response=response) for response in responses])


def test_messages_of_a_stream_are_worked_on_at_the_same_time_and_answered_in_their_order(socket_file: Path) -> None:
    async def run() -> None:
        last_came = asyncio.Event()

        async def answer(received: Received) -> tuple[int, bytes]:
            message = InvokeManyRequest.FromString(received.body)
            if message == many("a", "b"):
                await last_came.wait()
            elif message == many("d"):
                last_came.set()
            return 200, answer_to(message).SerializeToString()

        async with running(socket_file, FakeWorker(answer)) as workers, stream_of_many(workers) as stream:
            messages = [many("a", "b"), many("c"), many("d")]
            for message in messages:
                await stream.write(message)
            assert [await stream.read() for _ in messages] == [answer_to(message) for message in messages]
            # One whose caller waits for its answer before the next one, too.
            for message in messages:
                await stream.write(message)
                assert await stream.read() == answer_to(message)
            await stream.done_writing()
            assert await stream.read() is aio.EOF

    uvloop.run(run())


def test_a_stream_keeps_no_more_than_a_few_calls_running(socket_file: Path) -> None:
    async def run() -> None:
        worker = FakeWorker(never)
        async with running(socket_file, worker) as workers, stream_of_many(workers) as stream:
            for number in range(20):
                await stream.write(many(f"service{number}"))
            await until(lambda: len(worker.received) == 8)
            worker.answer = ok
            assert await call(workers) == b"answer to message", "others have their turn"
            assert len(worker.received) == 9
            stream.cancel()
            await until(lambda: worker.closed == 8)

    uvloop.run(run())


def test_a_stream_fails_with_the_first_of_its_messages_that_no_worker_answers(socket_file: Path) -> None:
    async def run() -> None:
        async def answer(received: Received) -> tuple[int, bytes] | None:
            if InvokeManyRequest.FromString(received.body) == many("hangs"):
                await never(received)
            return None

        worker = FakeWorker(answer)
        async with running(socket_file, worker) as workers, stream_of_many(workers) as stream:
            await stream.write(many("closes"))
            await stream.write(many("hangs"))
            with pytest.raises(aio.AioRpcError) as raised:
                await stream.read()
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            await until(lambda: worker.closed == worker.opened)

    uvloop.run(run())


# The pickup folder

# A change takes two to be seen, and one that does nothing shows that it was the last.
_LOOKS = 4


@dataclass
class Deployments:
    """Stands for the workers: keeps what is deployed, and fails as it is told."""

    fails: Exception | None = None
    refuses: set[str] = field(default_factory=set)
    calls: list[tuple[str, bytes, bool]] = field(default_factory=list)

    async def call(self, method: str, message: bytes, **_kwargs: Any) -> bytes:
        request = DeployRequest.FromString(message)
        self.calls.append((request.file_name, request.source, request.undeploy))
        if self.fails:
            raise self.fails
        reason = "it does not fit" if request.file_name in self.refuses else ""
        workers = [WorkerDeployment(server="s", pid=1, is_ok=not reason, reason=reason)]
        return DeployResponse(file_name=request.file_name, version=1, workers=workers).SerializeToString()

    def deployed(self) -> list[str]:
        return [name for name, _, is_undeployed in self.calls if not is_undeployed]

    def undeployed(self) -> list[str]:
        return [name for name, _, is_undeployed in self.calls if is_undeployed]


@dataclass
class Folder:
    path: Path
    state: Path
    deployments: Deployments = field(default_factory=Deployments)

    def put(self, name: str, source: str) -> None:
        (self.path / name).write_text(source)

    async def watched(
        self, act: Callable[[], Any] = lambda: None, *, until: Callable[[], bool] | None = None, undeploy_deleted: bool = True
    ) -> None:
        """Look a few times, and again after acting; with `until`, as often as that takes."""
        workers: Any = self.deployments
        pickup = Pickup(self.path, self.state, workers, "server1", undeploy_deleted=undeploy_deleted)
        for _ in range(_LOOKS):
            await pickup.look()
        act()
        for _ in range(_LOOKS):
            await pickup.look()
        assert until is None or until()

    def watch(self, act: Callable[[], Any] = lambda: None, **kwargs: Any) -> None:
        uvloop.run(self.watched(act, **kwargs))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "pickup").mkdir()
    return Folder(tmp_path / "pickup", tmp_path / "pickup.json")


def test_a_file_is_deployed_once(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    folder.watch()
    assert folder.deployments.calls == [("a.py", b"x = 1", False)]


def test_a_changed_file_is_deployed_anew(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    folder.watch(lambda: folder.put("a.py", "x = 22"))
    assert [source for _, source, _ in folder.deployments.calls] == [b"x = 1", b"x = 22"]


def test_a_file_that_is_still_written_waits(folder: Folder) -> None:
    async def run() -> None:
        workers: Any = folder.deployments
        pickup = Pickup(folder.path, folder.state, workers, "server1", undeploy_deleted=True)
        for number in range(20):
            with (folder.path / "a.py").open("a") as file:
                file.write(f"x{number} = 1\n")
            await pickup.look()
        assert folder.deployments.calls == []
        for _ in range(_LOOKS):
            await pickup.look()

    uvloop.run(run())
    ((_, source, _),) = folder.deployments.calls
    assert source.count(b"\n") == 20


def test_a_deleted_file_is_undeployed(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    folder.watch(lambda: (folder.path / "a.py").unlink())
    assert folder.deployments.undeployed() == ["a.py"]


def test_unless_it_is_not_to_be(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    folder.watch(lambda: (folder.path / "a.py").unlink(), undeploy_deleted=False)
    assert folder.deployments.undeployed() == []


def test_a_file_that_an_editor_replaces_is_not_undeployed(folder: Folder) -> None:
    def replace() -> None:
        folder.put("a.tmp", "x = 2")
        (folder.path / "a.tmp").replace(folder.path / "a.py")

    folder.put("a.py", "x = 1")
    folder.watch(replace)
    assert folder.deployments.undeployed() == []
    assert len(folder.deployments.deployed()) == 2


def test_what_was_deployed_is_remembered_over_a_restart(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    folder.put("b.py", "x = 1")
    folder.watch()
    (folder.path / "b.py").unlink()
    folder.deployments.calls.clear()
    folder.watch()
    assert folder.deployments.calls == [("b.py", b"", True)], "a.py is not sent again, b.py was deleted meanwhile"


@pytest.mark.parametrize("state", ["", "{", "[]", '{"a.py": 1}', '{"a.py": [1]}', '{"a.py": ["x", null]}', "null"])
def test_a_state_that_is_lost_or_broken_costs_a_second_look(folder: Folder, state: str) -> None:
    folder.put("a.py", "x = 1")
    folder.state.write_text(state)
    folder.watch()
    assert folder.deployments.deployed() == ["a.py"]


def test_a_file_that_no_worker_could_take_is_tried_again(folder: Folder) -> None:
    folder.deployments.fails = Unavailable("no worker")
    folder.put("a.py", "x = 1")
    folder.watch(lambda: setattr(folder.deployments, "fails", None))
    assert len(folder.deployments.calls) > 2
    assert "a.py" in folder.state.read_text()


def test_a_file_that_was_refused_waits_until_it_changes(folder: Folder) -> None:
    folder.deployments.fails = BadRequest("no name for a file")
    folder.put("a-b.py", "x = 1")
    folder.watch()
    assert len(folder.deployments.calls) == 1


def test_a_file_that_was_refused_is_tried_again_once_with_each_one_that_is_deployed(folder: Folder) -> None:
    folder.deployments.refuses = {"a_uses.py", "c_never.py"}
    folder.put("a_uses.py", "from b_used import x")
    folder.put("c_never.py", "raise ValueError")

    def mend() -> None:
        folder.deployments.refuses = {"c_never.py"}
        folder.put("b_used.py", "x = 1")

    folder.watch(mend, until=lambda: folder.deployments.deployed().count("a_uses.py") == 2)
    names = folder.deployments.deployed()
    assert names[:3] == ["a_uses.py", "c_never.py", "b_used.py"]
    # With b_used.py both are tried again, and with a_uses.py the other one once more.
    assert (names.count("a_uses.py"), names.count("b_used.py"), names.count("c_never.py")) == (2, 1, 3)


def test_other_files_and_folders_are_left_alone(folder: Folder) -> None:
    for name in ("a.txt", "b.pyc", ".hidden", "c.py~"):
        folder.put(name, "x = 1")
    (folder.path / "d.py").mkdir()
    (folder.path / "e.py").symlink_to(folder.path / "nothing")
    folder.watch()
    assert folder.deployments.calls == []


def put_package(folder: Folder, name: str = "orders", **files: str) -> None:
    for path, text in (files or {"__init__": "x = 1"}).items():
        file = folder.path / name / f"{path.replace('__in__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_a_folder_is_a_package_that_is_deployed_once_and_anew_when_something_in_it_changes(folder: Folder) -> None:
    put_package(folder, __init__="", sub__in__deep="x = 1")
    (folder.path / "orders" / "__pycache__").mkdir()
    folder.watch(lambda: (folder.path / "orders" / "__pycache__" / "a.pyc").write_text("x"))
    ((name, source, _),) = folder.deployments.calls
    assert (name, unpack(source)) == ("orders.zip", {"__init__.py": b"", "sub/deep.py": b"x = 1"})
    folder.watch(lambda: (folder.path / "orders" / "sub" / "deep.py").write_text("x = 22"))
    folder.watch(lambda: (folder.path / "orders" / "sub" / "deep.py").unlink())
    assert [len(unpack(source)) for _, source, _ in folder.deployments.calls] == [2, 2, 1]


def test_a_package_that_is_deleted_is_undeployed_by_its_own_name(folder: Folder) -> None:
    put_package(folder)
    folder.put("invoices-api.zip", "zip")
    folder.watch(lambda: (shutil.rmtree(folder.path / "orders"), (folder.path / "invoices-api.zip").unlink()))
    assert sorted(folder.deployments.deployed()) == ["invoices-api.zip", "orders.zip"]
    assert folder.deployments.undeployed() == ["invoices_api", "orders"]


def test_a_newer_wheel_takes_the_place_of_the_old_one_and_nothing_is_undeployed(folder: Folder) -> None:
    folder.put("orders-1.0-py3-none-any.whl", "old")

    def replace() -> None:
        (folder.path / "orders-1.0-py3-none-any.whl").unlink()
        folder.put("orders-1.1-py3-none-any.whl", "new")

    folder.watch(replace)
    assert folder.deployments.deployed() == ["orders-1.0-py3-none-any.whl", "orders-1.1-py3-none-any.whl"]
    assert folder.deployments.undeployed() == []
    assert "1.0" not in folder.state.read_text()


@pytest.mark.parametrize("error", [PayloadTooLarge("too large"), UnsupportedMediaType("no package"), Conflict("no")], ids=repr)
def test_what_can_never_be_taken_is_sent_once(folder: Folder, error: Exception) -> None:
    folder.deployments.fails = error
    folder.put("orders.zip", "x")
    folder.watch()
    assert len(folder.deployments.calls) == 1


def test_a_folder_with_a_symbolic_link_is_not_sent(folder: Folder) -> None:
    put_package(folder)
    (folder.path / "orders" / "link.py").symlink_to("/etc/passwd")
    folder.watch()
    assert folder.deployments.calls == []


def test_folders_without_modules_are_left_alone(folder: Folder) -> None:
    for name in ("empty", ".hidden", "__pycache__"):
        (folder.path / name).mkdir()
    (folder.path / "__pycache__" / "a.py").write_text("x")
    (folder.path / ".hidden" / "a.py").write_text("x")
    folder.watch()
    assert folder.deployments.calls == []


def test_a_folder_that_is_away_for_a_moment_undeploys_nothing(folder: Folder) -> None:
    folder.put("a.py", "x = 1")
    moved = folder.path.with_name("moved")
    folder.watch(lambda: folder.path.rename(moved))
    assert folder.deployments.undeployed() == []
