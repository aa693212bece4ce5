"""Sending calls on to the workers, over a Unix socket."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from zato.common.errors import DeadlineExceeded, Unavailable, error_from
from zato.proto.errors.v1.errors_pb2 import ErrorDetail

_CONNECT_S = 2.0
# A worker answers in its own time; this much longer than its deadline we wait for it to say that it missed it.
_GRACE_S = 0.5


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
    """

    def __init__(self, socket: Path, *, size: int = 64) -> None:
        self._socket = str(socket)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._slots = asyncio.Semaphore(size)

    async def call(self, method: str, message: bytes, *, cid: str, actor: str, timeout_s: float, wait_s: float = 0.0) -> bytes:
        """
        Return a worker's answer to `method`, e.g. "Invoker/Invoke".

        Raises:
            ZatoError: What the worker raised; Unavailable when there is none, or when it died meanwhile.
        """
        headers = {
            "x-zato-cid": cid,
            "x-zato-actor": actor,
            "x-zato-deadline-ms": str(max(1, int(timeout_s * 1000))),
            "x-zato-wait-ms": str(int(wait_s * 1000)),
        }
        reply = await self.send("POST", f"/__rpc/{method}", message, headers, timeout_s=timeout_s + _GRACE_S)
        if reply.status == 200:
            return reply.body
        detail = ErrorDetail.FromString(reply.body)
        raise error_from(detail.type, detail.message, detail.attributes)

    async def send(self, method: str, path: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> Reply:
        async with self._slots:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._exchange(method, path, body, headers)
            except TimeoutError:
                raise DeadlineExceeded(f"No worker answered {path} within {timeout_s:.3g} s") from None

    async def is_ready(self) -> bool:
        """Whether a worker answers and has loaded its configuration."""
        try:
            reply = await self.send("GET", "/health/ready", b"", {}, timeout_s=_CONNECT_S)
        except (Unavailable, DeadlineExceeded):
            return False
        return reply.status == 200

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
            raise Unavailable(f"The worker that took {path} went away before it answered") from exc
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
