"""The settings of a scheduler."""

import re

from zato.common.certificates.settings import TrustSettings
from zato.common.options import option, options

PART_NAME = "scheduler"


@options
class SchedulerSettings(TrustSettings):
    name: str = option("Name of this scheduler, unique in the cluster", default="scheduler1")
    grpc_address: str = option("host:port where the scheduler itself listens", default="127.0.0.1:31530")
    server_addresses: tuple[str, ...] = option(
        "gRPC addresses of servers, host:port; one that resolves to several servers will do", default=("127.0.0.1:17110",)
    )
    token: str = option("Token of the cluster: what calls to and from the scheduler carry", secret=True)

    lease_s: float = option("Seconds without a sign of life after which a leader is replaced", default=2.5, minimum=0.5)
    late_after_s: float = option(
        "Seconds after which a run that was not started counts as missed: its job's policy decides",
        default=1.0,
        minimum=0.1,
    )

    log_format: str = option("Form of the log", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise ValueError(f"'name' takes letters, digits, '.', '_' and '-', not {self.name!r:.120}")
        _check_address("grpc_address", self.grpc_address)
        if not self.server_addresses:
            raise ValueError("'server_addresses' takes at least one host:port, e.g. 127.0.0.1:17110")
        for address in self.server_addresses:
            _check_address("server_addresses", address)
        if not self.token:
            raise ValueError("'token' is empty: no server would let the scheduler in")
        self.check_trust()


def _check_address(name: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"'{name}' takes host:port, e.g. 127.0.0.1:17110, not {address!r:.120}")
