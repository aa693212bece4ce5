"""zeep's way to the network: through our own HTTP connection, with its limits, TLS, credentials and errors."""

import logging
from typing import TYPE_CHECKING, Any

import zeep
from zeep.transports import Transport

from zato.common.errors import Unavailable

if TYPE_CHECKING:
    from zato.server.connections.soap.client import SOAPConnection

# Nothing that a WSDL says makes us read a file, expand an entity, or load a DTD.
_SETTINGS = {"forbid_dtd": True, "forbid_entities": True, "forbid_external": True, "xml_huge_tree": False}


class HTTPTransport(Transport):
    """Without the session of requests that zeep's own has."""

    def __init__(self, connection: "SOAPConnection") -> None:
        self._connection = connection
        self.cache = None
        self.operation_timeout = self.load_timeout = None
        self.logger = logging.getLogger(__name__)
        self._close_session = False

    def get(self, address: str, params: Any, headers: Any) -> Any:
        return self._connection.fetch("GET", address, None, headers or {})

    def post(self, address: str, message: Any, headers: Any) -> Any:
        return self._connection.fetch("POST", address, message, headers or {})

    def load(self, url: str) -> bytes:
        if not url.startswith(("http://", "https://")):
            raise Unavailable(f"Connection '{self._connection.name}' failed: its WSDL refers to something outside the web")
        answer = self._connection.fetch("GET", url, None, {})
        if not answer.ok:
            raise Unavailable(
                f"Connection '{self._connection.name}' failed: its WSDL was answered with the status {answer.status_code}"
            )
        return answer.content


def make_client(connection: "SOAPConnection", url: str) -> "zeep.Client":
    make: Any = zeep.Client  # without types of its own
    client: zeep.Client = make(url, transport=HTTPTransport(connection), settings=zeep.Settings(strict=True, **_SETTINGS))
    if not client.wsdl.services:
        raise Unavailable(f"Connection '{connection.name}' failed: its WSDL has no service")
    return client
