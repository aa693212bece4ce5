"""Options of an IMAP connection."""

from zato.common.options import option, options
from zato.server.connections.tls import client_context

MODES = ("plain", "ssl", "starttls")


@options
class OutgoingIMAPOptions:
    """A mailbox, and who we are to its server."""

    host: str = option("Host of the mail server")
    port: int = option("Port; usually 143, 993 with ssl", default=143, minimum=1, maximum=65535)
    mode: str = option("How it is encrypted: not at all, from the start, or after STARTTLS", default="plain", choices=MODES)
    username: str = option("Who we are")
    password: str = option("Password of that user", default="", secret=True)
    timeout: float = option("Seconds to wait for each answer of the server", default=10.0, minimum=0.1)
    get_criteria: str = option(
        "Which mails are read: lines of search keys of IMAP, all of which have to be met", default="UNSEEN"
    )
    tls_verify: bool = option("Refuse a server whose certificate is not trusted", default=True)
    ca_certificates: str = option("PEM of authorities to trust; the machine's when empty", default="")

    def __post_init__(self) -> None:
        for name in ("host", "username"):
            value = getattr(self, name)
            if not value or not value.isprintable():
                raise ValueError(f"'{name}' takes printable text, and must not be empty")
        if not self.password.isprintable():
            raise ValueError("'password' takes printable text")
        if self.ca_certificates:
            client_context(verify=self.tls_verify, ca_certificates=self.ca_certificates)
