"""
How 2.0 and 3.x name what is configured, in files and in the services that manage it. Facts only, as tables: who reads them are
`zato.server.enmasse.wanted` and `zato.server.admin.published`.

A key of a file without a row here, and a type without one, is reported and skipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.server.enmasse import values

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """Their names for another object: of its number, which services take and show, and of its name, which lists show."""

    number: str
    name: str


@dataclass(frozen=True, slots=True)
class PublishedKind:
    """
    Args:
        kind: Ours.
        options: Their name of an option → ours. What is not there is called the same.
        converts: Our option → what makes its value of theirs.
        defaults: What a file means that leaves an option out, where ours differs.
        meaningless: Options that say nothing here, beside those of `_MEANINGLESS`; left out silently.
        references: Our option that names another object → how their services do.
        names: Our option → their name of it in lists, where that is another one.
        shows: Our option → what makes of our value the one that they show.
        constants: What they show that has no counterpart here.
        derives: Their field → what makes it of the rest of what they show.
        named_by: Our options of whose values a name is made, where theirs have none.
    """

    kind: str
    options: Mapping[str, str] = field(default_factory=dict)
    converts: Mapping[str, Convert] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    meaningless: frozenset[str] = frozenset()
    references: Mapping[str, Reference] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    shows: Mapping[str, Convert] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    derives: Mapping[str, Convert] = field(default_factory=dict)
    named_by: tuple[str, ...] = ()

    def is_meaningless(self, option: str) -> bool:
        return option in _MEANINGLESS or option in self.meaningless


@dataclass(frozen=True, slots=True)
class ByType:
    """A section whose objects say themselves which kind they are of, in one of the options `keys`."""

    keys: tuple[str, ...]
    kinds: Mapping[str, PublishedKind | str]


@dataclass(frozen=True, slots=True)
class PublishedServices:
    """
    Services `zato.<group>.create` and so on, for objects of one kind or of several.

    Args:
        kinds: By what the input says in `keys`; the one there is by ().
        tells_deleted: Whether their `delete` answers with what was deleted.
        pinged: What their `ping` answers with: `info`, a text, or `response_time`, in seconds.
        left_out: Fields that say nothing here, beside those of the kinds.
        shared: Fields of the one table that all of the kinds were in: of each, those of the others say nothing.
    """

    kinds: Mapping[tuple[str, ...], PublishedKind]
    keys: tuple[str, ...] = ()
    tells_deleted: bool = False
    pinged: str = "info"
    left_out: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()


# Numbers and flags of another ODB, and what the section itself says already.
_MEANINGLESS = frozenset(
    {
        "id",
        "cluster_id",
        "cluster_name",
        "connection",
        "def_id",
        "has_rbac_group",
        "is_channel",
        "is_internal",
        "is_outconn",
        "opaque1",
        "old_name",
        "sec_type",
        "security_id",
        "service_id",
        "transport",
        "type_",
    }
)

_SECURITY_NAMES = {"sec_def": "security", "security_name": "security", "security_def": "security"}
_SECURITY = {"security": values.security}
_SERVICE_REFERENCE = {"service": Reference("service_id", "service_name")}
_SECURITY_REFERENCE = {"security": Reference("security_id", "security_name")}
_CHANNEL_REFERENCES = _SERVICE_REFERENCE | _SECURITY_REFERENCE
_DEFINITION_REFERENCE = {"definition": Reference("def_id", "def_name")}
_MESSAGE_REFERENCES = _SERVICE_REFERENCE | _DEFINITION_REFERENCE

# Their names of the secret are many; `password` is ours too.
_BASIC_AUTH = PublishedKind("security-basic-auth", meaningless=frozenset({"type"}))
_BEARER_TOKEN = PublishedKind(
    "security-bearer-token",
    options={"auth_endpoint": "auth_server_url", "secret": "password"},
    converts={"auth_server_url": values.https_address, "extra_fields": values.lines, "scopes": values.lines},
    meaningless=frozenset({"type"}),
)
_API_KEY = PublishedKind("security-api-key", {"password": "key"}, meaningless=frozenset({"type", "username"}))
# In 2.0 the header of a key was its user name.
_API_KEY_OF_2 = PublishedKind(
    "security-api-key", {"password": "key", "username": "header"}, meaningless=frozenset({"type"}), names={"header": "username"}
)
_WITHOUT_TYPE = frozenset({"type"})

_WSS = PublishedKind(
    "security-wss",
    converts={"password_type": values.password_type, "reject_expiry_limit": values.seconds},
    meaningless=_WITHOUT_TYPE,
)

_SECURITY_TYPES: Mapping[str, PublishedKind | str] = {
    "apikey": _API_KEY,
    "aws": PublishedKind("security-aws", meaningless=_WITHOUT_TYPE),
    "basic_auth": _BASIC_AUTH,
    "bearer_token": _BEARER_TOKEN,
    "jwt": PublishedKind("security-jwt", meaningless=_WITHOUT_TYPE),
    "ntlm": PublishedKind("security-ntlm", meaningless=_WITHOUT_TYPE),
    "oauth": PublishedKind(
        "security-oauth",
        meaningless=_WITHOUT_TYPE | {"max_nonce_log", "proto_version"},
        constants={"max_nonce_log": 0, "proto_version": "OAuth/1.0"},
    ),
    "openstack": PublishedKind("security-openstack", meaningless=_WITHOUT_TYPE),
    "tech_acc": PublishedKind("security-tech-account", meaningless=_WITHOUT_TYPE | {"salt", "username"}),
    "tls_channel_sec": PublishedKind("security-tls-channel", meaningless=_WITHOUT_TYPE | {"username"}),
    "tls_key_cert": PublishedKind("security-tls-key-cert", meaningless=_WITHOUT_TYPE | {"info", "username"}),
    "vault_conn_sec": "Vault as a security definition",
    "wss": _WSS,
    "xpath_sec": PublishedKind("security-xpath", meaningless=_WITHOUT_TYPE),
}

_REST_CHANNEL = PublishedKind("channel-http", _SECURITY_NAMES, {**_SECURITY, "method": values.upper})
_PLAIN_CHANNEL = PublishedKind(
    "channel-http",
    _SECURITY_NAMES,
    {**_SECURITY, "method": values.upper},
    defaults={"data_format": ""},
    references=_CHANNEL_REFERENCES,
)
_SOAP_CHANNEL = PublishedKind(
    "channel-soap",
    _SECURITY_NAMES,
    {**_SECURITY, "soap_version": values.version},
    meaningless=frozenset({"data_format", "method"}),
    references=_CHANNEL_REFERENCES,
)
_REST_OUTGOING = PublishedKind(
    "outgoing-http",
    {**_SECURITY_NAMES, "validate_tls": "tls_verify"},
    {**_SECURITY, "ping_method": values.upper},
    meaningless=frozenset({"method", "soap_action", "soap_version", "serialization_type"}),
    references=_SECURITY_REFERENCE,
)
_SOAP_OUTGOING = PublishedKind(
    "outgoing-soap",
    {**_SECURITY_NAMES, "validate_tls": "tls_verify"},
    {**_SECURITY, "ping_method": values.upper, "soap_version": values.version},
    meaningless=frozenset({"method", "serialization_type"}),
    constants={"serialization_type": "string"},
    references=_SECURITY_REFERENCE,
)
_SQL = PublishedKind(
    "outgoing-sql", {"type": "engine", "database": "db_name"}, {"engine": values.engine, "extra": values.lines}
)
_LDAP = PublishedKind("outgoing-ldap", {"secret": "password"}, {"server_list": values.ldap_servers})
_SFTP = PublishedKind("outgoing-sftp", {"secret": "password"})
_FTP = PublishedKind(
    "outgoing-ftp",
    {"user": "username", "acct": "account"},
    meaningless=frozenset({"dircache"}),
    names={"username": "user", "account": "acct"},
    constants={"dircache": False},
)
_SMTP = PublishedKind("outgoing-smtp")
_IMAP = PublishedKind("outgoing-imap", converts={"get_criteria": values.lines}, meaningless=frozenset({"server_type"}))
_JOB = PublishedKind("scheduler-job", defaults={"job_type": "interval_based"})
_DEFINITION_NAME = {"def_name": "definition"}
_MESSAGE_NAMES = {**_DEFINITION_NAME, "service_name": "service"}
_MESSAGE_FORMAT = {"data_format": values.message_format}
_EXPIRATION = {"expiration": values.whole_number}
_AMQP_DEFINITION = PublishedKind("definition-amqp", converts={"heartbeat": values.heartbeat})
_AMQP_CHANNEL = PublishedKind("channel-amqp", _MESSAGE_NAMES, _MESSAGE_FORMAT, references=_MESSAGE_REFERENCES)
_AMQP_OUTGOING = PublishedKind(
    "outgoing-amqp",
    _DEFINITION_NAME,
    _EXPIRATION,
    meaningless=frozenset({"pool_size"}),
    references=_DEFINITION_REFERENCE,
)
_MQ_DEFINITION = PublishedKind("definition-jms-wmq")
_MQ_CHANNEL = PublishedKind("channel-jms-wmq", _MESSAGE_NAMES, _MESSAGE_FORMAT, references=_MESSAGE_REFERENCES)
_MQ_OUTGOING = PublishedKind("outgoing-jms-wmq", _DEFINITION_NAME, _EXPIRATION, references=_DEFINITION_REFERENCE)
_ZMQ_CHANNEL = PublishedKind(
    "channel-zmq",
    {"service_name": "service"},
    {"address": values.addresses, "data_format": values.message_format},
    references=_SERVICE_REFERENCE,
    shows={"address": values.with_commas},
    meaningless=frozenset({"service_source"}),
)
_ZMQ_OUTGOING = PublishedKind("outgoing-zmq", converts={"address": values.addresses}, shows={"address": values.with_commas})

_ROLE_REFERENCE = {"role": Reference("role_id", "role_name")}
_RBAC_ROLE = PublishedKind("security-rbac-role", references={"parent": Reference("parent_id", "parent_name")})
_RBAC_CLIENT_ROLE = PublishedKind(
    "security-rbac-client-role",
    {"client_def": "client"},
    {"client": values.client_of},
    references=_ROLE_REFERENCE | {"client": Reference("client_id", "client_name")},
    derives={"client_def": values.client_definition},
    named_by=("client", "role"),
)
_RBAC_ROLE_PERMISSION = PublishedKind(
    "security-rbac-role-permission",
    {"perm_id": "permission"},
    {"permission": values.permission},
    references=_ROLE_REFERENCE | _SERVICE_REFERENCE,
    names={"permission": "perm_name"},
    derives={"perm_id": values.permission_number},
    named_by=("role", "service", "permission"),
)

# What files for 2.0 and 3.x have at their top → our kind, or what it is that has none here yet.
SECTIONS: Mapping[str, PublishedKind | ByType | str] = {
    "security": ByType(("type", "sec_type"), _SECURITY_TYPES),
    "def_sec": ByType(("type", "sec_type"), {**_SECURITY_TYPES, "apikey": _API_KEY_OF_2}),
    "channel_rest": _REST_CHANNEL,
    "channel_plain_http": _PLAIN_CHANNEL,
    "channel_soap": _SOAP_CHANNEL,
    "outgoing_rest": _REST_OUTGOING,
    "outconn_rest": _REST_OUTGOING,
    "outconn_plain_http": _REST_OUTGOING,
    "outgoing_soap": _SOAP_OUTGOING,
    "outconn_soap": _SOAP_OUTGOING,
    "outgoing_sql": _SQL,
    "outconn_sql": _SQL,
    "sql": _SQL,
    "outgoing_ldap": _LDAP,
    "outconn_ldap": _LDAP,
    "ldap": _LDAP,
    "outgoing_ftp": _FTP,
    "outconn_ftp": _FTP,
    "outgoing_sftp": _SFTP,
    "outconn_sftp": _SFTP,
    "email_smtp": _SMTP,
    "email_imap": _IMAP,
    "scheduler": _JOB,
    "def_amqp": _AMQP_DEFINITION,
    "channel_amqp": _AMQP_CHANNEL,
    "outconn_amqp": _AMQP_OUTGOING,
    "outgoing_amqp": _AMQP_OUTGOING,
    "def_jms_wmq": _MQ_DEFINITION,
    "channel_jms_wmq": _MQ_CHANNEL,
    "outconn_jms_wmq": _MQ_OUTGOING,
    "outgoing_jms_wmq": _MQ_OUTGOING,
    "channel_zmq": _ZMQ_CHANNEL,
    "outconn_zmq": _ZMQ_OUTGOING,
    "outgoing_zmq": _ZMQ_OUTGOING,
    "zato_generic_connection": ByType(("type_",), {"outconn-ldap": _LDAP, "outconn-sftp": _SFTP}),
    **{
        section: what
        for what, sections in {
            "caches that are configured": ("cache", "cache_builtin", "cache_memcached"),
            "Cassandra": ("def_cassandra", "query_cassandra"),
            "clouds": ("cloud_aws_s3", "cloud_openstack_swift", "microsoft_365"),
            "Jira and Confluence": ("jira", "confluence"),
            "Odoo": ("odoo", "outconn_odoo"),
            "SAP": ("outconn_sap",),
            "Redis connections": ("outconn_redis", "outgoing_redis"),
            "search engines": ("elastic_search", "search_es", "search_solr", "outconn_es"),
            "publish/subscribe": (
                "pubsub_endpoint",
                "pubsub_permission",
                "pubsub_subscription",
                "pubsub_topic",
            ),
            "notifications": ("notif_sql", "notif_cloud_openstack_swift"),
            "security groups": ("groups",),
            "roles of other releases": ("rbac_role", "rbac_client_role", "rbac_role_permission", "rbac_permission"),
            "WebSockets": ("web_socket", "channel_web_socket", "outconn_wsx"),
            "HL7": ("channel_hl7_mllp", "outgoing_hl7_mllp", "outgoing_fhir"),
            "OpenAPI channels": ("channel_openapi",),
            "JSON-RPC": ("json_rpc",),
            "Vault": ("vault_connection",),
        }.items()
        for section in sections
    },
}


def _one(kind: PublishedKind | str, **more: Any) -> PublishedServices:
    assert isinstance(kind, PublishedKind)
    return PublishedServices({(): kind}, **more)


# What is between "zato." and the name of the operation → what it is about.
SERVICES: Mapping[str, PublishedServices] = {
    "http-soap": PublishedServices(
        {
            ("channel", "plain_http"): _PLAIN_CHANNEL,
            ("channel", "soap"): _SOAP_CHANNEL,
            ("outgoing", "plain_http"): _REST_OUTGOING,
            ("outgoing", "soap"): _SOAP_OUTGOING,
        },
        keys=("connection", "transport"),
        left_out=frozenset({"sec_tls_ca_cert_id", "serialization_type"}),
        shared=frozenset(
            {
                "content_type",
                "has_rbac",
                "host",
                "merge_url_params_req",
                "method",
                "params_pri",
                "ping_method",
                "pool_size",
                "service",
                "soap_action",
                "soap_version",
                "timeout",
                "url_params_pri",
            }
        ),
    ),
    "generic.connection": PublishedServices({("outconn-ldap",): _LDAP, ("outconn-sftp",): _SFTP}, keys=("type_",)),
    "definition.amqp": _one(_AMQP_DEFINITION),
    "channel.amqp": _one(_AMQP_CHANNEL),
    "outgoing.amqp": _one(_AMQP_OUTGOING),
    "definition.jms-wmq": _one(_MQ_DEFINITION),
    "channel.jms-wmq": _one(_MQ_CHANNEL),
    "outgoing.jms-wmq": _one(_MQ_OUTGOING),
    "channel.zmq": _one(_ZMQ_CHANNEL),
    "outgoing.zmq": _one(_ZMQ_OUTGOING),
    "outgoing.sql": _one(_SQL, pinged="response_time"),
    "outgoing.ftp": _one(_FTP, tells_deleted=True),
    "email.smtp": _one(_SMTP),
    "email.imap": _one(_IMAP),
    "message.json-pointer": _one(PublishedKind("message-json-pointer")),
    "message.namespace": _one(PublishedKind("message-namespace")),
    "message.xpath": _one(PublishedKind("message-xpath")),
    "security.apikey": _one(_API_KEY_OF_2),
    "security.aws": _one(_SECURITY_TYPES["aws"]),
    "security.basic-auth": _one(_BASIC_AUTH),
    "security.jwt": _one(_SECURITY_TYPES["jwt"]),
    "security.ntlm": _one(_SECURITY_TYPES["ntlm"]),
    "security.oauth": _one(_SECURITY_TYPES["oauth"]),
    "security.openstack": _one(_SECURITY_TYPES["openstack"]),
    "security.rbac.client-role": _one(_RBAC_CLIENT_ROLE),
    "security.rbac.role": _one(_RBAC_ROLE),
    "security.rbac.role-permission": _one(_RBAC_ROLE_PERMISSION),
    "security.tech-account": _one(_SECURITY_TYPES["tech_acc"]),
    "security.tls.channel": _one(_SECURITY_TYPES["tls_channel_sec"]),
    "security.tls.key-cert": _one(_SECURITY_TYPES["tls_key_cert"]),
    "security.wss": _one(_SECURITY_TYPES["wss"]),
    "security.xpath": _one(_SECURITY_TYPES["xpath_sec"]),
}
