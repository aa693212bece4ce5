"""The kind `channel-soap`: makes a service an operation of SOAP 1.1 or 1.2."""

import re

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.channel_options import ChannelOptions, check_channel_options

DEFAULT_NAMESPACE = "https://zato.io/ns/20130518"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


@options
class SOAPChannelOptions(ChannelOptions):
    """A path and a SOAP action, and the service that answers to them."""

    soap_action: str = option("Action the client names; any when empty", default="")
    soap_version: str = option("Version of SOAP", default="1.1", choices=("1.1", "1.2"))
    namespace: str = option("Namespace of elements made of the service's output, and of the WSDL", default=DEFAULT_NAMESPACE)
    use_soap_envelope: bool = option("Whether answers are put into an envelope; else the service makes it", default=True)
    content_type: str = option(
        "Content type of answers; application/xml of 1.1, application/soap+xml of 1.2 when empty", default=""
    )

    def __post_init__(self) -> None:
        check_channel_options(self)
        if "{" in self.url_path:
            raise ValueError(f"'url_path' takes a fixed path on a SOAP channel, not {self.url_path!r}")
        if '"' in self.soap_action or not self.soap_action.isprintable():
            raise ValueError(f"'soap_action' takes printable text without quotes, not {self.soap_action!r}")
        if not _URI.fullmatch(self.namespace):
            raise ValueError(f"'namespace' takes a URI, e.g. {DEFAULT_NAMESPACE}, not {self.namespace!r}")
        if not self.content_type.isprintable():
            raise ValueError(f"'content_type' takes a media type, not {self.content_type!r}")

    # What a plain channel may be told, and every SOAP channel is.

    @property
    def method(self) -> str:
        return "POST"

    @property
    def http_accept(self) -> str:
        return "*/*"

    @property
    def data_format(self) -> str:
        return "xml"

    @property
    def merge_url_params_req(self) -> bool:
        return False

    @property
    def url_params_pri(self) -> str:
        return "qs-over-path"

    @property
    def params_pri(self) -> str:
        return "channel-params-over-msg"


KIND = Kind("channel-soap", "SOAP channel", SOAPChannelOptions, unique=("url_path", "soap_action"))
