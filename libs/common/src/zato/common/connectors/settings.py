"""The settings of every connector, from which its own class derives to give `name` and `grpc_address` their defaults."""

import re

from zato.common.certificates.settings import TrustSettings
from zato.common.options import option, options


@options
class ConnectorSettings(TrustSettings):
    name: str = option("Name of this connector, unique among those of its kind in the cluster", default="connector1")
    grpc_address: str = option("host:port where the connector itself listens", default="127.0.0.1:31531")
    http_address: str = option("host:port of /metrics and /health/ready, plain HTTP; empty for none", default="")
    server_addresses: tuple[str, ...] = option(
        "gRPC addresses of servers, host:port; one that resolves to several servers will do", default=("127.0.0.1:17110",)
    )
    token: str = option("Token of the cluster: what calls to and from the connector carry", secret=True)
    drain_s: float = option("Seconds that messages under way get to end when the connector is stopped", default=10.0, minimum=0)

    log_format: str = option("Form of the log", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise ValueError(f"'name' takes letters, digits, '.', '_' and '-', not {self.name!r:.120}")
        if not self.server_addresses:
            raise ValueError("'server_addresses' takes at least one host:port, e.g. 127.0.0.1:17110")
        ours = [(name, address) for name in ("grpc_address", "http_address") if (address := getattr(self, name))]
        for name, address in (*ours, *(("server_addresses", a) for a in self.server_addresses)):
            host, _, port = address.rpartition(":")
            if not host or not port.isdecimal() or int(port) > 65535:
                raise ValueError(f"'{name}' takes host:port, e.g. 127.0.0.1:17110, not {address!r:.120}")
        if not self.token:
            raise ValueError("'token' is empty: no server would let the connector in")
        self.check_trust()
