"""Options of an outgoing HTTP connection."""

import re

from zato.common.options import option, options
from zato.server.http.formats import DATA_FORMATS
from zato.server.security.definitions import OUTGOING_KINDS


@options
class OutgoingHTTPOptions:
    """Where another system's REST API is, and how we call it."""

    host: str = option("Scheme, host and port, e.g. https://crm.example.com:8443")
    url_path: str = option("Path, with parameters in braces, e.g. /customers/{id}", default="/")
    data_format: str = option("json: dicts are sent and answers read as JSON", default="", choices=DATA_FORMATS)
    timeout: float = option("Seconds to wait for an answer", default=10.0, minimum=0.01)
    pool_size: int = option("Connections that a worker keeps open", default=20, minimum=1)
    ping_method: str = option("HTTP method of a ping", default="HEAD")
    security: str = option("Credentials that we send", default="", reference=OUTGOING_KINDS)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^/?#\s]+/?", self.host):
            raise ValueError(f"'host' takes scheme, host and port, e.g. http://127.0.0.1:8080, not {self.host!r}")
        if not self.url_path.startswith("/"):
            raise ValueError(f"'url_path' takes a path that begins with a slash, not {self.url_path!r}")
