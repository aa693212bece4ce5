"""Options of an outgoing LDAP connection."""

import re

from zato.common.options import option, options
from zato.server.connections.tls import client_context

AUTH_TYPES = ("SIMPLE", "NTLM")
GET_INFO = ("NO_INFO", "DSA", "SCHEMA", "ALL")


@options
class OutgoingLDAPOptions:
    """A directory, on one or more servers, and who we are to it."""

    server_list: str = option("Servers, tried in turn: ldap://host:port or ldaps://host:port, separated by commas or lines")
    username: str = option("Name that we bind as, e.g. cn=zato,dc=example,dc=com; without it we stay anonymous", default="")
    password: str = option("Password of that name", default="", secret=True)
    auth_type: str = option("How we bind", default="SIMPLE", choices=AUTH_TYPES)
    get_info: str = option(
        "What is asked about a server at first; values get their types by its schema", default="SCHEMA", choices=GET_INFO
    )
    connect_timeout: float = option("Seconds to wait for a server to let us in", default=10.0, minimum=0.1)
    receive_timeout: float = option("Seconds to wait for an answer", default=30.0, minimum=0.1)
    pool_size: int = option("Bound connections that a worker keeps", default=1, minimum=1)
    pool_lifetime: float = option("Seconds after which a kept connection is not used again", default=3600.0, minimum=1)
    is_read_only: bool = option("Refuse changes here already", default=False)
    should_check_names: bool = option("Refuse attributes and classes that the schema does not have", default=True)
    should_return_empty_attrs: bool = option("Entries have empty attributes too", default=True)
    use_auto_range: bool = option("Fetch attributes with many values whole", default=True)
    use_start_tls: bool = option("Encrypt connections to ldap:// with StartTLS", default=False)
    tls_verify: bool = option("Refuse a server whose certificate is not trusted", default=True)
    ca_certificates: str = option("PEM of authorities to trust; the machine's when empty", default="")

    def __post_init__(self) -> None:
        servers(self.server_list)
        if self.username and not self.password:
            # An empty password would bind nobody, and look like success (RFC 4513, 5.1.2).
            raise ValueError("'password' must not be empty when there is a 'username'")
        if self.ca_certificates:
            client_context(verify=self.tls_verify, ca_certificates=self.ca_certificates)


def servers(server_list: str) -> list[str]:
    """Return the addresses. Raises ValueError: there is none, or one that is no address."""
    found = [address for address in re.split(r"[\s,]+", server_list) if address]
    for address in found:
        if not re.fullmatch(r"ldaps?://[^/\s,:]+(:\d{1,5})?/?", address):
            raise ValueError(f"'server_list' takes addresses such as ldap://host:389, not {address[:80]!r}")
    if not found:
        raise ValueError("'server_list' must not be empty")
    return found
