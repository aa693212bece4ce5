"""Admin services under the names, and with the fields, that they were published with: over HTTP, and by the command."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.proto.control_plane.v1.control_plane_pb2 import RegisterKindsRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.server.admin.published import OPERATIONS
from zato.server.enmasse.published import SERVICES

from .conftest import TOKEN, Server, StartServer

pytestmark = pytest.mark.redis

ZATO = str(Path(sys.executable).parent / "zato")
PASSWORD = "correct horse battery"
DEFINITIONS = ("definition-amqp", "definition-jms-wmq")


# What connectors bring, as far as the published services tell of it.


@options
class DefinitionOptions:
    """A broker."""

    host: str = option("Host of the broker")
    port: int = option("Its port", default=5672)
    vhost: str = option("Virtual host", default="/")
    username: str = option("User that we log in as", default="guest")
    password: str = option("Password of the user", default="", secret=True)
    frame_max: int = option("Largest frame", default=131072)
    heartbeat: int = option("Seconds without a sign of life", default=10, minimum=2)
    queue_manager: str = option("Queue manager", default="")
    channel: str = option("Channel of it", default="")
    ssl: bool = option("Whether it is encrypted", default=False)


@options
class ChannelOptions:
    """What is taken from a broker."""

    definition: str = option("The broker", reference=DEFINITIONS)
    queue: str = option("The queue")
    consumer_tag_prefix: str = option("Start of the tag", default="zato")
    service: str = option("Service that is invoked", reference="service")
    data_format: str = option("What the body is", default="raw", choices=("raw", "json"))


@options
class OutgoingOptions:
    """What is sent to a broker."""

    definition: str = option("The broker", reference=DEFINITIONS)
    delivery_mode: int = option("Whether messages are kept", default=2)
    priority: int = option("Priority of messages", default=5)
    content_type: str = option("Content type of messages", default="")
    expiration: int = option("Milliseconds that they live", default=0)


@options
class ZMQOptions:
    """A socket."""

    address: tuple[str, ...] = option("Where it is")
    socket_type: str = option("What it is", default="PULL")
    sub_key: str = option("What it wants", default="")
    data_format: str = option("What the body is", default="raw", choices=("raw", "json"))
    service: str = option("Service that is invoked", default="", reference="service")


KINDS = (
    *(Kind(name, f"The {name}", DefinitionOptions) for name in DEFINITIONS),
    *(Kind(f"channel-{name}", f"Channel of {name}", ChannelOptions) for name in ("amqp", "jms-wmq")),
    *(Kind(f"outgoing-{name}", f"Outgoing {name}", OutgoingOptions) for name in ("amqp", "jms-wmq")),
    *(Kind(name, f"The {name}", ZMQOptions) for name in ("channel-zmq", "outgoing-zmq")),
)
HTTP = {"is_internal": False, "sec_tls_ca_cert_id": None, "has_rbac": False, "timeout": 10, "pool_size": 20}

# Of each group: what is created, what a list shows of it, and what is edited then.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "channel.amqp": (
        {
            "def_id": "id of definition.amqp",
            "queue": "q",
            "consumer_tag_prefix": "z",
            "service": "zato.ping",
            "data_format": "",
        },
        {"def_name": "of definition.amqp", "service_name": "zato.ping", "service": "zato.ping", "data_format": "raw"},
        {"queue": "other"},
    ),
    "channel.jms-wmq": (
        {"def_id": "id of definition.jms-wmq", "queue": "q", "service": "zato.ping", "data_format": None},
        {"def_name": "of definition.jms-wmq", "service_name": "zato.ping", "queue": "q"},
        {"queue": "other"},
    ),
    "channel.zmq": (
        {"address": "tcp://127.0.0.1:5555", "socket_type": "SUB", "sub_key": "a", "service": "zato.ping"},
        {"address": "tcp://127.0.0.1:5555", "socket_type": "SUB", "service_name": "zato.ping"},
        {"sub_key": "b"},
    ),
    "outgoing.amqp": (
        {"def_id": "id of definition.amqp", "delivery_mode": 1, "priority": 6, "expiration": "", "content_type": "text/plain"},
        {"def_name": "of definition.amqp", "delivery_mode": 1, "priority": 6, "expiration": 0},
        {"priority": 7},
    ),
    "outgoing.jms-wmq": (
        {"def_id": "id of definition.jms-wmq", "delivery_mode": 1, "priority": 6},
        {"def_name": "of definition.jms-wmq", "priority": 6},
        {"priority": 7},
    ),
    "outgoing.zmq": (
        {"address": "tcp://127.0.0.1:5556", "socket_type": "PUSH"},
        {"address": "tcp://127.0.0.1:5556", "socket_type": "PUSH"},
        {"address": "tcp://127.0.0.1:5557"},
    ),
    "definition.amqp": (
        {"host": "h", "port": 5672, "vhost": "/", "username": "u", "frame_max": 131072, "heartbeat": 0},
        {"host": "h", "port": 5672, "username": "u", "heartbeat": 60},
        {"host": "other"},
    ),
    "definition.jms-wmq": (
        {"host": "h", "port": "1414", "queue_manager": "QM", "channel": "C", "ssl": False},
        {"host": "h", "port": 1414, "queue_manager": "QM", "channel": "C", "ssl": False},
        {"host": "other"},
    ),
    "http-soap": (
        {
            **HTTP,
            "connection": "channel",
            "transport": "plain_http",
            "url_path": "/published",
            "service": "zato.ping",
            "security_id": "id of security.basic-auth",
            "method": "get",
            "soap_action": "",
            "data_format": "json",
            "host": None,
            "merge_url_params_req": True,
            "url_params_pri": "qs-over-path",
        },
        {
            "connection": "channel",
            "transport": "plain_http",
            "url_path": "/published",
            "service_name": "zato.ping",
            "security_name": "of security.basic-auth",
            "sec_type": "basic_auth",
            "method": "GET",
            "data_format": "json",
        },
        {"url_path": "/other", "security_id": "ZATO_NONE"},
    ),
    "generic.connection": (
        {"type_": "outconn-ldap", "server_list": "127.0.0.1:9", "username": "cn=x", "secret": "s"},
        {"type_": "outconn-ldap", "server_list": "ldap://127.0.0.1:9", "username": "cn=x"},
        {"username": "cn=y"},
    ),
    "outgoing.sql": (
        {"engine": "postgresql+pg8000", "host": "127.0.0.1", "port": 9, "db_name": "d", "username": "u", "pool_size": 2},
        {"engine": "postgresql", "host": "127.0.0.1", "port": 9, "db_name": "d", "username": "u", "pool_size": 2},
        {"db_name": "e"},
    ),
    "outgoing.ftp": (
        {"host": "127.0.0.1", "port": 9, "dircache": False, "user": "u", "acct": "a", "timeout": 5},
        {"host": "127.0.0.1", "port": 9, "dircache": False, "user": "u", "acct": "a", "timeout": 5},
        {"user": "v"},
    ),
    "email.smtp": (
        {"host": "127.0.0.1", "port": 9, "timeout": 1, "username": "u", "mode": "plain", "is_debug": False},
        {"host": "127.0.0.1", "port": 9, "username": "u", "mode": "plain", "is_debug": False},
        {"username": "v"},
    ),
    "email.imap": (
        {"host": "127.0.0.1", "port": 9, "timeout": 1, "username": "u", "mode": "plain", "get_criteria": "UNSEEN"},
        {"host": "127.0.0.1", "port": 9, "username": "u", "get_criteria": "UNSEEN"},
        {"username": "v"},
    ),
    "message.json-pointer": ({"value": "/a"}, {"value": "/a"}, {"value": "/b"}),
    "message.namespace": ({"value": "urn:a"}, {"value": "urn:a"}, {"value": "urn:b"}),
    "message.xpath": ({"value": "//a"}, {"value": "//a"}, {"value": "//b"}),
    "security.apikey": ({"username": "X-Key"}, {"username": "X-Key"}, {"username": "X-Other"}),
    "security.aws": ({"username": "u"}, {"username": "u"}, {"username": "v"}),
    "security.basic-auth": ({"username": "u", "realm": "R"}, {"username": "u", "realm": "R"}, {"realm": "S"}),
    "security.jwt": ({"username": "u", "ttl": 60}, {"username": "u", "ttl": 60}, {"ttl": 61}),
    "security.ntlm": ({"username": "d\\u"}, {"username": "d\\u"}, {"username": "d\\v"}),
    "security.oauth": (
        {"username": "u", "proto_version": "OAuth/1.0", "sig_method": "HMAC-SHA1", "max_nonce_log": 5},
        {"username": "u", "proto_version": "OAuth/1.0", "sig_method": "HMAC-SHA1", "max_nonce_log": 0},
        {"sig_method": "PLAINTEXT"},
    ),
    "security.openstack": ({"username": "u"}, {"username": "u"}, {"username": "v"}),
    "security.rbac.role": ({"parent_id": None}, {"parent_id": None}, {}),
    "security.tech-account": ({}, {}, {}),
    "security.tls.channel": ({"value": "CN=billing"}, {"value": "CN=billing"}, {"value": "CN=other"}),
    "security.wss": (
        {
            "username": "u",
            "password_type": "clear",
            "reject_empty_nonce_creat": True,
            "reject_stale_tokens": True,
            "reject_expiry_limit": True,
            "nonce_freshness_time": 100,
        },
        {"username": "u", "password_type": "clear_text", "reject_expiry_limit": 300, "nonce_freshness_time": 100},
        {"nonce_freshness_time": 101},
    ),
    "security.xpath": (
        {"username": "u", "username_expr": "//u", "password_expr": "//p"},
        {"username": "u", "username_expr": "//u", "password_expr": "//p"},
        {"username_expr": "//v"},
    ),
}
# Its value is a secret, which has to be there: no list shows it.
WITHOUT_CASE = {"security.tls.key-cert", "security.rbac.client-role", "security.rbac.role-permission"}
IN_ORDER = sorted(CASES, key=lambda group: (not group.startswith(("definition", "security")), group))


class Published:
    """Calls services as they were published, over HTTP, and keeps the numbers of what is created."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ids: dict[str, int] = {}
        self._headers = {"Authorization": f"Bearer {self._token()}"}

    def _token(self) -> str:
        self.server.admin("zato.account.create", name="ops", role="admin", password=PASSWORD, must_change_password=False)
        basic = {"Authorization": "Basic " + base64.b64encode(f"ops:{PASSWORD}".encode()).decode()}
        body = json.dumps({"name": "tests"}).encode()
        answer = self.server.request("POST", "/zato/json/zato.account.create-token", body, basic)
        token: str = answer.json["zato_account_create_token_response"]["token"]
        return token

    def answer(self, service: str, values: Any) -> Any:
        return self.server.request("POST", f"/zato/json/{service}", json.dumps(values).encode(), self._headers)

    def __call__(self, service: str, /, **values: Any) -> Any:
        answer = self.answer(service, values)
        assert answer.status == 200, (service, answer.body)
        return answer.json[service.replace(".", "_").replace("-", "_") + "_response"]

    def with_ids(self, values: dict[str, Any]) -> dict[str, Any]:
        def id_of(value: Any) -> Any:
            return self.ids[value.removeprefix("id of ")] if str(value).startswith("id of ") else value

        return {name: id_of(value) for name, value in values.items()}


@pytest.fixture(scope="module")
def published(start_server: StartServer) -> Published:
    server = start_server()
    server.wait_until_grpc_serves()
    request = RegisterKindsRequest(part="connector-test", kinds=[kind.describe() for kind in KINDS])
    server.client.call(ControlPlaneStub(server.client.channel).RegisterKinds, request, timeout_s=20)
    server.wait_until_applied()
    return Published(server)


def test_every_group_has_a_case() -> None:
    assert CASES.keys() == SERVICES.keys() - WITHOUT_CASE


@pytest.mark.parametrize("group", IN_ORDER)
def test_objects_are_created_listed_and_edited_with_published_fields(published: Published, group: str) -> None:
    given, shown, changed = CASES[group]
    keys = {key: given[key] for key in SERVICES[group].keys}
    name = f"of {group}"
    made = published(f"zato.{group}.create", cluster_id=1, name=name, is_active=True, **published.with_ids(given))
    assert made.keys() == {"id", "name"} and made["name"] == name
    published.ids[group] = made["id"]

    wanted = {"id": made["id"], "name": name, "is_active": True, **shown}
    (listed,) = published(f"zato.{group}.get-list", cluster_id=1, query=name, **keys)
    assert {key: listed[key] for key in wanted} == wanted
    by_id = published(f"zato.{group}.get-by-id", id=made["id"], cluster_id=1)
    assert {key: by_id[key] for key in wanted} == wanted

    edited = published(f"zato.{group}.edit", cluster_id=1, id=str(made["id"]), name=f"{name} too", is_active="false", **changed)
    assert edited == {"id": made["id"], "name": f"{name} too"}
    after = published(f"zato.{group}.get-by-id", id=made["id"])
    assert after["name"] == f"{name} too" and after["is_active"] is False
    for field, value in changed.items():
        assert after[field] == (None if field == "security_id" else value)
    published(f"zato.{group}.edit", id=made["id"], name=name, is_active=True)


@pytest.mark.parametrize("group", ["security.basic-auth", "security.apikey", "outgoing.sql", "definition.amqp", "email.imap"])
def test_passwords_are_given_twice(published: Published, group: str) -> None:
    id = published.ids[group]
    answer = published.answer(f"zato.{group}.change-password", {"id": id, "password1": "a", "password2": "b"})
    assert answer.status == 400 and "password1" in answer.json["zato_env"]["details"]
    assert published(f"zato.{group}.change-password", id=id, password1="new", password2="new") == {}


def test_roles_of_callers_are_given_by_numbers_and_definitions(published: Published) -> None:
    rbac, role_id = "zato.security.rbac", published.ids["security.rbac.role"]
    child = published(f"{rbac}.role.create", cluster_id=1, name="child", parent_id=role_id)
    (shown,) = published(f"{rbac}.role.get-list", query="child")
    assert (shown["parent_id"], shown["parent_name"]) == (role_id, "of security.rbac.role")

    client = {"client_name": "of security.basic-auth", "client_def": "sec_def:::basic_auth:::of security.basic-auth"}
    assert client in published(f"{rbac}.client-role.get-client-def-list", cluster_id=1)
    given = published(f"{rbac}.client-role.create", cluster_id=1, role_id=child["id"], client_def=client["client_def"])
    (shown,) = published(f"{rbac}.client-role.get-list", cluster_id=1)
    wanted = {"id": given["id"], "role_id": child["id"], "role_name": "child", **client}
    assert {name: shown[name] for name in wanted} == wanted

    permissions = {each["name"]: each["id"] for each in published(f"{rbac}.permission.get-list", cluster_id=1)}
    ping = published("zato.service.get-by-name", cluster_id=1, name="zato.ping")
    may = {"role_id": child["id"], "service_id": ping["id"], "perm_id": permissions["Read"]}
    allowed = published(f"{rbac}.role-permission.create", cluster_id=1, **may)
    assert allowed["name"] == "child:zato.ping:Read"
    (shown,) = published(f"{rbac}.role-permission.get-list", cluster_id=1)
    wanted = {"id": allowed["id"], **may, "role_name": "child", "service_name": "zato.ping", "perm_name": "Read"}
    assert {name: shown[name] for name in wanted} == wanted
    answer = published.answer(f"{rbac}.role-permission.create", {**may, "perm_id": 9})
    assert answer.status == 400 and "'perm_id'" in answer.json["zato_env"]["details"]
    for group, made in (("role-permission", allowed), ("client-role", given), ("role", child)):
        assert published(f"{rbac}.{group}.delete", cluster_id=1, id=made["id"]) == {}


def test_lists_of_one_table_are_told_apart(published: Published) -> None:
    soap = {"connection": "channel", "transport": "soap", "url_path": "/s", "soap_action": "a", "soap_version": "1.2"}
    out = {"connection": "outgoing", "transport": "plain_http", "host": "http://127.0.0.1:9", "url_path": "/", "timeout": 0.5}
    published(
        "zato.http-soap.create", name="s", is_active=True, service="zato.ping", method="", **soap, **HTTP | {"timeout": 1}
    )
    published("zato.http-soap.create", name="o", is_active=True, service="", **{**HTTP, **out}, ping_method="head")
    for connection, transport, names in (
        ("channel", "soap", {"s"}),
        ("outgoing", "plain_http", {"o"}),
        ("outgoing", "", {"o"}),
        ("", "", {"s", "o", "of http-soap"}),
    ):
        found = published("zato.http-soap.get-list", cluster_id=1, connection=connection, transport=transport)
        assert {each["name"] for each in found} == names
    answer = published.answer("zato.http-soap.create", {"name": "x", "connection": "channel", "transport": "pigeon"})
    assert answer.status == 400 and "'transport' soap" in answer.json["zato_env"]["details"]


def test_a_ping_that_fails_says_why_and_one_that_does_not_says_how_long_it_took(published: Published, tmp_path: Path) -> None:
    (found,) = published("zato.http-soap.get-list", connection="outgoing", transport="plain_http")
    answer = published.answer("zato.http-soap.ping", {"id": found["id"]})
    assert answer.status == 503 and "nobody listens there" in answer.json["zato_env"]["details"]
    made = published("zato.outgoing.sql.create", name="lite", is_active=True, engine="sqlite", db_name=str(tmp_path / "x.db"))
    published.server.wait_until_applied()
    assert 0 <= published("zato.outgoing.sql.ping", id=made["id"])["response_time"] < 60


@pytest.mark.parametrize(
    ("service", "values", "status", "says"),
    [
        ("zato.outgoing.sql.create", {"name": "n", "engine": "dbase", "db_name": "d"}, 400, "'engine'"),
        ("zato.outgoing.amqp.create", {"name": "n", "def_id": 999_999}, 400, "'def_id' has to be the number of one of"),
        ("zato.outgoing.amqp.create", {"name": "n", "def_id": "seven"}, 400, "'def_id' takes a whole number"),
        ("zato.security.basic-auth.create", {"name": "n", "username": "n", "is_active": "perhaps"}, 400, "'is_active'"),
        ("zato.security.basic-auth.create", {"name": "n", "username": "n", "colour": "red"}, 400, "colour"),
        ("zato.security.basic-auth.delete", {"id": 999_999}, 404, "999999"),
        ("zato.http-soap.delete", {"id": 999_999}, 404, "999999"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_published_name(
    published: Published, service: str, values: dict[str, Any], status: int, says: str
) -> None:
    answer = published.answer(service, values)
    assert answer.status == status and says in answer.json["zato_env"]["details"], answer.body


def test_the_audit_log_has_the_name_that_was_used(published: Published) -> None:
    entries = published("zato.audit-log.get-list", name="of security.jwt", action="create")["data"]
    assert [(each["who"], each["service"], each["kind"]) for each in entries] == [
        ("ops", "zato.security.jwt.create", "security-jwt")
    ]


def test_whoever_may_not_use_the_service_may_not_use_its_published_name(published: Published) -> None:
    document = published.server.admin("zato.openapi.get", document="admin")
    by_name = {each["post"]["operationId"]: each["post"] for each in document["paths"].values()}
    aliases = {name: each["x-zato-role"] for each in by_name.values() for name in each.get("x-zato-aliases", ())}
    assert len(aliases) > 150 and not aliases.keys() & by_name.keys()
    published.server.admin("zato.account.create", name="sees", role="viewer", password=PASSWORD, must_change_password=False)
    basic = {"Authorization": "Basic " + base64.b64encode(f"sees:{PASSWORD}".encode()).decode()}
    made = published.server.request("POST", "/zato/json/zato.account.create-token", b'{"name": "t"}', basic).json
    viewer = {"Authorization": f"Bearer {made['zato_account_create_token_response']['token']}"}
    for name, role in aliases.items():
        answer = published.server.request("POST", f"/zato/json/{name}", b"{}", viewer)
        assert (answer.status == 403) == (role != "viewer"), name
        assert role != "viewer" or name.endswith(("get-list", "get-by-id")), name
    assert {name.rpartition(".")[2] for name in aliases} == OPERATIONS.keys()


def test_the_command_invokes_them_too(published: Published, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)

    def zato(*words: str) -> Any:
        command = [ZATO, "--json", "service", "invoke", *words]
        where = ["--server", f"127.0.0.1:{published.server.grpc_port}", "--token-file", "token"]
        environ = {**os.environ, "NO_COLOR": "1"}
        done = subprocess.run(
            [*command, *where], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    found = zato("zato.message.xpath.get-list", "--payload", '{"cluster_id": 1}')
    assert [each["name"] for each in found] == ["of message.xpath"]
    assert zato("zato.ping2") == {"pong": "zato"}


@pytest.mark.parametrize("group", IN_ORDER[::-1])
def test_objects_are_deleted_by_their_number(published: Published, group: str) -> None:
    id, name = published.ids[group], f"of {group}"
    deleted = published(f"zato.{group}.delete", id=id, cluster_id=1)
    assert deleted == ({"id": id, "name": name} if SERVICES[group].tells_deleted else {})
    assert published.answer(f"zato.{group}.get-by-id", {"id": id}).status == 404
