"""Options of an outgoing FTP connection."""

from zato.common.options import option, options
from zato.server.connections.tls import client_context


@options
class OutgoingFTPOptions:
    """A server that keeps files, and who we are to it."""

    host: str = option("Host of the FTP server")
    port: int = option("Port that the server listens on", default=21, minimum=1, maximum=65535)
    username: str = option("Who we are", default="anonymous")
    password: str = option("Password of that user", default="", secret=True)
    account: str = option("Account, where a server asks for one", default="")
    timeout: float = option("Seconds to wait for each answer of the server", default=10.0, minimum=0.1)
    use_ftps: bool = option("Encrypt with TLS, commands and files", default=False)
    tls_verify: bool = option("Refuse a server whose certificate is not trusted", default=True)
    ca_certificates: str = option("PEM of authorities to trust; the machine's when empty", default="")

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("'host' must not be empty")
        if self.ca_certificates:
            client_context(verify=self.tls_verify, ca_certificates=self.ca_certificates)
