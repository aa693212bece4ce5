"""One client's connection: requests in, responses out, and nobody who is slow can hold on to it for ever."""

import contextlib
import math
import socket as standard_socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.hub import get_hub

from zato.common.cid import new_cid
from zato.common.errors import RequestTimeout, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.server.http.body_budget import BodyBudget
from zato.server.http.errors import make_error_response
from zato.server.http.h1c_tokenizer import H1CTokenizer
from zato.server.http.opening import Opening, shutdown
from zato.server.http.outbox import Outbox
from zato.server.http.parser import RequestParser
from zato.server.http.request import Request, Response
from zato.server.http.streams import Stream
from zato.server.http.tokenizer import MakeTokenizer, ParserLimits
from zato.server.http.wire import CONTINUE, LAST_CHUNK, NO_BODY, HeadWriter

log = get_logger(__name__)

_RECEIVE_BYTES = 65536
# What a client may take longer for each byte, on top of the time-out: a big body on a slow line is no attack.
_MIN_BYTES_PER_S = 50_000
_JOIN_BELOW_BYTES = 65536
# Larger ones go at once: that they have to be copied costs more than it saves to hold them.
_HOLD_BELOW_BYTES = 16384
_LINGER_S = 1.0
_LINGER_BYTES = 1024 * 1024
_READ, _WRITE = 1, 2
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Timeouts:
    header_s: float
    body_s: float
    idle_s: float
    write_s: float


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """
    What all connections of one listener share.

    Args:
        clock: Tells the time that deadlines are of, in seconds.
        opening: What precedes HTTP, where something does.
        count_refused: Called with the status of each request that could not be read, and so reaches no pipeline.
    """

    limits: ParserLimits
    timeouts: Timeouts
    handle: Callable[[Request], Response]
    head_writer: HeadWriter
    is_stopping: Callable[[], bool]
    budget: BodyBudget = field(default_factory=BodyBudget)
    count_refused: Callable[[int], None] = lambda status: None
    make_tokenizer: MakeTokenizer = H1CTokenizer
    opening: Opening | None = None
    outbox: Outbox = field(default_factory=Outbox)
    clock: Callable[[], float] = time.monotonic


class Connection:
    """
    Instead of a timer for each step there is one `deadline`, which a reaper compares with the clock now and then:
    `expire` then ends what the connection waits for.
    """

    def __init__(self, socket: Any, remote_address: str, settings: ConnectionSettings) -> None:
        self._socket = socket
        self._remote_address = remote_address
        self._settings = settings
        self._clock = settings.clock
        self._parser = RequestParser(settings.limits, settings.budget, settings.make_tokenizer)
        hub = get_hub()
        self._wait = hub.wait
        self._readable = hub.loop.io(socket.fileno(), _READ)
        # What TLS has read already, nothing in the socket tells of.
        self._decrypted: Callable[[], int] | None = getattr(socket, "pending", None)
        self._is_expired = False
        self._has_begun = False
        self._may_wait = False
        self._writer: gevent.Greenlet[Any, Any] | None = None
        self.is_idle = True
        self._idle_since = self._clock()
        self.deadline = self._idle_since + settings.timeouts.header_s

    def serve(self) -> None:
        """Answer requests until one side closes. Raises nothing: a broken connection is no event."""
        try:
            self._serve()
        except OSError:
            pass
        finally:
            if self._writer is not None:
                self._writer.join(self._settings.timeouts.write_s)
                self._writer.kill()
            self._readable.close()
            self._parser.release()

    def expire(self) -> None:
        """The deadline has passed: stop waiting, whatever for."""
        self.deadline = math.inf
        self._is_expired = True
        self._shut(standard_socket.SHUT_RD if self.is_idle or not self._parser.is_complete else standard_socket.SHUT_RDWR)

    def close_if_idle(self, since: float = math.inf) -> None:
        """
        The server stops: end a connection that waits for its next request, and did so already at the time `since`.

        Only reading ends: a request that has arrived and was not seen yet is answered still.
        """
        if self.is_idle and self._idle_since <= since:
            self._shut(standard_socket.SHUT_RD)

    def _serve(self) -> None:
        pending = b""
        keep_alive = True
        while keep_alive:
            try:
                if not self._read_request(pending):
                    return
            except ZatoError as error:
                self._refuse(error)
                return
            pending = self._parser.remaining()
            keep_alive = self._answer(is_next_here=bool(pending))
            self._parser.reset()
            if pending:
                # A client that sends without waiting must not keep others from their turn.
                gevent.sleep(0)

    def _read_request(self, pending: bytes) -> bool:
        """Return whether there is a request; False when the client has gone or waited too long before one."""
        parser, timeouts = self._parser, self._settings.timeouts
        if self._has_begun:
            self._idle_since = self._clock()
            self.deadline = self._idle_since + timeouts.idle_s
        self.is_idle = True
        while not parser.is_complete:
            data = pending or self._receive()
            pending = b""
            if not data:
                return self._on_end_of_input()
            self._take(data)
        self.is_idle = False
        self.deadline = math.inf
        return True

    def _take(self, data: bytes) -> None:
        parser, timeouts = self._parser, self._settings.timeouts
        if self.is_idle:
            self.is_idle = False
            self._has_begun = True
            self._began_at = self._clock()
            self.deadline = self._began_at + timeouts.header_s
        had_head = parser.has_head
        parser.feed(data)
        if parser.is_complete or not parser.has_head:
            return
        if not had_head:
            self._began_at = self._clock()
            if parser.wants_continue:
                self._socket.sendall(CONTINUE)
        self.deadline = self._began_at + timeouts.body_s + parser.body_bytes / _MIN_BYTES_PER_S

    def _receive(self) -> bytes:
        # Waiting first, even if data is there already, gives every other connection its turn.
        if self._decrypted is None or not self._decrypted():
            self._wait(self._readable)
        data: bytes = self._socket.recv(_RECEIVE_BYTES)
        return data

    def _on_end_of_input(self) -> bool:
        if self._is_expired and not self.is_idle:
            what = "body" if self._parser.has_head else "headers"
            raise RequestTimeout(f"The request's {what} took too long to arrive")
        return False

    def _answer(self, *, is_next_here: bool) -> bool:
        parser = self._parser
        request = Request(
            parser.method,
            parser.target,
            parser.headers,
            parser.body,
            cid=new_cid(),
            remote_address=self._remote_address,
            received_at=self._clock(),
        )
        response = self._handle(request)
        keep_alive = parser.should_keep_alive and not self._settings.is_stopping()
        if response.stream is not None and parser.is_http_1_0:
            # Only the connection's end tells such a client where the body's is.
            keep_alive = False
        self._may_wait = keep_alive and not is_next_here and self._decrypted is None
        self._send(response, request.cid, is_head=request.method == "HEAD", keep_alive=keep_alive)
        return keep_alive

    def _handle(self, request: Request) -> Response:
        """Errors of services are answered far inside; this is for our own, whose client would otherwise get nothing at all."""
        try:
            return self._settings.handle(request)
        except Exception:
            log.exception("pipeline_failed", cid=request.cid, path=request.path[:200])
            return make_error_response(ZatoError("The pipeline failed"), request.cid)

    def _send(self, response: Response, cid: str, *, is_head: bool, keep_alive: bool) -> None:
        encode = self._settings.head_writer.encode
        is_http_1_0 = self._parser.is_http_1_0
        try:
            head, body = encode(response, cid, is_head=is_head, keep_alive=keep_alive, is_http_1_0=is_http_1_0)
        except ZatoError as error:
            log.error("response_not_sendable", cid=cid, error=error.message)
            if response.stream is not None:
                response.stream.close()
            response = make_error_response(error, cid)
            head, body = encode(response, cid, is_head=is_head, keep_alive=keep_alive, is_http_1_0=is_http_1_0)
        if self._writer is not None:
            self.deadline = self._clock() + self._settings.timeouts.write_s
            self._writer.join()
            self._writer = None
        if response.stream is not None:
            has_body = not is_head and response.status not in NO_BODY
            self._send_stream(head, response.stream, cid, has_body=has_body, is_chunked=not is_http_1_0)
            return
        if self._may_wait and len(body) < _HOLD_BELOW_BYTES:
            self._settings.outbox.put(self, head + body)
            return
        self.deadline = self._clock() + self._settings.timeouts.write_s + len(body) / _MIN_BYTES_PER_S
        if len(body) < _JOIN_BELOW_BYTES:
            answer = head + body
            # Nearly always it fits into the socket's buffer; gevent's `sendall` asks the socket for its type first, each time.
            if (sent := self._socket.send(answer)) < len(answer):
                self._socket.sendall(answer[sent:])
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)
        self.deadline = math.inf

    def send_now(self, data: bytes) -> None:
        """Send what was held, without waiting. What a client does not take at once has a greenlet of its own."""
        sent = 0
        try:
            sent = self._socket.send(data, 0, 0.0)
        except BlockingIOError:
            pass
        except OSError:
            return
        if sent < len(data):
            self._writer = gevent.spawn(self._send_rest, data[sent:])

    def _send_rest(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def _send_stream(self, head: bytes, stream: Stream, cid: str, *, has_body: bool, is_chunked: bool) -> None:
        """The next piece is made when the client has taken the one before. One that can't be made ends the connection."""
        with contextlib.suppress(OSError):
            # Pieces are for the client to see when they are made, not when there are enough of them.
            self._socket.setsockopt(standard_socket.IPPROTO_TCP, standard_socket.TCP_NODELAY, 1)
        with bind_cid(cid), contextlib.closing(stream):
            while has_body and (piece := self._make_piece(stream, cid)):
                self._send_piece(head + (b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece))
                head = b""
                gevent.sleep(0)
            self._send_piece(head + (LAST_CHUNK if has_body and is_chunked else b""))

    def _make_piece(self, stream: Stream, cid: str) -> bytes:
        try:
            return next(stream, b"")
        except gevent.GreenletExit:
            raise
        # A service may leave in any way, as in `errors.py`; here it is too late for an answer.
        except BaseException as exc:
            log.exception("stream_failed", cid=cid, sent_bytes=stream.sent_bytes)
            # With a reset, since a client that has been promised nothing of its length takes any other end for the body's.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(standard_socket.SOL_SOCKET, standard_socket.SO_LINGER, _RESET)
            self._socket.close()
            raise ConnectionAbortedError("The body could not be made") from exc

    def _send_piece(self, data: bytes) -> None:
        self.deadline = self._clock() + self._settings.timeouts.write_s + len(data) / _MIN_BYTES_PER_S
        self._socket.sendall(data)
        self.deadline = math.inf

    def _refuse(self, error: ZatoError) -> None:
        """Answer a request that can't be read, and close: where the next one would begin nobody can know."""
        cid = new_cid()
        self._parser.release()
        self._may_wait = False
        self._settings.count_refused(error.http_status)
        log.warning(
            "http_request_refused",
            cid=cid,
            status=error.http_status,
            reason=error.message[:200],
            remote_address=self._remote_address,
        )
        self._send(make_error_response(error, cid), cid, is_head=self._parser.is_head, keep_alive=False)
        self._linger()

    def _linger(self) -> None:
        """
        Let the client finish sending before the socket is closed.

        Otherwise the kernel answers what is still coming with a reset, and the client may never see our answer.
        """
        self._is_expired = False
        self.deadline = self._clock() + _LINGER_S
        self._shut(standard_socket.SHUT_WR)
        received = 0
        while received < _LINGER_BYTES and not self._is_expired:
            data = self._receive()
            if not data:
                return
            received += len(data)

    def _shut(self, how: int) -> None:
        shutdown(self._socket, how)
