"""The settings of the agent."""

import ipaddress
import re
from pathlib import Path

from zato.common.certificates.settings import TrustSettings
from zato.common.errors import BadRequest
from zato.common.options import option, options
from zato.lb_agent.addresses import split_address

PART_NAME = "lb-agent"


@options
class LBAgentSettings(TrustSettings):
    """Those that say "on reload" are read anew by `zato lb reload`; the others when the agent starts."""

    grpc_address: str = option("Where the agent itself listens, host:port", default="127.0.0.1:20151")
    frontend_address: str = option("Where clients connect, host:port; on reload", default="127.0.0.1:11223")
    haproxy_command: str = option("HAProxy's program, a name or a path", default="haproxy")
    work_folder: Path = option("Folder for HAProxy's configuration, sockets and state", default=Path("work"))
    token: str = option("Token of the cluster: what calls to the agent have to carry", secret=True)
    stats_password: str = option("Password of the user admin at /zato-lb-stats; on reload", secret=True)
    lease_s: float = option("Seconds after which a server that does not join again is taken out", default=6.0, minimum=0.5)

    https_address: str = option("Where clients connect over TLS, host:port; nowhere when empty; on reload", default="")
    https_certificates: tuple[str, ...] = option(
        "PEM files, or folders of them, each with certificate, chain and key; clients get the one for the name they ask for,"
        " or the first; the agent's own, of the cluster's authority, when empty; on reload",
        default=(),
    )
    client_certificates: str = option(
        "Whether clients show certificates over TLS; on reload", default="none", choices=("none", "optional", "required")
    )
    client_authorities: Path | None = option(
        "PEM file with the authorities of clients' certificates, and their revocation lists; the cluster's own when empty;"
        " on reload",
        default=None,
    )
    is_https_only: bool = option("Whether clients without TLS are sent to https_address; on reload", default=False)
    hsts_max_age_s: int = option(
        "Seconds for which browsers that came over TLS come over TLS only; not said when 0; on reload",
        default=31_536_000,
        minimum=0,
    )
    server_authorities: Path | None = option(
        "PEM file with the authorities of servers' certificates; servers are spoken to in clear text without; on reload",
        default=None,
    )
    server_tls_name: str = option(
        "Name that servers' certificates are valid for, with server_authorities; on reload", default=""
    )

    balance: str = option(
        "How the next server is chosen; on reload", default="leastconn", choices=("leastconn", "roundrobin", "random")
    )
    max_connections: int = option("Clients connected at the same time; on reload", default=8000, minimum=100)
    retries: int = option("Attempts on other servers when one fails; on reload", default=3, minimum=0, maximum=10)
    request_timeout_s: float = option("Seconds a client has to send a request; on reload", default=10.0, minimum=0.1)
    client_timeout_s: float = option("Seconds a client may be silent in a request; on reload", default=30.0, minimum=0.1)
    keep_alive_timeout_s: float = option("Seconds a client may be silent between two; on reload", default=30.0, minimum=0.1)
    connect_timeout_s: float = option("Seconds to wait for a connection to a server; on reload", default=2.0, minimum=0.1)
    server_timeout_s: float = option("Seconds to wait for a server's answer; on reload", default=60.0, minimum=0.1)
    tunnel_timeout_s: float = option("Seconds a WebSocket may be silent; on reload", default=3600.0, minimum=0.1)
    check_path: str = option("What health checks ask a server for; on reload", default="/health/ready")
    check_interval_s: float = option("Seconds between health checks; on reload", default=1.0, minimum=0.1)
    trusted_proxies: tuple[str, ...] = option(
        "Networks of proxies in front whose X-Forwarded-For is kept, e.g. 10.0.0.0/8; on reload", default=()
    )
    extra_config_file: Path | None = option(
        "Your own sections of HAProxy's configuration; without it those are kept in work_folder; on reload", default=None
    )

    leave_timeout_s: float = option("Seconds a server that leaves may end its requests", default=30.0, minimum=0.0)
    old_worker_timeout_s: float = option(
        "Seconds HAProxy's old process may end its requests after a reload; on reload", default=120.0, minimum=1.0
    )
    stop_timeout_s: float = option("Seconds requests have to end when the agent stops", default=5.0, minimum=0.0)

    log_format: str = option("Form of the agent's log", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    def __post_init__(self) -> None:
        for name in ("grpc_address", "frontend_address"):
            _check_address(name, getattr(self, name))
        self._check_https()
        for name in ("token", "stats_password"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' is empty: without it everybody would be let in")
        if not self.stats_password.isprintable():
            raise ValueError("'stats_password' takes printable characters only")
        if not self.check_path.startswith("/") or not self.check_path.isprintable() or " " in self.check_path:
            raise ValueError(f"'check_path' takes the path of a URL, e.g. /health/ready, not {self.check_path!r}")
        for network in self.trusted_proxies:
            _check_network(network)
        self.check_trust()

    def _check_https(self) -> None:
        if self.https_address:
            _check_address("https_address", self.https_address)
            if not self.https_certificates and not self.tls().is_on:
                raise ValueError(
                    "'https_address' takes a certificate: give 'https_certificates', or 'identity_folder' for our own"
                )
        for path in self.https_certificates:
            if not path.startswith("/") or not path.isprintable():
                raise ValueError(f"'https_certificates' takes full paths, e.g. /etc/zato/site.pem, not {path!r:.120}")
        if self.client_certificates != "none" and not self.client_authorities and not self.tls().is_on:
            raise ValueError(
                "'client_certificates' takes 'client_authorities', who vouch for them, or 'identity_folder' for ours"
            )
        if self.server_authorities is not None:
            # HAProxy reads commands word by word, whatever quotes are around.
            if not re.fullmatch(r"[^\s'\"\\\\;#]+", str(self.server_authorities)):
                raise ValueError("'server_authorities' takes a path without spaces, quotes, ; and #")
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", self.server_tls_name):
                raise ValueError("'server_authorities' takes 'server_tls_name', the name in servers' certificates, e.g. server")


def _check_address(name: str, address: str) -> None:
    try:
        host, _ = split_address(address)
    except BadRequest as exc:
        raise ValueError(f"'{name}': {exc.message}") from None
    if any(character.isspace() or character in "\"'#\\$" for character in host):
        raise ValueError(f"'{name}' names no host: {address!r}")


def _check_network(network: str) -> None:
    try:
        ipaddress.ip_network(network)
    except ValueError as exc:
        raise ValueError(f"'trusted_proxies' takes networks, e.g. 10.0.0.0/8: {exc}") from None
