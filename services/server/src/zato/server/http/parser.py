"""Bytes → the parts of a request, strictly: what could be read in two ways is refused, so that nobody can smuggle a request."""

import re

from zato.common.errors import BadRequest, MethodNotAllowed, NotImplementedHere, PayloadTooLarge, ZatoError
from zato.server.http.body_budget import BodyBudget
from zato.server.http.h1c_tokenizer import H1CTokenizer
from zato.server.http.tokenizer import MakeTokenizer, ParserLimits

_HOST = re.compile(rb"[A-Za-z0-9.\-_~%!$&'()*+,;=]*(:\d*)?|\[[0-9A-Fa-f:.]+\](:\d*)?")
# Where the address of the absolute form ends, its path or its query begins. No user may be in it.
_ABSOLUTE = re.compile(rb"https?://[A-Za-z0-9.\-_~%!$&'()*+,;=:\[\]]+(?=[/?]|\Z)", re.IGNORECASE)
_TARGET = re.compile(rb"[\x21-\x7e]+")
_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})
_CODINGS = frozenset({b"chunked", b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"identity"})
_HEAD = b"HEAD "
_CRLF = b"\r\n"
_USUAL_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class ExpectationFailed(ZatoError):
    http_status = 417
    grpc_code = "INVALID_ARGUMENT"


class RequestParser:
    """
    One connection's parser. Feed it until `is_complete`, take the request, `reset`, and feed what `remaining` held.

    Args:
        budget: What its bodies are taken from; nothing bounds them together without one.
        make_tokenizer: What takes the bytes apart. Whatever it is, what could be read in two ways is refused here.

    Attributes:
        has_head: The headers are complete and were found acceptable.
        wants_continue: The client waits for "100 Continue" before it sends the body.
    """

    def __init__(
        self, limits: ParserLimits, budget: BodyBudget | None = None, make_tokenizer: MakeTokenizer = H1CTokenizer
    ) -> None:
        self._limits = limits
        self._budget = budget or BodyBudget()
        self._taken_bytes = 0
        self._tokenizer = make_tokenizer(limits, self._check_head, self._take_body)
        self._body: list[bytes] = []
        # What has arrived, until it is more than a request line may be.
        self._beginning = b""
        self.body_bytes = 0
        self.is_complete = False
        self.has_head = False
        self.wants_continue = False

    def feed(self, data: bytes) -> None:
        """Raises a ZatoError with the right status when the request can't be accepted."""
        if not self.has_head and len(self._beginning) <= self._limits.request_line_bytes:
            self._beginning += data
        self._tokenizer.feed(data)
        self.is_complete = self._tokenizer.is_complete

    @property
    def should_keep_alive(self) -> bool:
        return self._tokenizer.should_keep_alive

    @property
    def is_http_1_0(self) -> bool:
        return self._tokenizer.http_version == (1, 0)

    @property
    def method(self) -> str:
        return self._tokenizer.method.decode("ascii")

    @property
    def is_head(self) -> bool:
        """Known as soon as the first bytes are: a HEAD request that is refused gets no body either."""
        return self._beginning.removeprefix(_CRLF).startswith(_HEAD)

    @property
    def target(self) -> str:
        """The path with its query. Of the absolute form, as proxies send it, the address is left out."""
        target = self._tokenizer.path
        if (absolute := _ABSOLUTE.match(target)) is not None:
            rest = target[absolute.end() :]
            target = rest if rest.startswith(b"/") else b"/" + rest
        return target.decode("ascii")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self._tokenizer.asgi_headers

    @property
    def body(self) -> bytes:
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def remaining(self) -> bytes:
        """What came after the request: the beginning of the next one."""
        return self._tokenizer.remaining()

    def reset(self) -> None:
        self._tokenizer.reset()
        self._beginning = b""
        self.release()
        self.body_bytes = 0
        self.is_complete = False
        self.has_head = False
        self.wants_continue = False

    def release(self) -> None:
        """Let go of the body: the request is answered, or will never be."""
        self._body = []
        self._budget.give_back(self._taken_bytes)
        self._taken_bytes = 0

    def _take_body(self, chunk: bytes) -> None:
        self.body_bytes += len(chunk)
        self._check_body_size(self.body_bytes)
        self._budget.take(len(chunk))
        self._taken_bytes += len(chunk)
        self._body.append(chunk)

    def _check_body_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise PayloadTooLarge(f"The body is larger than the accepted {self._limits.body_bytes} bytes")

    def _check_head(self) -> None:
        self._check_request_line()
        hosts: list[bytes] = []
        lengths: list[bytes] = []
        encodings: list[bytes] = []
        expectations: list[bytes] = []
        checked = {b"host": hosts, b"content-length": lengths, b"transfer-encoding": encodings, b"expect": expectations}
        for name, value in self.headers:
            if name in checked:
                checked[name].append(value)
        self._check_host(hosts)
        self._check_framing(lengths, encodings)
        self._check_expect(expectations)
        self.has_head = True

    def _check_request_line(self) -> None:
        method, target = self._tokenizer.method, self._tokenizer.path
        if method in _REFUSED_METHODS:
            raise MethodNotAllowed(f"Method {method.decode()} is not allowed here", allow=_USUAL_METHODS)
        # The package takes more than one space between the parts; a proxy before us may see another request in that.
        if not self._beginning.removeprefix(_CRLF).startswith(b"%s %s HTTP/" % (method, target)):
            raise BadRequest("The request line is not method, target and version with one space between them")
        has_path = target.startswith(b"/") or _ABSOLUTE.match(target) is not None
        if not has_path or not _TARGET.fullmatch(target) or b"#" in target:
            raise BadRequest("The request's target is not a path in ASCII that begins with a slash")

    def _check_host(self, hosts: list[bytes]) -> None:
        if not hosts and self.is_http_1_0:
            return
        if len(hosts) != 1:
            raise BadRequest("The request has to have exactly one Host header")
        if not _HOST.fullmatch(hosts[0]):
            raise BadRequest("The Host header is not a host name with an optional port")

    def _check_framing(self, lengths: list[bytes], encodings: list[bytes]) -> None:
        if len(lengths) > 1:
            raise BadRequest("The request has more than one Content-Length")
        if encodings:
            if lengths:
                raise BadRequest("The request has both Content-Length and Transfer-Encoding")
            if self.is_http_1_0:
                raise BadRequest("Transfer-Encoding is not part of HTTP/1.0")
            codings = [coding.strip().lower() for value in encodings for coding in value.split(b",")]
            if not _CODINGS.issuperset(codings) or codings.count(b"chunked") > 1:
                raise BadRequest("The request has a Transfer-Encoding that nothing defines")
            if codings != [b"chunked"]:
                raise NotImplementedHere("The one accepted Transfer-Encoding is 'chunked'")
        elif lengths:
            if not lengths[0].isdigit():
                raise BadRequest("Content-Length is not a number")
            length = int(lengths[0])
            self._check_body_size(length)
            # A body that there is no room for is refused before it is sent.
            self._budget.check(length)

    def _check_expect(self, expectations: list[bytes]) -> None:
        if not expectations or self.is_http_1_0:
            return
        if [value.strip().lower() for value in expectations] != [b"100-continue"]:
            raise ExpectationFailed("The one expectation that can be met is '100-continue'")
        self.wants_continue = True
