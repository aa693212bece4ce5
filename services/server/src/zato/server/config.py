"""Settings of a server."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

from zato.common.certificates.settings import TrustSettings
from zato.common.options import option, options
from zato.common.secrets import CannotDecrypt, SecretBox
from zato.common.settings import load_settings
from zato.server.odb.limits import Limits
from zato.server.packages.archives import PackageLimits
from zato.server.services.name_patterns import NamePatterns

PART = "server"
_PATTERNS = (
    "deploy_patterns_allowed",
    "invoke_patterns_allowed",
    "invoke_target_patterns_allowed",
    "docs_patterns_allowed",
)


@options
class ServerSettings(TrustSettings):
    name: str = option("Name of this server, unique in the cluster", default="server1")
    cluster: str = option("Name of the cluster; servers of one cluster share the ODB and Redis", default="zato")

    http_address: str = option("host:port that serves clients and the load-balancer", default="127.0.0.1:17010")
    grpc_address: str = option("host:port that serves the other parts and the zato command", default="127.0.0.1:17110")
    advertised_address: str = option("host:port the load-balancer connects to; http_address when empty", default="")
    lb_agent_address: str = option("gRPC address of the load-balancer's agent; none when empty", default="")
    workers: int = option("Worker processes", default=2, minimum=1, maximum=256)

    odb_url: str = option(
        "Database of the configuration, e.g. postgresql://user@host/zato or sqlite:////path/odb.db", secret=True
    )
    odb_pool_size: int = option("PostgreSQL connections that each worker keeps open", default=4, minimum=1, maximum=1000)
    odb_pool_overflow: int = option(
        "Further PostgreSQL connections that a worker opens while all of these are busy", default=4, minimum=0, maximum=1000
    )
    odb_connect_timeout_s: float = option(
        "Seconds to get a connection to PostgreSQL, a new one or one that becomes free", default=5.0, minimum=0.1
    )
    odb_timeout_s: float = option(
        "Seconds that a worker waits for all answers of PostgreSQL that one transaction needs, and for that to its commit;"
        " then the transaction is given up, and who asked for it gets 503",
        default=10.0,
        minimum=0.1,
    )
    odb_lock_timeout_s: float = option(
        "Seconds that a change of the configuration waits for another one; then it gets 503", default=5.0, minimum=0.1
    )
    redis_url: str = option("e.g. redis://:password@127.0.0.1:6379/0", default="redis://127.0.0.1:6379/0", secret=True)
    token: str = option("What the parts of the cluster show to one another", secret=True)
    secret_key: str = option("Key of the secrets in the ODB; after a comma older ones that still decrypt", secret=True)

    pickup_folder: Path = option("Files, archives, wheels and folders put here are deployed", default=Path("pickup"))
    undeploy_deleted: bool = option("Whether deleting a file from the pickup folder undeploys it", default=True)
    work_folder: Path = option("Sockets, deployed files, counters; private to this server", default=Path("work"))

    package_max_bytes: int = option(
        "Largest upload of a package; over HTTP max_body_bytes has a say too",
        default=32 * 1024 * 1024,
        minimum=1024,
        maximum=60 * 1024 * 1024,
    )
    package_max_unpacked_bytes: int = option(
        "Most bytes that all files of a package have together", default=128 * 1024 * 1024, minimum=1024
    )
    package_max_files: int = option("Most files of a package", default=5000, minimum=1, maximum=60_000)
    package_keep_versions: int = option(
        "Versions of each package that are kept to go back to, the live one always among them; 0 for all", default=20, minimum=0
    )
    package_check_timeout_s: float = option(
        "Seconds that importing a package may take when it is tried, in a process of its own", default=30.0, minimum=0.1
    )
    package_check_memory_mb: int = option(
        "Megabytes that importing a package may take when it is tried", default=1024, minimum=16
    )

    services_folder: Path = option(
        "What services read: lua/user/*.lua, schema/json/*.json, user-conf/*.ini, static/*, simple-io.conf",
        default=Path("services"),
    )
    user_config: tuple[str, ...] = option(
        "Configuration of services, label=path of a file or folder, e.g. crm=/etc/crm/config.ini", default=()
    )

    deploy_patterns_allowed: tuple[str, ...] = option(
        "Names that deployed services may have, e.g. order=true_false, **=True, internal.*=False; any when empty", default=()
    )
    invoke_patterns_allowed: tuple[str, ...] = option("The same for services that others may invoke", default=())
    invoke_target_patterns_allowed: tuple[str, ...] = option(
        "Targets that this server is, for those who invoke service@target; any when empty", default=()
    )
    enforce_service_invokes: bool = option("Whether services may invoke only what their class lists in invokes", default=False)

    async_concurrency: int = option("Asynchronous invocations that one worker runs at a time", default=20, minimum=1)
    async_max_attempts: int = option(
        "How often an asynchronous invocation is tried before it is put aside", default=3, minimum=1
    )
    async_retry_after_s: float = option(
        "Seconds before the first retry; doubled before each further one", default=1.0, minimum=0.0
    )
    async_claim_after_s: float = option(
        "Seconds of silence after which a worker's asynchronous invocations are taken over", default=30.0, minimum=0.5
    )
    async_timeout_s: float = option(
        "Seconds that an asynchronous invocation may take; then it is ended, and tried again as when it fails; 0 for no limit",
        default=0.0,
        minimum=0.0,
    )
    async_needs_persistence: bool = option(
        "Whether to refuse asynchronous invocations when Redis would forget them in a restart", default=True
    )

    docs_access: str = option(
        "Who may read /zato/openapi.json and /zato/docs, the description of your services' channels: nobody (off), callers who"
        " satisfy docs_security (credentials), or anyone",
        default="off",
        choices=("off", "credentials", "anyone"),
    )
    docs_security: str = option("Security definition that readers satisfy when docs_access is credentials", default="")
    docs_patterns_allowed: tuple[str, ...] = option(
        "Names of services that are described there, written as in deploy_patterns_allowed; all of yours when empty", default=()
    )
    docs_admin: bool = option(
        "Whether /zato/openapi-admin.json and /zato/docs/admin describe the admin API to the same readers", default=False
    )

    trusted_proxies: tuple[str, ...] = option(
        "Addresses or networks of load-balancers whose X-Forwarded-For is believed", default=("127.0.0.0/8", "::1")
    )
    proxy_protocol_from: tuple[str, ...] = option(
        "Addresses or networks of load-balancers whose connections begin with the PROXY protocol, v1 or v2; nobody else's may",
        default=(),
    )
    http_tls_certificate: str = option(
        "PEM file of the certificate, and its chain, that http_address speaks TLS with", default=""
    )
    http_tls_key: str = option("PEM file of that certificate's private key", default="")
    job_runs_days: float = option("Days for which runs of scheduled jobs are kept", default=30.0, minimum=0.001)
    audit_days: float = option("Days for which the audit log is kept; 0 for ever", default=0.0, minimum=0.0)
    poll_interval_s: float = option("Seconds between looks for changes when no nudge comes", default=1.0, minimum=0.05)
    http_worker: str = option(
        "Which worker of gunicorn answers HTTP: zato is ours, gevent is gunicorn's own, slower and less strict",
        default="zato",
        choices=("zato", "gevent"),
    )
    http_parser: str = option(
        "Package that takes HTTP requests apart: both accept and refuse the same, gunicorn_h1c is faster",
        default="gunicorn_h1c",
        choices=("gunicorn_h1c", "httptools"),
    )
    max_requests: int = option(
        "Requests after which a worker is replaced by a new one, against leaks of what services use; 0 for never",
        default=0,
        minimum=0,
    )
    max_requests_jitter: int = option(
        "Up to so many more, at random, so that not all workers are replaced at once", default=0, minimum=0
    )
    max_connections: int = option("Open connections of one worker", default=10_000, minimum=1)
    max_body_bytes: int = option("Largest request body; larger ones get 413", default=10 * 1024 * 1024, minimum=0)
    max_buffered_bytes: int = option(
        "Bytes of request bodies that one worker holds at a time, one of the largest at least; more get 503",
        default=512 * 1024 * 1024,
        minimum=1,
    )
    max_request_line_bytes: int = option("Longest request line; longer ones get 414", default=8190, minimum=64)
    max_headers: int = option("Most headers of a request; more get 431", default=100, minimum=1)
    max_header_bytes: int = option("Longest single header; longer ones get 431", default=8190, minimum=64)
    header_timeout_s: float = option("Seconds for a request's headers to arrive", default=10.0, minimum=0.1)
    body_timeout_s: float = option("Seconds for a body to arrive, plus what it takes at 50 kB/s", default=15.0, minimum=0.1)
    idle_timeout_s: float = option("Seconds a connection may wait for its next request", default=75.0, minimum=0.1)
    write_timeout_s: float = option(
        "Seconds for a client to take its answer, plus what it takes at 50 kB/s", default=30.0, minimum=0.1
    )
    graceful_timeout_s: float = option("Seconds that running requests have when the server stops", default=30.0, minimum=0.0)
    request_timeout_s: float = option(
        "Seconds that a service may take on channels without a limit of their own; 0 for no limit", default=0.0, minimum=0.0
    )
    max_busy_s: float = option(
        "Seconds that a service may compute without a pause of its own; then it is ended; 0 for no limit",
        default=30.0,
        minimum=0.0,
    )
    turn_s: float = option(
        "Seconds that a service may compute before other requests of its worker have their turn; 0 to let it end first",
        default=0.05,
        minimum=0.0,
    )
    server_header: str = option("Value of the header Server; the header is left out when empty", default="Zato")
    methods_allowed: tuple[str, ...] = option(
        "HTTP methods that are answered at all, whatever channels say; any when empty", default=()
    )
    admin_over_http: bool = option(
        "Whether people with an account manage the cluster at /zato/json/<service> of the HTTP address too", default=True
    )
    rate_limits_without_redis: str = option(
        "What becomes of EXACT rate limits while Redis can't be reached: allow (each process counts alone) or refuse",
        default="allow",
        choices=("allow", "refuse"),
    )
    return_tracebacks: bool = option("Show tracebacks of failed services to clients; development only", default=False)

    log_format: str = option("How log lines look", default="auto", choices=("auto", "json", "console"))
    log_level: str = option("Least severe level that is logged", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    connector_amqp_addresses: tuple[str, ...] = option(
        "gRPC addresses of AMQP connectors, host:port: where services send through", default=("127.0.0.1:31531",)
    )
    connector_zmq_addresses: tuple[str, ...] = option(
        "gRPC addresses of ZeroMQ connectors, host:port: where services send through", default=("127.0.0.1:31532",)
    )
    connector_mq_addresses: tuple[str, ...] = option(
        "gRPC addresses of MQ connectors, host:port: where services send through", default=("127.0.0.1:31533",)
    )

    def __post_init__(self) -> None:
        for name in ("http_address", "grpc_address"):
            split_address(getattr(self, name), name)
        for name in ("advertised_address", "lb_agent_address"):
            if getattr(self, name):
                split_address(getattr(self, name), name)
        for name in ("name", "cluster"):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", getattr(self, name)):
                raise ValueError(f"'{name}' takes letters, digits, '.', '_' and '-', not {getattr(self, name)!r:.120}")
        if not self.server_header.isascii() or (self.server_header and not self.server_header.isprintable()):
            raise ValueError(f"'server_header' takes printable ASCII text, not {self.server_header!r:.120}")
        if unknown := [method for method in self.methods_allowed if not re.fullmatch(r"[A-Z][A-Z-]*", method)]:
            raise ValueError(f"'methods_allowed' takes HTTP methods in capitals, not {', '.join(unknown):.120}")
        # Never the values of these: they hold passwords.
        _check_scheme("odb_url", self.odb_url, ("postgresql://", "postgresql+psycopg2://", "sqlite:////"))
        _check_scheme("redis_url", self.redis_url, ("redis://", "rediss://", "unix://"))
        if not self.token:
            raise ValueError("'token' must not be empty: no call of another part could be let in")
        _check_keys(self.secret_keys)
        _check_labels(self.user_config)
        for name in _PATTERNS:
            _check_patterns(name, getattr(self, name))
        _check_docs(self.docs_access, self.docs_security)
        self.trusted_networks, self.proxy_networks  # noqa: B018 (raises when one is no network)
        self._check_opening()
        self.check_trust()

    @property
    def trusted_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(_network(network, "trusted_proxies") for network in self.trusted_proxies)

    @property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(_network(network, "proxy_protocol_from") for network in self.proxy_protocol_from)

    def _check_opening(self) -> None:
        if bool(self.http_tls_certificate) != bool(self.http_tls_key):
            raise ValueError("'http_tls_certificate' and 'http_tls_key' belong together: give both, or none")
        if self.http_worker != "zato" and (self.http_tls_certificate or self.proxy_protocol_from):
            raise ValueError("'http_worker' has to be zato where TLS or the PROXY protocol is spoken")

    @property
    def body_budget_bytes(self) -> int:
        """A worker that could not hold one body of the accepted size would accept it and never take it."""
        return max(self.max_buffered_bytes, self.max_body_bytes)

    @property
    def package_limits(self) -> PackageLimits:
        return PackageLimits(self.package_max_bytes, self.package_max_unpacked_bytes, self.package_max_files)

    @property
    def sources_folder(self) -> Path:
        return self.work_folder / "services"

    @property
    def trials_folder(self) -> Path:
        return self.work_folder / "trials"

    @property
    def odb_limits(self) -> Limits:
        return Limits(
            self.odb_pool_size,
            self.odb_pool_overflow,
            self.odb_connect_timeout_s,
            self.odb_timeout_s,
            self.odb_lock_timeout_s,
        )

    @property
    def metrics_folder(self) -> Path:
        return self.work_folder / "metrics"

    @property
    def rpc_socket(self) -> Path:
        """Where the workers take calls from the sidecar."""
        return self.work_folder / "rpc.sock"

    @property
    def user_config_paths(self) -> Mapping[str, Path]:
        return {label: Path(path) for label, _, path in (entry.partition("=") for entry in self.user_config)}

    @property
    def secret_keys(self) -> tuple[str, ...]:
        return tuple(key.strip() for key in self.secret_key.split(",") if key.strip())


def read_settings(folder: Path | None, environ: Mapping[str, str]) -> ServerSettings:
    """Read settings.toml and secrets.toml of `folder`, where they are, and the environment. Raises InvalidOptions."""
    files = tuple(file for name in ("settings.toml", "secrets.toml") if folder and (file := folder / name).exists())
    return load_settings(ServerSettings, PART, files=files, environ=environ)


def _network(text: str, name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"'{name}' takes addresses or networks, e.g. 10.0.0.0/8, not {text!r:.120}") from None


def _check_scheme(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes):
        raise ValueError(f"'{name}' takes a URL that begins with {' or '.join(schemes)}")


def _check_keys(keys: tuple[str, ...]) -> None:
    try:
        SecretBox(keys)
    except CannotDecrypt as exc:
        raise ValueError(f"'secret_key': {exc.message}") from None


def _check_patterns(name: str, lines: tuple[str, ...]) -> None:
    try:
        NamePatterns(lines)
    except ValueError as exc:
        raise ValueError(f"'{name}' {exc}") from None


def _check_docs(access: str, security: str) -> None:
    if access == "credentials" and not security:
        raise ValueError("'docs_security' has to name a security definition when 'docs_access' is credentials")


def _check_labels(entries: tuple[str, ...]) -> None:
    for entry in entries:
        label, _, path = entry.partition("=")
        if not label.isidentifier() or not path:
            raise ValueError(f"'user_config' takes label=path, e.g. crm=/etc/crm/config.ini, not {entry!r:.120}")


def split_address(address: str, name: str) -> tuple[str, int]:
    """
    Return host and port of "host:port".

    Raises:
        ValueError: Says which setting it was and what was wanted.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"'{name}' takes host:port, e.g. 127.0.0.1:17010, not {address!r}")
    return host, int(port)
