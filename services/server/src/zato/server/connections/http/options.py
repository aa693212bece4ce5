"""Options of an outgoing HTTP connection."""

import re

from zato.common.options import option, options
from zato.server.connections.tls import client_context
from zato.server.http.formats import DATA_FORMATS
from zato.server.security.definitions import OUTGOING_KINDS

PING_METHODS = ("HEAD", "GET", "OPTIONS", "POST")


@options
class OutgoingHTTPOptions:
    """Where another system's REST API is, and how we call it."""

    host: str = option("Scheme, host and port, e.g. https://crm.example.com:8443")
    url_path: str = option("Path, with parameters in braces, e.g. /customers/{id}", default="/")
    data_format: str = option("json: dicts are sent and answers read as JSON", default="", choices=DATA_FORMATS)
    content_type: str = option("Content-Type of what we send; made of the data format when empty", default="")
    timeout: float = option("Seconds for a whole call", default=10.0, minimum=0.01)
    pool_size: int = option("Connections that a worker keeps open", default=20, minimum=1)
    retries: int = option("How often an idempotent call is repeated when it failed", default=0, minimum=0, maximum=10)
    retry_statuses: tuple[str, ...] = option("Statuses that count as failed", default=("502", "503", "504"))
    retry_backoff_s: float = option("Seconds before the second repetition; each next one waits twice as long", default=0.1)
    follow_redirects: bool = option("Go where the other side sends us, up to ten times", default=True)
    max_response_bytes: int = option("Longest answer that is read", default=64 * 1024 * 1024, minimum=1)
    ping_method: str = option("HTTP method of a ping", default="HEAD", choices=PING_METHODS)
    security: str = option("Credentials that we send", default="", reference=OUTGOING_KINDS)
    tls_verify: bool = option("Refuse a server whose certificate is not trusted", default=True)
    ca_certificates: str = option("PEM of authorities to trust; the machine's when empty", default="")
    client_certificate: str = option("PEM of our certificate, with its chain", default="")
    client_key: str = option("PEM of that certificate's key", default="", secret=True)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^/?#\s@]+/?", self.host):
            raise ValueError(f"'host' takes scheme, host and port, e.g. http://127.0.0.1:8080, not {self.host!r}")
        if not self.url_path.startswith("/"):
            raise ValueError(f"'url_path' takes a path that begins with a slash, not {self.url_path!r}")
        if bad := [status for status in self.retry_statuses if not re.fullmatch(r"[45]\d\d", status)]:
            raise ValueError(f"'retry_statuses' takes statuses from 400 to 599, not {bad[0]!r}")
        if not self.content_type.isprintable():
            raise ValueError("'content_type' takes printable text")
        if bool(self.client_certificate) != bool(self.client_key):
            raise ValueError("'client_certificate' and 'client_key' are given together")
        if self.ca_certificates or self.client_certificate:
            client_context(
                verify=self.tls_verify,
                ca_certificates=self.ca_certificates,
                client_certificate=self.client_certificate,
                client_key=self.client_key,
            )
