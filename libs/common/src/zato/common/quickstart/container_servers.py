"""What the servers of others that containers run, PostgreSQL, Redis and RabbitMQ, read: TLS only, by a user of their own."""

from collections.abc import Mapping
from pathlib import Path

from zato.common.quickstart.redis_server import RedisSettings, configuration

# Where `zato ca keep` has their certificates, and whom everybody trusts.
CERTIFICATES = Path("/certificates")
AUTHORITIES = CERTIFICATES / "authorities.pem"
_USER = "zato"


def odb_url(secrets: Mapping[str, str]) -> str:
    trust = f"sslmode=verify-full&sslrootcert={AUTHORITIES}"
    return f"postgresql://{_USER}:{secrets['postgres_password']}@postgres:5432/zato?{trust}"


def redis_url(secrets: Mapping[str, str]) -> str:
    trust = f"ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs={AUTHORITIES}"
    return f"rediss://{_USER}:{secrets['redis_password']}@redis:6379/0?{trust}"


def postgres_files(secrets: Mapping[str, str]) -> Mapping[str, str]:
    # Without TLS nobody is let in but from inside the container.
    rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhostssl all all all scram-sha-256\n"
    return {"password": secrets["postgres_password"], "pg_hba.conf": rules}


def redis_files(secrets: Mapping[str, str]) -> Mapping[str, str]:
    settings = RedisSettings(address="0.0.0.0:0", password=secrets["redis_password"], data_folder=Path("/data"))
    identity = CERTIFICATES / "redis" / "identity.pem"
    lines = [
        "tls-port 6379",
        f"tls-cert-file {identity}",
        f"tls-key-file {identity}",
        f"tls-ca-cert-file {AUTHORITIES}",
        # Clients show their password.
        "tls-auth-clients no",
        'tls-protocols "TLSv1.2 TLSv1.3"',
        "user default off",
        f"user {_USER} on >{secrets['redis_password']} ~* &* +@all -@admin -@dangerous +info +config|get",
        # Has a renewed certificate read, and may nothing else.
        f"user reloader on >{secrets['redis_reloader_password']} -@all +config|set",
    ]
    return {
        "password": secrets["redis_password"],
        "reloader_password": secrets["redis_reloader_password"],
        "redis.conf": configuration(settings) + "\n".join(lines) + "\n",
    }


def rabbitmq_files(secrets: Mapping[str, str]) -> Mapping[str, str]:
    identity = CERTIFICATES / "rabbitmq" / "identity.pem"
    lines = [
        f"default_user = {_USER}",
        f"default_pass = {secrets['rabbitmq_password']}",
        "listeners.tcp = none",
        "listeners.ssl.default = 5671",
        f"ssl_options.certfile = {identity}",
        f"ssl_options.keyfile = {identity}",
        f"ssl_options.cacertfile = {AUTHORITIES}",
        # Clients show their password.
        "ssl_options.verify = verify_none",
        "ssl_options.fail_if_no_peer_cert = false",
        "ssl_options.versions.1 = tlsv1.3",
        "ssl_options.versions.2 = tlsv1.2",
        # For who is inside the container.
        "management.tcp.ip = 127.0.0.1",
        "prometheus.tcp.ip = 127.0.0.1",
        "log.console.level = warning",
    ]
    # With AMQP 1.0, which connector-mq speaks, at the same port.
    plugins = "[rabbitmq_amqp1_0,rabbitmq_management,rabbitmq_prometheus]."
    return {"rabbitmq.conf": "\n".join(lines) + "\n", "enabled_plugins": f"{plugins}\n"}
