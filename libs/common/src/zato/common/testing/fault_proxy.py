"""A TCP proxy before a server, which does what networks do: is slow, breaks, or keeps silent."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from zato.common.testing.processes import free_port

_CHUNK_BYTES = 65536
# On, after 0 s: closing sends a reset, not a farewell, and what was not sent yet is dropped.
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """
    Stands at a port of 127.0.0.1 and passes connections on to a server, until it is told to misbehave.

        with FaultProxy("127.0.0.1", rabbitmq_port) as proxy:
            connect(proxy.host, proxy.port)
            proxy.delay(2.0)
            proxy.restore()

    Each method returns once the fault is in force, for the connections there are and for those that come.

    Args:
        host: Where the server listens.
        port: Its port.
        listen_port: Where the proxy listens; a free port when 0. It stays the same over `cut` and `restore`.
    """

    def __init__(self, host: str, port: int, *, listen_port: int = 0) -> None:
        self._server = (host, port)
        self.host = "127.0.0.1"
        self.port = listen_port or free_port()
        self._delay_s = 0.0
        self._is_half_open = False
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"fault-proxy-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()
        self._run(self._restore())

    def stop(self) -> None:
        """Break what is open, and leave the port. Can't be started again."""
        if self._thread.is_alive():
            self._run(self._cut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def in_url(self, url: str) -> str:
        """Return `url` with the proxy's address in place of the server's."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{self.host}:{self.port}"))

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    def delay(self, seconds: float) -> None:
        """
        From now on each answer arrives this much later, in order; what the client sends is not slowed.

        One round trip thus takes `seconds` more. A statement that takes three round trips takes three times as much more.
        """
        self._run(self._set_delay(seconds))

    def freeze(self) -> None:
        """Pass nothing, in neither direction, and keep it: both ends believe in each other, until `restore`."""
        self._run(self._freeze())

    def half_open(self) -> None:
        """
        The server loses its clients, who hear nothing of it: they stay connected, may send, and get no answer.

        Who connects now gets silence as well. `restore` resets these connections, as a machine does that came back.
        """
        self._run(self._half_open())

    def cut_connections(self) -> None:
        """Reset every connection, once; who connects again is served."""
        self._run(self._cut_connections())

    def cut(self) -> None:
        """Reset every connection and refuse new ones, until `restore`."""
        self._run(self._cut())

    def restore(self) -> None:
        """End every fault."""
        self._run(self._restore())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _set_delay(self, seconds: float) -> None:
        self._delay_s = seconds

    async def _freeze(self) -> None:
        self._passing.clear()

    async def _half_open(self) -> None:
        self._is_half_open = True
        await asyncio.gather(*(link.lose_server() for link in self._links))

    async def _cut_connections(self) -> None:
        links = list(self._links)
        for link in links:
            link.reset()
        await asyncio.gather(*(link.ended.wait() for link in links))

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._cut_connections()

    async def _restore(self) -> None:
        self._delay_s = 0.0
        self._is_half_open = False
        self._passing.set()
        for link in self._links:
            if link.is_lost:
                link.reset()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(reader, writer)
        self._links.add(link)
        try:
            with contextlib.suppress(OSError):
                if not self._is_half_open:
                    link.to_server(await asyncio.open_connection(*self._server), self)
                await link.pumped()
        finally:
            link.reset()
            self._links.discard(link)
            link.ended.set()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        """Pass on what comes until its end, and that end too: one side may have said all and go on listening."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.ensure_future(self._send_late(late, writer))
        try:
            chunk = b"more"
            while chunk and not sending.done():
                chunk = await reader.read(_CHUNK_BYTES)
                late.put_nowait((self._loop.time() + (self._delay_s if is_answer else 0.0), chunk))
            await sending
        finally:
            sending.cancel()

    async def _send_late(self, late: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        chunk = b"more"
        while chunk:
            due, chunk = await late.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._passing.wait()
            if chunk:
                writer.write(chunk)
                await writer.drain()
            else:
                writer.write_eof()


class _Link:
    """One client and its connection to the server, if it has one still."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._client = (reader, writer)
        self._server: asyncio.StreamWriter | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether its server knows nothing of it."""
        return self._server is None

    def to_server(self, server: tuple[asyncio.StreamReader, asyncio.StreamWriter], proxy: FaultProxy) -> None:
        self._server = server[1]
        self._pumps = [
            asyncio.ensure_future(proxy.pump(self._client[0], server[1], is_answer=False)),
            asyncio.ensure_future(proxy.pump(server[0], self._client[1], is_answer=True)),
        ]

    async def pumped(self) -> None:
        """Return when both sides have ended, or either broke off; a link without a server lasts as long as its client."""
        if self._pumps:
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_EXCEPTION)
        if self.is_lost:
            while await self._client[0].read(_CHUNK_BYTES):
                pass  # what is sent to nobody has to go somewhere, or its sender notices

    async def lose_server(self) -> None:
        server, self._server = self._server, None
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        if server is not None:
            server.close()

    def reset(self) -> None:
        """Break both sides off. Does nothing to one that has ended in order."""
        for pump in self._pumps:
            pump.cancel()
        for writer in (self._client[1], self._server):
            if writer is not None:
                _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
