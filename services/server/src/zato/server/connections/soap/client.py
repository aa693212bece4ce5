"""The client that services use: `self.out.soap.get("orders").conn.client().service.GetOrder(7)`."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lxml import etree

from zato.common.cid import CID_HEADER
from zato.common.errors import BadRequest, ZatoError
from zato.server.connections.extras import need
from zato.server.connections.http.answer import Answer
from zato.server.connections.http.client import HTTPConnection
from zato.server.connections.http.sending import cid_header, clean_headers
from zato.server.connections.soap.options import OutgoingSOAPOptions
from zato.server.connections.soap.suds import SOAPClient, SOAPFault
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http import formats
from zato.server.security.outgoing import NO_CREDENTIALS, Credentials, credentials_of

if TYPE_CHECKING:
    import zeep

_NAMESPACES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}


_NO_SOAP = "it answered with what is no SOAP"


class SOAPAnswer(Answer):
    """`data` is the first element of the SOAP body, its children reached as attributes (lxml.objectify)."""

    def _parse(self) -> Any:
        try:
            root = formats.load_xml(self.content)
        except BadRequest:
            return self.text
        body = next((child for child in root.iterchildren() if etree.QName(child).localname == "Body"), None)
        return next(body.iterchildren(), None) if body is not None else root


class SOAPConnection(HTTPConnection):
    """The WSDL is read when a service first asks for a client, and kept as long as the connection is."""

    kind = "outgoing-soap"

    def __init__(self, name: str, options: OutgoingSOAPOptions, credentials: Credentials) -> None:
        super().__init__(name, options, credentials)
        need("zeep", "soap")
        self._soap_options = options
        self._client: zeep.Client | None = None
        # Services that come at the same moment wait for the one that reads the WSDL.
        self._reading = threading.Lock()

    def client(self) -> SOAPClient:
        """
        Return a client of the service that the WSDL describes; it may be used as a context manager.

        Raises:
            Unavailable: The WSDL cannot be read, or is none.
        """
        with self._reading:
            if self._client is None:
                self._client = self._read_wsdl()
        return SOAPClient(self, self._client)

    def reload_wsdl(self) -> None:
        """Read the WSDL anew when it is needed next."""
        self._client = None

    def send(self, cid: Any = "", data: Any = "", params: Any = None, **kwargs: Any) -> Answer:
        """
        Send a body, which is put into an envelope unless it is one, and return the answer.

        Args:
            data: XML as text or bytes.
        """
        version, action = self._soap_options.soap_version, self._soap_options.soap_action
        given = kwargs.pop("headers", None) or {}
        content_type = {
            "1.1": {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
            "1.2": {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'},
        }[version]
        body = data.encode() if isinstance(data, str) else data
        answer = self.call("POST", cid, _enveloped(body, version), params, headers={**content_type, **given}, **kwargs)
        return SOAPAnswer(self.name, answer.status_code, answer.headers, answer.content, "xml")

    post = send

    def fetch(self, method: str, url: str, body: Any, headers: Mapping[str, Any]) -> Answer:
        """Call an address that the WSDL names. Our credentials are for our host alone."""
        is_ours = f"{url}/".startswith((self._soap_options.host.rstrip("/") + "/", self._soap_options.host.rstrip("/") + "?"))
        credentials = self._credentials if is_ours else NO_CREDENTIALS
        return self.exchange(method, url, body, {CID_HEADER: cid_header(""), **clean_headers(headers)}, credentials)

    def _read_wsdl(self) -> "zeep.Client":
        from zato.server.connections.soap.transport import make_client

        path = self._soap_options.wsdl_path
        url = self._soap_options.host.rstrip("/") + path if path else self._address.for_ping()
        with self.explained_zeep():
            return make_client(self, url)

    def explained_zeep(self) -> Any:
        """Turn what zeep raises into our errors."""
        import requests
        import zeep.exceptions

        return self.errors_explained(zeep.exceptions.Error, requests.RequestException, etree.LxmlError)

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        import zeep.exceptions as zeep_errors

        if isinstance(exc, zeep_errors.Fault):
            # Without a code it is zeep's word for XML that is no SOAP.
            return SOAPFault.of(self.name, exc) if exc.code else _NO_SOAP
        if isinstance(exc, zeep_errors.TransportError):
            return f"it answered with the status {exc.status_code}"
        if isinstance(exc, zeep_errors.XMLParseError | etree.LxmlError):
            return _NO_SOAP
        if isinstance(exc, zeep_errors.Error) and not isinstance(exc, zeep_errors.ValidationError):
            return "its WSDL is not usable"
        return super().explain(exc)


def _enveloped(body: bytes, version: str) -> bytes:
    namespace = _NAMESPACES[version]
    if namespace.encode() in body and b"Envelope" in body:
        return body
    return b'<soap:Envelope xmlns:soap="%s"><soap:Body>%s</soap:Body></soap:Envelope>' % (namespace.encode(), body)


def connect(config_object: ConfigObject, configuration: Configuration) -> SOAPConnection:
    options: OutgoingSOAPOptions = config_object.options
    return SOAPConnection(config_object.name, options, credentials_of(options.security, configuration))
