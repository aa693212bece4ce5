"""Options of an outgoing SFTP connection."""

import re

from zato.common.options import option, options


@options
class OutgoingSFTPOptions:
    """A server that keeps files, reached over SSH, and who we are to it."""

    host: str = option("Host of the SSH server")
    port: int = option("Port that the server listens on", default=22, minimum=1, maximum=65535)
    username: str = option("Who we are")
    password: str = option("Password of that user, where there is no key", default="", secret=True)
    private_key: str = option("Private key of that user, in OpenSSH's or PEM form", default="", secret=True)
    private_key_password: str = option("Password of that key", default="", secret=True)
    host_keys: str = option(
        "Public keys of the server, one a line, e.g. 'ssh-ed25519 AAAA…', as ssh-keyscan prints them", default=""
    )
    accept_any_host_key: bool = option("Take any server for the right one: somebody in between can read along", default=False)
    default_directory: str = option("Directory that paths without a slash at their beginning start from", default="")
    timeout: float = option("Seconds to wait for a connection, and for each answer", default=10.0, minimum=0.1)
    is_compression_enabled: bool = option("Compress what is sent and received", default=False)

    def __post_init__(self) -> None:
        for name in ("host", "username"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' must not be empty")
        for line in filter(None, map(str.strip, self.host_keys.splitlines())):
            if not re.search(r"(^|\s)[a-z][a-z0-9@.-]+ [A-Za-z0-9+/=]{40,}", line):
                raise ValueError(f"'host_keys' takes lines such as 'ssh-ed25519 AAAA…', not {line[:60]!r}")
