"""One connection to a worker: HTTP with one request at a time, of which only what our own worker answers is understood."""

import asyncio
import re
from dataclasses import dataclass
from typing import cast

_HEAD_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


class ConnectionBroken(Exception):
    """The worker is gone, or what it says is no answer."""


class WorkerConnection(asyncio.Protocol):
    """
    A protocol rather than streams, which take several times as long for as little as this is.

    Attributes:
        is_usable: Whether the next request may go here.
    """

    def __init__(self) -> None:
        self.is_usable = True
        self._transport: asyncio.Transport
        self._received = bytearray()
        # Of the reply that arrives: where it ends, 0 until its head is there.
        self._end = 0
        self._reply: asyncio.Future[Reply] | None = None

    async def exchange(self, request: bytes, ends_at: float) -> Reply:
        """
        Send a request and return the reply to it. Whatever goes wrong, the connection is closed: that tells the worker, and
        nobody reads a late answer as the next one.

        Args:
            ends_at: When nobody waits any more, by the loop's clock.

        Raises:
            ConnectionBroken: There will be no reply.
            TimeoutError: There was none in time.
        """
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self._reply = reply
        timer = loop.call_at(ends_at, self._fail, TimeoutError())
        self._transport.write(request)
        try:
            return await reply
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        self.is_usable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are not of this class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            # Nobody asked: what else it says would be taken for the answer to the next request.
            self.close()
            return
        received = self._received
        received += data
        if not self._end and not self._read_head():
            return
        if len(received) >= self._end:
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        self._fail(ConnectionBroken())

    def _read_head(self) -> bool:
        """Return whether it is there, and find out how long the body is."""
        head_end = self._received.find(_HEAD_END)
        if head_end < 0:
            return False
        head_end += len(_HEAD_END)
        status = _STATUS.match(self._received)
        if status is None:
            self._fail(ConnectionBroken())
            return False
        length = _LENGTH.search(self._received, 0, head_end)
        self._status, self._body_at = int(status[1]), head_end
        self._end = head_end + (int(length[1]) if length is not None else 0)
        self.is_usable = _CLOSES.search(self._received, 0, head_end) is None
        return True

    def _complete(self) -> None:
        self.is_usable = self.is_usable and len(self._received) == self._end
        body = bytes(memoryview(self._received)[self._body_at : self._end])
        self._received, self._end = bytearray(), 0
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Reply(self._status, body))
            self._reply = None

    def _fail(self, exc: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(exc)
