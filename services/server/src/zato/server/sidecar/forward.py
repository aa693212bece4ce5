"""Sending calls on to the workers, over a Unix socket."""

import asyncio
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from zato.common.errors import BadRequest, DeadlineExceeded, Unavailable, WorkerLost, ZatoError, error_from, grpc_code_of
from zato.proto.errors.v1.errors_pb2 import ErrorDetail
from zato.server.sidecar.worker_connection import ConnectionBroken, Reply, WorkerConnection

_CONNECT_S = 2.0
# A worker answers in its own time; this much longer than its deadline we wait for it to say that it missed it.
_GRACE_S = 0.5
_SCHEDULERS = "Jobs/"


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
        self._idle: list[WorkerConnection] = []
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
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        slots = self._waiting_slots if wait_s or method.startswith(_SCHEDULERS) else self._slots
        await _take_slot(slots, method, timeout_s)
        try:
            remaining_s = ends_at - loop.time()
            headers = {
                "x-zato-cid": cid,
                "x-zato-actor": actor,
                "x-zato-address": address,
                "x-zato-token": token,
                "x-zato-deadline-ms": str(max(1, int(remaining_s * 1000))),
                "x-zato-wait-ms": str(int(wait_s * 1000)) if wait_s else "",
            }
            reply = await self._send("POST", f"/__rpc/{method}", message, headers, timeout_s=remaining_s + _GRACE_S)
        finally:
            slots.release()
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

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> Reply:
        ends_at = asyncio.get_running_loop().time() + timeout_s
        connection = self._idle_connection() or await self._connect(timeout_s)
        lines = [f"{method} {path} HTTP/1.1\r\nHost: worker\r\nContent-Length: {len(body)}\r\n"]
        lines += [f"{name}: {_one_line(value)}\r\n" for name, value in headers.items() if value]
        try:
            reply = await connection.exchange("".join(lines).encode("latin-1", "replace") + b"\r\n" + body, ends_at)
        except TimeoutError:
            raise DeadlineExceeded(f"No worker answered {path} within {timeout_s:.3g} s") from None
        except ConnectionBroken:
            raise WorkerLost(f"The worker that took {path} went away before it answered") from None
        if connection.is_usable:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def _idle_connection(self) -> WorkerConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _connect(self, timeout_s: float) -> WorkerConnection:
        try:
            async with asyncio.timeout(min(timeout_s, _CONNECT_S)):
                loop = asyncio.get_running_loop()
                return (await loop.create_unix_connection(WorkerConnection, self._socket))[1]
        except (OSError, TimeoutError) as exc:
            raise Unavailable("No worker of this server takes calls now") from exc


async def _take_slot(slots: asyncio.Semaphore, method: str, timeout_s: float) -> None:
    if not slots.locked():
        # At once: nearly always there is one.
        await slots.acquire()
        return
    try:
        async with asyncio.timeout(timeout_s):
            await slots.acquire()
    except TimeoutError:
        raise DeadlineExceeded(f"{method} waited {timeout_s:.3g} s for its turn: this server has too many calls") from None


def _one_line(value: str) -> str:
    """What callers say of themselves stays one header: a line break in it would begin another, or a call of its own."""
    return value if value.isprintable() else "".join(each if each.isprintable() else "?" for each in value)


def _error_of(reply: Reply, method: str) -> ZatoError:
    try:
        detail = ErrorDetail.FromString(reply.body)
    except DecodeError:
        # The worker refused it as HTTP, before it was a call: it is too large, for one.
        return BadRequest(f"{method} was refused by the worker with the HTTP status {reply.status}")
    return error_from(detail.type, detail.message, detail.attributes, grpc_code_of(detail.http_status))
