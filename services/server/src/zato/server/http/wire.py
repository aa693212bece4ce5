"""Response → bytes."""

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from zato.common.cid import CID_HEADER
from zato.common.errors import InternalError
from zato.server.http.request import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
NO_BODY = frozenset({204, 304})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BAD_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What frames a message is for us to say; a service that sets it too would make two of it.
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "date", "content-type", CID_HEADER.lower()})


class HeadWriter:
    """
    Makes the head of responses. `refresh_date` is called about once a second, so that no response has to format a date.

    Args:
        server: Value of the header Server, which is left out when this is empty.
    """

    def __init__(self, server: str = "Zato") -> None:
        self._server = f"Server: {server}\r\n" if server else ""
        self.refresh_date()

    def refresh_date(self) -> None:
        self._common = f"{self._server}Date: {formatdate(usegmt=True)}\r\n{CID_HEADER}: "
        self._beginnings: dict[int, str] = {}

    def encode(
        self, response: Response, cid: str, *, is_head: bool, keep_alive: bool, is_http_1_0: bool
    ) -> tuple[bytes, bytes]:
        """
        Return head and body as they go out.

        Raises:
            InternalError: A service set a header that would break the message, with a line break for one.
        """
        status = response.status
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise InternalError(f"The service set the status {status!r:.40}, which is none from 200 to 599")
        beginning = self._beginnings.get(status) or self._begin(status)
        lines = [f"{beginning}{cid}\r\n"]
        has_body = status not in NO_BODY
        if has_body:
            if response.stream is not None:
                if not is_http_1_0 and not is_head:
                    lines.append("Transfer-Encoding: chunked\r\n")
            elif response.body or not is_head:
                lines.append(f"Content-Length: {len(response.body)}\r\n")
            if response.content_type:
                lines.append(_content_type_line(response.content_type))
        if not keep_alive:
            lines.append("Connection: close\r\n")
        elif is_http_1_0:
            lines.append("Connection: keep-alive\r\n")
        if response.headers:
            lines += [_line(name, value) for name, value in response.headers.items() if name.lower() not in _OURS]
        lines.append("\r\n")
        return "".join(lines).encode("latin-1"), response.body if has_body and not is_head else b""

    def _begin(self, status: int) -> str:
        beginning = self._beginnings[status] = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n{self._common}"
        return beginning


@lru_cache(256)
def _content_type_line(content_type: str) -> str:
    return _line("Content-Type", content_type)


def _line(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise InternalError(f"The service set a header whose name is not acceptable: {name!r:.80}")
    text = str(value)
    if _BAD_IN_VALUE.search(text) or not _is_latin_1(text):
        raise InternalError(f"The service set the header {name} to a value with characters that headers can't have")
    return f"{name}: {text}\r\n"


def _is_latin_1(text: str) -> bool:
    return text.isascii() or all(ord(character) < 256 for character in text)
