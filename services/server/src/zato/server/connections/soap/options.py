"""Options of an outgoing SOAP connection."""

from zato.common.options import option, options
from zato.server.connections.http.options import OutgoingHTTPOptions

VERSIONS = ("1.1", "1.2")


@options
class OutgoingSOAPOptions(OutgoingHTTPOptions):
    """Where another system's SOAP service is, and how we call it."""

    soap_version: str = option("Version of SOAP of what `send` sends", default="1.1", choices=VERSIONS)
    soap_action: str = option("SOAPAction of what `send` sends", default="")
    wsdl_path: str = option("Path of the WSDL, with its query, e.g. /orders?wsdl; url_path when empty", default="")

    def __post_init__(self) -> None:
        # A class with slots is made anew, and super() would look for the first one.
        OutgoingHTTPOptions.__post_init__(self)
        if self.wsdl_path and not self.wsdl_path.startswith("/"):
            raise ValueError(f"'wsdl_path' takes a path that begins with a slash, not {self.wsdl_path!r}")
        if not self.soap_action.isprintable() or '"' in self.soap_action:
            raise ValueError("'soap_action' takes printable text without quotes")
