"""
The folder of a cluster of containers, in a volume that all of them read:

    cluster.toml secrets.toml    as `zato quickstart` has them; by these the zato command finds the cluster
    admin_password               the first administrator's, until it is changed
    examples.secrets             the key that examples/load gives its users
    operator_token               what the zato command gets its certificate with
    <part>/                      what one part reads, one secret in each file, for its user only

`zato.ca.containers` makes what is missing, as root, tokens included. What is there is kept, so it may run at every start.
`python -m zato.common.quickstart.containers PATH` creates the user, the channel and the administrator that every cluster has,
once a server answers.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zato.common.cli.admin import Admin, Servers
from zato.common.cli.operator import TOKEN_FILE, operator_tls
from zato.common.errors import ZatoError
from zato.common.lifecycle.folders import CLUSTER_FILE, PART_FILE, write_secret
from zato.common.lifecycle.toml import toml_document
from zato.common.quickstart import container_servers as servers
from zato.common.quickstart.cluster import Cluster, generate_secrets, load_cluster, save_cluster
from zato.common.quickstart.defaults import ADMIN_PASSWORD_FILE, FIRST_ADMIN, ensure_defaults, ensure_first_admin
from zato.common.quickstart.roles import Member
from zato.common.rpc.roles import CONNECTOR, LB_AGENT, OPERATOR, SCHEDULER, SERVER, WEBADMIN
from zato.common.secrets import generate_key, generate_password, generate_token

# A part is where its service's name leads, whichever of its containers that is.
_MEMBERS = (
    Member("ca", "ca", {"grpc_address": "ca:20160", "enrol_address": "ca:20161", "http_address": "ca:20162"}),
    Member("lb-agent", "lb-agent", {"frontend_address": "lb-agent:11223", "grpc_address": "lb-agent:20151"}),
    Member("server", "server", {"http_address": "server:17010", "grpc_address": "server:17110"}),
    Member("scheduler", "scheduler", {"grpc_address": "scheduler:31530"}),
    Member("connector-amqp", "connector-amqp", {"grpc_address": "connector-amqp:31531"}),
    Member("connector-zmq", "connector-zmq", {"grpc_address": "connector-zmq:31532"}),
    Member("connector-mq", "connector-mq", {"grpc_address": "connector-mq:31533"}),
    Member("webadmin", "webadmin", {"http_address": "webadmin:8183"}),
)
# Of our images.
_SERVER_USER, _LB_AGENT_USER, _SCHEDULER_USER, AUTHORITY_USER, _ZMQ_USER, _AMQP_USER, _WEBADMIN_USER = range(10001, 10008)
_MQ_USER = 10008
# Of the images postgres, redis and rabbitmq alike.
DATABASE_USER = 999
# What a quickstart has none of.
_MORE_SECRETS = ("postgres_password", "rabbitmq_password", "redis_reloader_password")
_READ, _ENTER, _FILL, _READABLE_BY_ALL = 0o400, 0o500, 0o700, 0o444


@dataclass(frozen=True)
class TokenFile:
    """
    Which file holds a reusable token: for any number of containers of a service, each of which is one of its own.

    Args:
        file: In the cluster's folder.
        user: The only one who may read it.
        role: What its bearers are, see `zato.common.rpc.roles`.
        name: Of its bearers, who add the names of their hosts to it.
        alternative_names: Where others, and health checks, reach them.
    """

    file: str
    user: int
    role: str
    name: str
    alternative_names: tuple[str, ...] = ()


_LOOPBACK = ("localhost", "127.0.0.1")
# What is not ours calls no part of ours.
NO_ROLE = "part"
TOKENS = (
    TokenFile("server/enrolment_token", _SERVER_USER, SERVER, "server", ("server", *_LOOPBACK)),
    TokenFile("lb-agent/enrolment_token", _LB_AGENT_USER, LB_AGENT, "lb-agent", ("lb-agent", *_LOOPBACK)),
    TokenFile("scheduler/enrolment_token", _SCHEDULER_USER, SCHEDULER, "scheduler", ("scheduler", *_LOOPBACK)),
    TokenFile("webadmin/enrolment_token", _WEBADMIN_USER, WEBADMIN, "webadmin", ("webadmin", *_LOOPBACK)),
    TokenFile("connector-amqp/enrolment_token", _AMQP_USER, CONNECTOR, "connector-amqp", ("connector-amqp", *_LOOPBACK)),
    TokenFile("connector-zmq/enrolment_token", _ZMQ_USER, CONNECTOR, "connector-zmq", ("connector-zmq", *_LOOPBACK)),
    TokenFile("connector-mq/enrolment_token", _MQ_USER, CONNECTOR, "connector-mq", ("connector-mq", *_LOOPBACK)),
    *(
        TokenFile(f"{name}/enrolment_token", DATABASE_USER, NO_ROLE, name, (name, *_LOOPBACK))
        for name in ("postgres", "redis", "rabbitmq")
    ),
    TokenFile(TOKEN_FILE, _SERVER_USER, OPERATOR, "operator"),
    TokenFile(f"lb-agent/{TOKEN_FILE}", _LB_AGENT_USER, OPERATOR, "operator-at-lb-agent"),
)


@dataclass(frozen=True)
class Reader:
    """
    Args:
        user: The only one who may read the files.
        files: Returns their contents by their names.
    """

    user: int
    files: Callable[[Mapping[str, str]], Mapping[str, str]]


def _server(secrets: Mapping[str, str]) -> Mapping[str, str]:
    return {
        "token": secrets["token"],
        "secret_key": secrets["secret_key"],
        "odb_url": servers.odb_url(secrets),
        "redis_url": servers.redis_url(secrets),
        # For `zato object create definition-amqp`, see README.md.
        "rabbitmq_password": secrets["rabbitmq_password"],
    }


def _token(secrets: Mapping[str, str]) -> Mapping[str, str]:
    return {"token": secrets["token"]}


def _lb_agent(secrets: Mapping[str, str]) -> Mapping[str, str]:
    # By the files `zato lb` knows whose folder it is.
    return {
        "token": secrets["token"],
        "stats_password": secrets["stats_password"],
        PART_FILE: toml_document({"part": "lb-agent"}),
        "settings.toml": "",
        "secrets.toml": "",
    }


def _with_redis(secrets: Mapping[str, str]) -> Mapping[str, str]:
    return {"token": secrets["token"], "redis_url": servers.redis_url(secrets)}


READERS = {
    "server": Reader(_SERVER_USER, _server),
    "lb-agent": Reader(_LB_AGENT_USER, _lb_agent),
    "scheduler": Reader(_SCHEDULER_USER, _token),
    "webadmin": Reader(_WEBADMIN_USER, _with_redis),
    "connector-amqp": Reader(_AMQP_USER, _token),
    "connector-zmq": Reader(_ZMQ_USER, _with_redis),
    "connector-mq": Reader(_MQ_USER, _token),
    "ca": Reader(AUTHORITY_USER, lambda _secrets: {}),
    "redis": Reader(DATABASE_USER, servers.redis_files),
    "postgres": Reader(DATABASE_USER, servers.postgres_files),
    "rabbitmq": Reader(DATABASE_USER, servers.rabbitmq_files),
}


def prepare(path: Path) -> Cluster:
    """
    Make the folder, or what it lacks.

    Raises:
        InvalidOptions: The files of a cluster that is there are damaged.
    """
    found = load_cluster(path) if (path / CLUSTER_FILE).exists() else Cluster(path, "zato", "", _MEMBERS, {})
    more = {name: generate_token() for name in _MORE_SECRETS}
    secrets = {**generate_secrets(), **more, **found.secrets}
    cluster = replace(found, members=_MEMBERS, secrets=secrets)
    for folder, reader in READERS.items():
        _fill(path / folder, reader, secrets)
    write_for(_SERVER_USER, cluster.secrets_file, toml_document(secrets))
    # Nobody else needs these, so they are not among the cluster's.
    _write_once(path / "ca" / "token", generate_token(), AUTHORITY_USER)
    _write_once(path / "ca" / "secret_key", generate_key(), AUTHORITY_USER)
    _write_once(path / "examples.secrets", generate_token(), _SERVER_USER)
    _write_once(path / ADMIN_PASSWORD_FILE, generate_password(), _SERVER_USER)
    # Last, since it is what says that all the rest is there.
    save_cluster(cluster)
    (path / CLUSTER_FILE).chmod(_READABLE_BY_ALL)
    return cluster


def defaults(path: Path) -> list[str]:
    """Create the user, the channel and the administrator that every cluster has; return the names of what was created."""
    cluster = load_cluster(path)
    addresses = tuple(member.addresses["grpc_address"] for member in cluster.servers)
    with Admin(Servers(addresses, cluster.secrets["token"], str(cluster.path), operator_tls(cluster.path))) as admin:
        created = ensure_defaults(cluster, admin)
        # Not printed: what a container prints is in the logs of the machine. It is in its file.
        return [*created, FIRST_ADMIN] if ensure_first_admin(cluster, admin) else created


def _fill(folder: Path, reader: Reader, secrets: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(_FILL)
    for name, content in reader.files(secrets).items():
        write_for(reader.user, folder / name, content)
    folder.chmod(_ENTER)
    give(folder, reader.user)


def _write_once(file: Path, content: str, user: int) -> None:
    if not file.exists():
        write_for(user, file, content)


def write_for(user: int, file: Path, content: str) -> None:
    """Write a file that this user alone may read, in a folder that nobody may write to afterwards."""
    mode = file.parent.stat().st_mode
    file.parent.chmod(mode | _FILL)
    write_secret(file, content)
    file.chmod(_READ)
    give(file, user)
    file.parent.chmod(mode)


def give(path: Path, user: int) -> None:
    """Make it the user's, who alone may read it then. Whoever is not root keeps it."""
    if os.geteuid() == 0:
        os.chown(path, user, user)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m zato.common.quickstart.containers", description=__doc__)
    parser.add_argument("path", type=Path, help="Folder of the cluster")
    try:
        defaults(parser.parse_args().path)
    except (ZatoError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
