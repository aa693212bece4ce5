"""Options of an outgoing SMTP connection."""

from zato.common.options import option, options
from zato.server.connections.tls import client_context

MODES = ("plain", "ssl", "starttls")


@options
class OutgoingSMTPOptions:
    """A server that takes our mail, and who we are to it."""

    host: str = option("Host of the mail server")
    port: int = option("Port; usually 25, 465 with ssl, 587 with starttls", default=25, minimum=1, maximum=65535)
    mode: str = option("How it is encrypted: not at all, from the start, or after STARTTLS", default="plain", choices=MODES)
    username: str = option("Who we are; without it we do not sign in", default="")
    password: str = option("Password of that user", default="", secret=True)
    timeout: float = option("Seconds to wait for each answer of the server", default=10.0, minimum=0.1)
    ping_address: str = option("A ping sends a mail from and to this address; without it, it only signs in", default="")
    is_debug: bool = option("Log each mail that was sent: its subject and the number of its recipients", default=False)
    tls_verify: bool = option("Refuse a server whose certificate is not trusted", default=True)
    ca_certificates: str = option("PEM of authorities to trust; the machine's when empty", default="")

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("'host' must not be empty")
        if self.ca_certificates:
            client_context(verify=self.tls_verify, ca_certificates=self.ca_certificates)
