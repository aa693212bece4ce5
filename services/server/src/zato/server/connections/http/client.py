"""The client that services use: `self.out.rest["crm"].conn.get(self.cid, {"id": 1})`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from zato.common.cid import CID_HEADER
from zato.common.errors import Unavailable, ZatoError
from zato.server.connections.deadline import within
from zato.server.connections.failures import Named, credentials_refused, timed_out
from zato.server.connections.http.answer import Answer
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.connections.http.policy import make_pool, make_retries
from zato.server.connections.http.sending import Address, cid_header, clean_headers, encode_body, encode_files
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http import formats
from zato.server.security.outgoing import Credentials, FixedCredentials, basic_auth_header, credentials_of
from zato.server.security.tls_key_cert import tls_key_cert_of

_CHUNK_BYTES = 64 * 1024
_REFUSALS = (401, 407)


class HTTPConnection(Named):
    """
    Args:
        own_certificate: PEM of a certificate with its key, shown instead of the one in the options.
    """

    kind = "outgoing-http"

    def __init__(self, name: str, options: OutgoingHTTPOptions, credentials: Credentials, own_certificate: str = "") -> None:
        super().__init__(name)
        self._options = options
        self._credentials = credentials
        self._address = Address(name, options.host, options.url_path)
        self._pool = make_pool(options, own_certificate)
        backoff_s = options.retry_backoff_s * (2**options.retries - 1) if options.retries else 0.0
        self._overhead_s = options.timeout * options.retries + backoff_s

    def get(self, cid: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("GET", cid, None, params, **kwargs)

    def delete(self, cid: Any = "", params: Any = None, data: Any = None, **kwargs: Any) -> Answer:
        return self.call("DELETE", cid, data, params, **kwargs)

    def options(self, cid: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("OPTIONS", cid, None, params, **kwargs)

    def head(self, cid: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("HEAD", cid, None, params, **kwargs)

    def post(self, cid: Any = "", data: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("POST", cid, data, params, **kwargs)

    send = post

    def put(self, cid: Any = "", data: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("PUT", cid, data, params, **kwargs)

    def patch(self, cid: Any = "", data: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        return self.call("PATCH", cid, data, params, **kwargs)

    def upload(self, cid: Any, item: Any, field_name: str = "data", mime_type: str = "text/plain", **kwargs: Any) -> Answer:
        """Send a file as a form's field. `item` is its path, or its bytes."""
        name, content = (Path(item).name, Path(item).read_bytes()) if isinstance(item, str | Path) else (field_name, item)
        return self.call("POST", cid, None, files={field_name: (name, content, mime_type)}, **kwargs)

    def rest_call(self, cid: Any = "", data: Any = "", params: Any = None, method: str = "GET", **kwargs: Any) -> Any:
        """Call, raise BadAnswer for a status of 400 and above, and return the answer's data."""
        answer = self.call(method, cid, data, params, **kwargs)
        answer.raise_for_status()
        return answer.data

    def ping(self, cid: Any = "") -> None:
        """
        See that the other side answers; whatever it answers is good, unless it does not know us.

        Raises:
            Unavailable: It did not; CredentialsRefused when it did not accept our credentials.
        """
        method, url = self._options.ping_method, self._address.for_ping()
        answer = self.exchange(method, url, None, {CID_HEADER: cid_header(cid)}, self._credentials)
        if answer.status_code in _REFUSALS and self._credentials():
            raise credentials_refused(self.name)

    def close(self) -> None:
        self._pool.clear()

    def call(
        self,
        method: str,
        cid: Any = "",
        data: Any = None,
        params: Any = None,
        *,
        headers: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Mapping[str, Any] | None = None,
        auth: tuple[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool | None = None,
    ) -> Answer:
        """
        Args:
            cid: Sent in the header X-Zato-CID.
            data: A dict goes out in the connection's data format, or as a form where it has none.
            params: Parameters of the path, and the query.
            headers: Go over those that we make.
            json: Sent as JSON whatever the connection's format.
            auth: User name and password instead of the connection's credentials.
            timeout: Seconds, instead of the connection's.

        Raises:
            MissingParameter: One of the path is not among `params`.
            DeadlineExceeded: No whole answer in time.
            Unavailable: Nobody could be reached, or the answer was cut off or too long.
        """
        body, content_type = self._encode(data, json, files)
        sent = {CID_HEADER: cid_header(cid), "User-Agent": "Zato"}
        if content_type:
            sent["Content-Type"] = content_type
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        sent.update(clean_headers(headers or {}))
        credentials = FixedCredentials(basic_auth_header(*auth)) if auth is not None else self._credentials
        return self.exchange(method, self._address.url(params), body, sent, credentials, timeout, allow_redirects)

    def _encode(self, data: Any, json: Any, files: Mapping[str, Any] | None) -> tuple[Any, str]:
        if files is not None:
            return encode_files(files, data)
        if json is not None:
            return formats.dump("json", json)
        body, content_type = encode_body(data, self._options.data_format)
        return body, (self._options.content_type or content_type) if body is not None else ""

    def exchange(
        self,
        method: str,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        credentials: Credentials,
        timeout: float | None = None,
        allow_redirects: bool | None = None,
    ) -> Answer:
        """Send what is ready to be sent, and return what was answered. Raises as `call` does."""
        who = credentials()
        answer = self._exchange(method, url, body, headers, who, timeout, allow_redirects)
        # 401 says that nothing was done, so any method may be repeated.
        if answer.status_code == 401 and credentials.refused(who):
            return self._exchange(method, url, body, headers, credentials(), timeout, allow_redirects)
        return answer

    def _exchange(
        self,
        method: str,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        credentials: Mapping[str, str],
        timeout: float | None,
        allow_redirects: bool | None,
    ) -> Answer:
        seconds = self._options.timeout if timeout is None else timeout
        # What the service says for itself counts more than the connection's credentials.
        own = {name.lower() for name in headers}
        sent = {**{name: value for name, value in credentials.items() if name.lower() not in own}, **headers}
        follow = self._options.follow_redirects if allow_redirects is None else allow_redirects
        # Limits of the sockets are for each packet: who sends one byte a second would keep a service for ever.
        whole = within(seconds + self._overhead_s, lambda: timed_out(self.name))
        with self.errors_explained(urllib3.exceptions.HTTPError), whole:
            response = self._pool.urlopen(
                method,
                url,
                body=body,
                headers=sent,
                preload_content=False,
                timeout=urllib3.Timeout(total=seconds),
                retries=make_retries(self._options, follow, credentials),
                redirect=follow,
            )
            content = self._read(response)
        return Answer(self.name, response.status, response.headers, content, self._options.data_format)

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        chunks, size = [], 0
        try:
            for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
                size += len(chunk)
                if size > self._options.max_response_bytes:
                    response.close()
                    raise Unavailable(f"Connection '{self.name}' was answered with more than max_response_bytes")
                chunks.append(chunk)
        finally:
            response.release_conn()
        return b"".join(chunks)

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        # A timeout by its class, yet what happened is in its cause.
        if isinstance(exc, urllib3.exceptions.NewConnectionError):
            return None
        return next((words for kind, words in _WORDS.items() if isinstance(exc, kind)), None)


_WORDS: Mapping[type[BaseException], str] = {
    urllib3.exceptions.TimeoutError: "it did not answer in time",
    urllib3.exceptions.DecodeError: "its answer is compressed in a way that cannot be undone",
    urllib3.exceptions.IncompleteRead: "its answer was cut off",
}


def connect(config_object: ConfigObject, configuration: Configuration) -> HTTPConnection:
    options: OutgoingHTTPOptions = config_object.options
    credentials = credentials_of(options.security, configuration)
    own = tls_key_cert_of(options.security, configuration)
    # The definition's text has the certificate and its key.
    return HTTPConnection(config_object.name, options, credentials, own.value if own is not None else "")
