"""What differs between SOAP 1.1 and 1.2."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """
    Args:
        client, server: Local names of the fault codes that say whose fault it was.
        media_type: Of answers.
        binding: Namespace of the WSDL's elements.
    """

    name: str
    namespace: str
    client: str
    server: str
    media_type: str
    binding: str


SOAP_1_1 = Version(
    name="1.1",
    namespace="http://schemas.xmlsoap.org/soap/envelope/",
    client="Client",
    server="Server",
    media_type="application/xml",
    binding="http://schemas.xmlsoap.org/wsdl/soap/",
)
SOAP_1_2 = Version(
    name="1.2",
    namespace="http://www.w3.org/2003/05/soap-envelope",
    client="Sender",
    server="Receiver",
    media_type="application/soap+xml; charset=utf-8",
    binding="http://schemas.xmlsoap.org/wsdl/soap12/",
)
VERSIONS: Mapping[str, Version] = {version.name: version for version in (SOAP_1_1, SOAP_1_2)}
