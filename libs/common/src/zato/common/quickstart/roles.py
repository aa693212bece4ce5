"""
Which parts a quickstart cluster has, and how they are wired to each other. A new part is a new row of `ROLES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zato.common.rpc.roles import CONNECTOR, LB_AGENT, SCHEDULER, SERVER, WEBADMIN

HOST = "127.0.0.1"
PUBAPI_USER = "pubapi"
AUTHORITY = "ca"
# Of a part's certificate, in the part's folder.
IDENTITY_FOLDER = "identity"


@dataclass(frozen=True)
class Member:
    """One part of a cluster. `addresses` has a host:port by the name of the setting, e.g. "http_address"."""

    name: str
    part: str
    addresses: Mapping[str, str]


@dataclass(frozen=True)
class Wiring:
    """What a role may use to make settings: where everything is, and the cluster's secrets."""

    path: Path
    cluster: str
    members: tuple[Member, ...]
    secrets: Mapping[str, str]

    def address(self, part: str, setting: str) -> str:
        """Return the address of the first member that is such a part."""
        return self.addresses(part, setting)[0]

    def addresses(self, part: str, setting: str) -> tuple[str, ...]:
        """Return the addresses of all members that are such a part."""
        return tuple(member.addresses[setting] for member in self.members if member.part == part)

    @property
    def has_authority(self) -> bool:
        """Whether parts have certificates. Clusters of earlier releases have none."""
        return any(member.part == AUTHORITY for member in self.members)

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.secrets['redis_password']}@{self.address('redis', 'address')}/0"

    @property
    def odb_url(self) -> str:
        return f"sqlite:///{self.path / 'odb.db'}"


@dataclass(frozen=True)
class Role:
    """
    Args:
        ports: The preferred port by the name of the setting that takes the address.
        settings: What else the cluster decides, secrets included. The rest keeps its defaults and may be edited.
        stage: Parts of a stage start together, after those of earlier stages.
        is_many: There can be several, named with a number: "server1", "server2".
        certificate: Its role towards the others, see `zato.common.rpc.roles`; "" for what speaks no gRPC, or has its own.
        is_optional: A new cluster does without it where it is not installed.
        is_extra: A new cluster does without it unless it is asked for.
        is_door: Clients come in through it. It stops first, so that requests which are on their way find all the rest.
    """

    part: str
    ports: Mapping[str, int]
    settings: Callable[[Wiring, Member], Mapping[str, object]]
    stage: int = 1
    is_many: bool = False
    certificate: str = ""
    is_optional: bool = False
    is_extra: bool = False
    is_door: bool = False


def _redis(wiring: Wiring, _member: Member) -> Mapping[str, object]:
    return {"password": wiring.secrets["redis_password"]}


def _lb_agent(wiring: Wiring, _member: Member) -> Mapping[str, object]:
    return {"token": wiring.secrets["token"], "stats_password": wiring.secrets["stats_password"]}


def _server(wiring: Wiring, member: Member) -> Mapping[str, object]:
    return {
        "name": member.name,
        "cluster": wiring.cluster,
        "odb_url": wiring.odb_url,
        "redis_url": wiring.redis_url,
        "lb_agent_address": wiring.address("lb-agent", "grpc_address"),
        "token": wiring.secrets["token"],
        "secret_key": wiring.secrets["secret_key"],
        # Of those that the cluster has: clusters of earlier releases have none.
        **{
            f"{part.replace('-', '_')}_addresses": list(addresses)
            for part in ("connector-amqp", "connector-zmq", "connector-mq")
            if (addresses := wiring.addresses(part, "grpc_address"))
        },
    }


def _follower(wiring: Wiring, member: Member) -> Mapping[str, object]:
    return {
        "name": member.name,
        # As it is read back from the settings: no tuple, or it would look changed at each start.
        "server_addresses": list(wiring.addresses("server", "grpc_address")),
        "token": wiring.secrets["token"],
    }


def _keeper(wiring: Wiring, member: Member) -> Mapping[str, object]:
    """Of a connector that keeps dead letters itself, its protocol having no broker for them."""
    return {**_follower(wiring, member), "redis_url": wiring.redis_url}


def _webadmin(wiring: Wiring, member: Member) -> Mapping[str, object]:
    return {
        "name": member.name,
        "cluster": wiring.cluster,
        "server_addresses": list(wiring.addresses("server", "grpc_address")),
        "lb_agent_address": wiring.address("lb-agent", "grpc_address"),
        "scheduler_addresses": list(wiring.addresses("scheduler", "grpc_address")),
        "redis_url": wiring.redis_url,
        "token": wiring.secrets["token"],
    }


def _authority(_wiring: Wiring, _member: Member) -> Mapping[str, object]:
    return {}


def trust_settings(wiring: Wiring, member: Member) -> Mapping[str, object]:
    """Return what tells a member where its certificate is and who renews it; nothing in a cluster without an authority."""
    if not wiring.has_authority or not role_of(member.part).certificate:
        return {}
    return {"identity_folder": IDENTITY_FOLDER, "ca_address": wiring.address(AUTHORITY, "grpc_address")}


ROLES = (
    Role("redis", {"address": 16379}, _redis, stage=0),
    Role(
        AUTHORITY,
        {"grpc_address": 20160, "enrol_address": 20161, "http_address": 20162},
        _authority,
        stage=0,
        is_optional=True,
    ),
    Role("lb-agent", {"frontend_address": 11223, "grpc_address": 20151}, _lb_agent, certificate=LB_AGENT, is_door=True),
    Role("server", {"http_address": 17010, "grpc_address": 17110}, _server, certificate=SERVER, is_many=True),
    Role("scheduler", {"grpc_address": 31530}, _follower, certificate=SCHEDULER),
    Role("webadmin", {"http_address": 8183}, _webadmin, certificate=WEBADMIN, is_optional=True),
    Role("connector-amqp", {"grpc_address": 31531}, _follower, certificate=CONNECTOR, is_extra=True),
    Role("connector-zmq", {"grpc_address": 31532}, _keeper, certificate=CONNECTOR, is_extra=True),
    Role("connector-mq", {"grpc_address": 31533}, _follower, certificate=CONNECTOR, is_extra=True),
)


EXTRAS = tuple(role.part for role in ROLES if role.is_extra)


def role_of(part: str) -> Role:
    return next(role for role in ROLES if role.part == part)
