"""The client that services use: `self.out.rest["crm"].conn.get(self.cid, {"id": 1})`."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from zato.common.cid import CID_HEADER
from zato.common.errors import BadRequest, DeadlineExceeded, Unavailable
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http import formats
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.definitions import SECURITY_KINDS

_PARAMETER = re.compile(r"{([A-Za-z_]\w*)}")


class Answer:
    """What the other side answered. A status of 400 and above is an answer too: look at `ok` or `status_code`."""

    def __init__(self, response: urllib3.BaseHTTPResponse, data_format: str) -> None:
        self.status_code = response.status
        self.headers = response.headers
        self.content = response.data
        self._is_json = data_format == "json" or "json" in response.headers.get("content-type", "")

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return formats.load_json(self.content)

    @property
    def data(self) -> Any:
        """The parsed body where the connection or the answer says JSON, else its text."""
        return self.json() if self._is_json and self.content else self.text


class HTTPConnection:
    """`conn` is the connection itself, as services of all releases write it."""

    def __init__(self, name: str, options: OutgoingHTTPOptions, headers: Mapping[str, str]) -> None:
        self.name = name
        self._options = options
        self._headers = headers
        self._base = options.host.rstrip("/")
        self._placeholders = _PARAMETER.findall(options.url_path)
        # No retries: whether a call may be sent twice is for the service to say.
        self._pool = urllib3.PoolManager(
            maxsize=options.pool_size, block=False, retries=False, timeout=urllib3.Timeout(total=options.timeout)
        )

    @property
    def conn(self) -> "HTTPConnection":
        return self

    def get(self, cid: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("GET", cid, None, params, **kwargs)

    def delete(self, cid: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("DELETE", cid, None, params, **kwargs)

    def options(self, cid: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("OPTIONS", cid, None, params, **kwargs)

    def post(self, cid: str, data: Any = "", params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("POST", cid, data, params, **kwargs)

    send = post

    def put(self, cid: str, data: Any = "", params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("PUT", cid, data, params, **kwargs)

    def patch(self, cid: str, data: Any = "", params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return self._call("PATCH", cid, data, params, **kwargs)

    def ping(self, cid: str = "") -> None:
        """Raise Unavailable unless something answers; what it answers does not matter."""
        self._send(self._options.ping_method, self._base + _PARAMETER.sub("", self._options.url_path), cid, b"", {})

    def close(self) -> None:
        self._pool.clear()

    def _call(
        self, method: str, cid: Any, data: Any, params: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """
        Raises:
            BadRequest: A parameter of the path is missing.
            DeadlineExceeded: No answer in time.
            Unavailable: Nobody could be reached.
        """
        body, content_type = self._encode(data)
        sent = {**({"Content-Type": content_type} if content_type else {}), **(headers or {})}
        return Answer(self._send(method, self._url(dict(params or {})), str(cid), body, sent), self._options.data_format)

    def _url(self, params: dict[str, Any]) -> str:
        missing = [name for name in self._placeholders if name not in params]
        if missing:
            raise BadRequest(
                f"Connection '{self.name}' needs {', '.join(missing)} among its params, for {self._options.url_path}"
            )
        path = _PARAMETER.sub(lambda match: quote(str(params.pop(match[1])), safe=""), self._options.url_path)
        query = urlencode(params, doseq=True)
        return f"{self._base}{path}?{query}" if query else f"{self._base}{path}"

    def _encode(self, data: Any) -> tuple[bytes, str]:
        if data in (None, "", b""):
            return b"", ""
        if isinstance(data, bytes):
            return data, ""
        if isinstance(data, str):
            return data.encode(), formats.CONTENT_TYPES[self._options.data_format]
        if self._options.data_format in ("json", "xml"):
            return formats.dump(self._options.data_format, data)
        if isinstance(data, Mapping):
            return urlencode(data, doseq=True).encode(), formats.CONTENT_TYPES["form"]
        return formats.dump("json", data)

    def _send(self, method: str, url: str, cid: str, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        sent = {**self._headers, CID_HEADER: _header_value(cid), **headers}
        try:
            return self._pool.request(method, url, body=body or None, headers=sent)
        except urllib3.exceptions.NewConnectionError as exc:  # a kind of time-out to the library, even when it was refused
            raise self._unreachable(exc) from exc
        except urllib3.exceptions.TimeoutError as exc:
            raise DeadlineExceeded(
                f"Connection '{self.name}' got no answer from {self._base} within {self._options.timeout:g} s",
                public=f"Connection '{self.name}' got no answer in time",
            ) from exc
        except urllib3.exceptions.HTTPError as exc:
            raise self._unreachable(exc) from exc

    def _unreachable(self, exc: Exception) -> Unavailable:
        return Unavailable(
            f"Connection '{self.name}' could not reach {self._base}: {exc}",
            public=f"Connection '{self.name}' could not reach the other side",
        )


def connect(config_object: ConfigObject, configuration: Configuration) -> HTTPConnection:
    options: OutgoingHTTPOptions = config_object.options
    return HTTPConnection(config_object.name, options, _credentials(options.security, configuration))


def _credentials(security: str, configuration: Configuration) -> Mapping[str, str]:
    if not security:
        return {}
    definition = configuration.find(SECURITY_KINDS, security).options
    if isinstance(definition, BasicAuthOptions):
        encoded = base64.b64encode(f"{definition.username}:{definition.password}".encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    return {definition.header: definition.key}


def _header_value(text: str) -> str:
    """Services of the oldest generation pass their whole request as the first argument, which is the cid's place."""
    return "".join(character if character.isprintable() and character.isascii() else " " for character in text)[:1000]
