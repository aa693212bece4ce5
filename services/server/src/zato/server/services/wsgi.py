"""`self.wsgi_environ`: an HTTP request as a WSGI dictionary, for services that read one. Made when it is asked for."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlencode

if TYPE_CHECKING:
    from zato.server.services.reqresp import HTTPRequest

_WITHOUT_PREFIX = frozenset({"content-type", "content-length"})


def make_wsgi_environ(
    http: "HTTPRequest", raw_request: Any = b"", response_headers: Mapping[str, Any] | None = None, server_name: str = ""
) -> dict[str, Any]:
    """
    Return the dictionary.

    Beside the keys of PEP 3333 it has `zato.http.GET`, `.POST`, `.path_params`, `.remote_addr`, `.raw_request`,
    and `.response.headers`, which are the response's own, to be filled.
    """
    body = raw_request if isinstance(raw_request, bytes) else b""
    query = getattr(http, "query_string", None)
    made: dict[str, Any] = {
        "REQUEST_METHOD": http.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(http.path).decode("latin-1"),
        "RAW_URI": http.path,
        "QUERY_STRING": urlencode(http.GET, doseq=True) if query is None else query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": server_name,
        "SERVER_PORT": "",
        "REMOTE_ADDR": http.remote_address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "zato.http.GET": dict(http.GET),
        "zato.http.POST": getattr(http, "POST", {}),
        "zato.http.path_params": dict(http.params),
        "zato.http.remote_addr": http.remote_address,
        "zato.http.raw_request": raw_request,
        "zato.http.response.headers": {} if response_headers is None else response_headers,
    }
    for name, value in http.headers.items():
        key = name.upper().replace("-", "_")
        made[key if name.lower() in _WITHOUT_PREFIX else f"HTTP_{key}"] = value
    made.setdefault("CONTENT_LENGTH", str(len(body)))
    return made
