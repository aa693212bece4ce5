"""The settings of the authority."""

from pathlib import Path

from zato.ca.errors import BadGrant
from zato.ca.lifetimes import Lifetimes, Limits
from zato.ca.names import normal_name
from zato.common.errors import ZatoError
from zato.common.lifecycle.ports import split_address
from zato.common.options import option, options

PART_NAME = "ca"


@options
class CASettings:
    grpc_address: str = option("Where certificates are renewed and the authority is administered", default="127.0.0.1:20160")
    enrol_address: str = option("Where enrolment tokens are taken", default="127.0.0.1:20161")
    http_address: str = option("Where /metrics, /authorities.pem and /health/ready are, plain HTTP", default="127.0.0.1:20162")
    public_host: str = option(
        "Name or address by which parts find the authority; the host of each address when empty", default=""
    )
    names: tuple[str, ...] = option("More names and addresses of the authority's machine", default=())
    work_folder: Path = option("Folder for what the authority knows, its audit log and its certificate", default=Path("work"))
    token: str = option("Token that administrators' calls carry", secret=True)
    secret_key: str = option("Key that the authorities' private keys are encrypted with; keep it elsewhere too", secret=True)

    name: str = option("What the authorities' names begin with", default="Zato")
    lifetime_s: float = option("Seconds that a certificate is valid", default=86400.0, minimum=1.0)
    max_lifetime_s: float = option("Most seconds that a certificate may be valid", default=86400.0, minimum=1.0)
    token_lifetime_s: float = option("Seconds that an enrolment token is valid", default=3600.0, minimum=1.0)
    max_token_lifetime_s: float = option("Most seconds that a token may be valid", default=7 * 86400.0, minimum=1.0)
    reusable_token_lifetime_s: float = option(
        "Seconds that a token may be valid, and is, when it is used more than once", default=10 * 365 * 86400.0, minimum=1.0
    )
    root_lifetime_s: float = option("Seconds that a root is valid", default=10 * 365 * 86400.0, minimum=10.0)
    intermediate_lifetime_s: float = option("Seconds that an intermediate is valid", default=365 * 86400.0, minimum=10.0)
    root_notice_s: float = option(
        "Seconds between a new root is trusted and it issues; all parts hear of it meanwhile", default=86400.0, minimum=0.0
    )
    rotates_itself: bool = option("Whether authorities are rotated after two thirds of their life", default=True)

    log_format: str = option("Form of the log", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    def __post_init__(self) -> None:
        for name in ("grpc_address", "enrol_address", "http_address"):
            _check_address(name, getattr(self, name))
        for name in ("token", "secret_key"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' is empty: without it everybody would be let in")
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > 40 or set(self.name) & set(',+"\\<>;=#'):
            raise ValueError("'name' takes up to 40 printable characters, none of , + \" \\ < > ; = #")
        if self.lifetime_s > self.max_lifetime_s or self.token_lifetime_s > self.max_token_lifetime_s:
            raise ValueError("'lifetime_s' and 'token_lifetime_s' are at most 'max_lifetime_s' and 'max_token_lifetime_s'")
        for host in (*self.names, *filter(None, [self.public_host])):
            _check_host(host)

    @property
    def limits(self) -> Limits:
        return Limits(
            self.lifetime_s,
            self.max_lifetime_s,
            self.token_lifetime_s,
            self.max_token_lifetime_s,
            self.reusable_token_lifetime_s,
        )

    @property
    def lifetimes(self) -> Lifetimes:
        return Lifetimes(self.root_lifetime_s, self.intermediate_lifetime_s, self.root_notice_s)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Where the authority's own certificate is valid."""
        hosts = (split_address(address)[0] for address in (self.grpc_address, self.enrol_address))
        no_names = {"", "0.0.0.0", "::"}  # noqa: S104 (not listened at)  # nosec B104
        found = {*self.names, self.public_host, *hosts, "localhost", "127.0.0.1"} - no_names
        return tuple(sorted(map(normal_name, found)))

    def public(self, address: str) -> str:
        """Return one of our addresses as parts reach it."""
        host, port = split_address(address)
        host = self.public_host or host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_address(name: str, address: str) -> None:
    try:
        host, port = split_address(address)
    except (ValueError, ZatoError):
        host, port = "", 0
    if not host or not 0 < port < 65536:
        raise ValueError(f"'{name}' takes host:port, e.g. 127.0.0.1:20160, not {address!r}")
    _check_host(host)


def _check_host(host: str) -> None:
    try:
        normal_name(host)
    except BadGrant as exc:
        raise ValueError(exc.message) from None
