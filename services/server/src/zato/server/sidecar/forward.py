"""Sending calls on to the workers, over a Unix socket."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from zato.common.errors import BadRequest, DeadlineExceeded, Unavailable, WorkerLost, ZatoError, error_from, grpc_code_of
from zato.proto.errors.v1.errors_pb2 import ErrorDetail

_CONNECT_S = 2.0
# A worker answers in its own time; this much longer than its deadline we wait for it to say that it missed it.
_GRACE_S = 0.5
_SCHEDULERS = "Jobs/"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


class Workers:
    """
    A pool of connections to the workers of this server. Nothing is ever sent twice: a call whose connection breaks
    may have been carried out.

    Args:
        size: Calls that may run at a time; further ones wait.
        waiting_size: The same for calls that only wait for news, and so keep no worker busy, and for those of schedulers:
            a run of a job may take hours, and nothing may keep a leader from renewing its lease.
    """

    def __init__(self, socket: Path, *, size: int = 64, waiting_size: int = 1000) -> None:
        self._socket = str(socket)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._slots = asyncio.Semaphore(size)
        self._waiting_slots = asyncio.Semaphore(waiting_size)
        self._is_stopping = asyncio.Event()

    async def call(
        self,
        method: str,
        message: bytes,
        *,
        cid: str,
        actor: str,
        timeout_s: float,
        wait_s: float = 0.0,
        address: str = "",
        token: str = "",
    ) -> bytes:
        """
        Return a worker's answer to `method`, e.g. "Invoker/Invoke".

        Raises:
            ZatoError: What the worker raised; Unavailable when there is none, or when it died meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        async with _slot(self._waiting_slots if wait_s or method.startswith(_SCHEDULERS) else self._slots, method, timeout_s):
            remaining_s = deadline - time.monotonic()
            headers = {
                "x-zato-cid": cid,
                "x-zato-actor": actor,
                "x-zato-address": address,
                "x-zato-token": token,
                "x-zato-deadline-ms": str(max(1, int(remaining_s * 1000))),
                "x-zato-wait-ms": str(int(wait_s * 1000)),
            }
            reply = await self._send("POST", f"/__rpc/{method}", message, headers, timeout_s=remaining_s + _GRACE_S)
        if reply.status == 200:
            return reply.body
        raise _error_of(reply, method)

    async def call_until_stop(self, method: str, message: bytes, **kwargs: Any) -> bytes:
        """The same for calls that wait for news; raises Unavailable as soon as this server stops."""
        call = asyncio.ensure_future(self.call(method, message, **kwargs))
        stop = asyncio.ensure_future(self._is_stopping.wait())
        try:
            await asyncio.wait((call, stop), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise Unavailable("This server stops: ask another one")
            return call.result()
        finally:
            call.cancel()
            stop.cancel()

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping.is_set()

    def say_stopping(self) -> None:
        """Whoever waits for news need not wait here any longer."""
        self._is_stopping.set()

    async def is_ready(self) -> bool:
        """Whether a worker answers and has loaded its configuration."""
        try:
            # Not behind the calls: a server whose slots are all taken is busy, not gone.
            reply = await self._send("GET", "/health/ready", b"", {}, timeout_s=_CONNECT_S)
        except (Unavailable, DeadlineExceeded):
            return False
        return reply.status == 200

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, path, body, headers)
        except TimeoutError:
            raise DeadlineExceeded(f"No worker answered {path} within {timeout_s:.3g} s") from None

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        reader, writer = await self._connection()
        try:
            lines = [f"{method} {path} HTTP/1.1\r\nHost: worker\r\nContent-Length: {len(body)}\r\n"]
            lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
            writer.write("".join(lines).encode("latin-1", "replace") + b"\r\n" + body)
            reply, keeps_alive = await _read_reply(reader)
        except (OSError, EOFError, ValueError, LookupError) as exc:
            writer.close()
            raise WorkerLost(f"The worker that took {path} went away before it answered") from exc
        except BaseException:
            # Cancelled or out of time: closing tells the worker, and nobody reads a late answer as the next one.
            writer.close()
            raise
        if keeps_alive:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        try:
            return await asyncio.wait_for(asyncio.open_unix_connection(self._socket), _CONNECT_S)
        except (OSError, TimeoutError) as exc:
            raise Unavailable("No worker of this server takes calls now") from exc


@asynccontextmanager
async def _slot(slots: asyncio.Semaphore, method: str, timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            await slots.acquire()
    except TimeoutError:
        raise DeadlineExceeded(f"{method} waited {timeout_s:.3g} s for its turn: this server has too many calls") from None
    try:
        yield
    finally:
        slots.release()


def _error_of(reply: Reply, method: str) -> ZatoError:
    try:
        detail = ErrorDetail.FromString(reply.body)
    except DecodeError:
        # The worker refused it as HTTP, before it was a call: it is too large, for one.
        return BadRequest(f"{method} was refused by the worker with the HTTP status {reply.status}")
    return error_from(detail.type, detail.message, detail.attributes, grpc_code_of(detail.http_status))


async def _read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    status = int(head[0].split(" ")[1])
    length, keeps_alive = 0, True
    for line in head[1:]:
        name, _, value = line.partition(": ")
        if name == "content-length":
            length = int(value)
        elif name == "connection":
            keeps_alive = value != "close"
    return Reply(status, await reader.readexactly(length)), keeps_alive
