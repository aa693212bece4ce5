"""Client certificates: the load-balancer checks them and says whose they are, in headers."""

import re
from typing import TYPE_CHECKING

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import digest, is_same, single_header

if TYPE_CHECKING:
    from zato.server.http.request import Request

_CHALLENGE = "zato-tls-channel-sec"
_FIELD = re.compile(r"[A-Za-z0-9_-]+")


@options
class TLSChannelOptions:
    """Fields of the client's certificate. A load-balancer in trusted_proxies sends each as X-Zato-TLS-FIELD."""

    value: str = option("What the certificate has to have, one field=value a line, e.g. CN=billing")

    def __post_init__(self) -> None:
        fields = [line.partition("=") for line in self.value.splitlines() if line.strip()]
        if not fields or not all(_FIELD.fullmatch(name.strip()) and value.strip() for name, _, value in fields):
            raise ValueError("'value' takes lines of field=value, at least one, e.g. CN=billing")

    @property
    def fields(self) -> dict[str, str]:
        pairs = (line.partition("=") for line in self.value.splitlines() if line.strip())
        return {name.strip().upper().replace("_", "-"): value.strip() for name, _, value in pairs}


KIND = Kind("security-tls-channel", "TLS client certificate", TLSChannelOptions)


def make_verifier(name: str, definition: TLSChannelOptions) -> Verifier:
    expected = [(f"x-zato-tls-{field}".lower().encode(), digest(value.encode())) for field, value in definition.fields.items()]
    identity = Identity(name, KIND.name, definition.fields.get("CN", name))

    def verify(request: "Request") -> Identity:
        # Of anybody but the load-balancer the headers are what the client made up.
        reason = "" if request.is_from_proxy else "did not come through a trusted load-balancer"
        if not reason and not all(is_same(single_header(request, header), value) for header, value in expected):
            reason = "no certificate, or another one"
        if reason:
            message = "The request needs a valid client certificate"
            raise BadCredentials(message, _CHALLENGE, definition=name, reason=reason)
        return identity

    return verify
