"""The settings of a web admin."""

from pathlib import Path

from zato.common.certificates.settings import TrustSettings
from zato.common.options import option, options

PART_NAME = "webadmin"


@options
class WebAdminSettings(TrustSettings):
    name: str = option("Name of this web admin, unique in the cluster", default="webadmin1")
    cluster: str = option("Name of the cluster, shown on each page", default="zato")
    http_address: str = option("host:port where browsers connect", default="127.0.0.1:8183")
    server_addresses: tuple[str, ...] = option(
        "gRPC addresses of servers, host:port; one that resolves to several servers will do", default=("127.0.0.1:17110",)
    )
    lb_agent_address: str = option("gRPC address of the load-balancer's agent; empty for none", default="127.0.0.1:20151")
    scheduler_addresses: tuple[str, ...] = option("gRPC addresses of schedulers", default=("127.0.0.1:31530",))
    redis_url: str = option("Where sessions are, e.g. redis://:password@127.0.0.1:6379/0", secret=True)
    token: str = option("Token of the cluster, as servers have it", secret=True)

    threads: int = option("Requests at the same time; an open dashboard takes one", default=64, minimum=4, maximum=1000)
    idle_timeout_s: int = option("Seconds after which whoever does nothing is signed out", default=3600, minimum=60)
    session_timeout_s: int = option("Seconds after which everybody signs in again", default=43_200, minimum=60)
    is_https: bool = option(
        "Whether browsers come by https, through a proxy or by 'https_certificate': cookies then travel no other way",
        default=False,
    )
    https_certificate: Path | None = option("PEM file with the certificate that browsers see, then the chain", default=None)
    https_key: Path | None = option("PEM file with the private key of 'https_certificate'", default=None)
    trusted_proxies: int = option(
        "How many proxies there are before us that write X-Forwarded-For; 0 believes no such header", default=0, minimum=0
    )
    max_upload_bytes: int = option("Largest file that may be uploaded", default=5_000_000, minimum=1000)

    log_format: str = option("Form of the log", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    def __post_init__(self) -> None:
        for name in ("http_address", "lb_agent_address"):
            _check_address(name, getattr(self, name))
        for name in ("server_addresses", "scheduler_addresses"):
            for address in getattr(self, name):
                _check_address(name, address)
        if not self.server_addresses:
            raise ValueError("'server_addresses' takes at least one host:port, e.g. 127.0.0.1:17110")
        if not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("'redis_url' takes redis://, rediss:// or unix://, then where Redis is")
        if not self.token:
            raise ValueError("'token' is empty: no server would let the web admin in")
        if (self.https_certificate is None) != (self.https_key is None):
            raise ValueError("'https_certificate' and 'https_key' go together: give both, or none")
        self.check_trust()

    @property
    def has_secure_cookies(self) -> bool:
        return self.is_https or self.https_certificate is not None


def _check_address(name: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if address and (not host or not port.isdecimal() or int(port) > 65535):
        raise ValueError(f"'{name}' takes host:port, e.g. 127.0.0.1:17110, not {address!r:.120}")
