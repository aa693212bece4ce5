"""
How files written for 2.0 and 3.x name what is configured. Facts only, as tables: who reads them is `wanted`.

A key without a row here, and a type without one, is reported and skipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.server.enmasse import values

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class PublishedKind:
    """
    Args:
        kind: Ours.
        options: Their name of an option → ours. What is not there is called the same.
        converts: Our option → what makes its value of theirs.
        defaults: What a file means that leaves an option out, where ours differs.
        meaningless: Options that say nothing here, beside those of `_MEANINGLESS`; left out silently.
    """

    kind: str
    options: Mapping[str, str] = field(default_factory=dict)
    converts: Mapping[str, Convert] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    meaningless: frozenset[str] = frozenset()

    def is_meaningless(self, option: str) -> bool:
        return option in _MEANINGLESS or option in self.meaningless


@dataclass(frozen=True, slots=True)
class ByType:
    """A section whose objects say themselves which kind they are of, in one of the options `keys`."""

    keys: tuple[str, ...]
    kinds: Mapping[str, PublishedKind | str]


# Numbers and flags of another ODB, and what the section itself says already.
_MEANINGLESS = frozenset(
    {
        "id",
        "cluster_id",
        "cluster_name",
        "connection",
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
_API_KEY_OF_2 = PublishedKind("security-api-key", {"password": "key", "username": "header"}, meaningless=frozenset({"type"}))
_WITHOUT_TYPE = frozenset({"type"})

_SECURITY_TYPES: Mapping[str, PublishedKind | str] = {
    "apikey": _API_KEY,
    "aws": PublishedKind("security-aws", meaningless=_WITHOUT_TYPE),
    "basic_auth": _BASIC_AUTH,
    "bearer_token": _BEARER_TOKEN,
    "jwt": PublishedKind("security-jwt", meaningless=_WITHOUT_TYPE),
    "ntlm": PublishedKind("security-ntlm", meaningless=_WITHOUT_TYPE),
    "oauth": PublishedKind("security-oauth", meaningless=_WITHOUT_TYPE | {"max_nonce_log", "proto_version"}),
    "openstack": PublishedKind("security-openstack", meaningless=_WITHOUT_TYPE),
    "tech_acc": PublishedKind("security-tech-account", meaningless=_WITHOUT_TYPE | {"salt", "username"}),
    "tls_channel_sec": PublishedKind("security-tls-channel", meaningless=_WITHOUT_TYPE | {"username"}),
    "tls_key_cert": PublishedKind("security-tls-key-cert", meaningless=_WITHOUT_TYPE | {"info", "username"}),
    "vault_conn_sec": "Vault as a security definition",
    "wss": PublishedKind("security-wss", converts={"password_type": values.password_type}, meaningless=_WITHOUT_TYPE),
    "xpath_sec": PublishedKind("security-xpath", meaningless=_WITHOUT_TYPE),
}

_REST_CHANNEL = PublishedKind("channel-http", _SECURITY_NAMES, {**_SECURITY, "method": values.upper})
_PLAIN_CHANNEL = PublishedKind(
    "channel-http", _SECURITY_NAMES, {**_SECURITY, "method": values.upper}, defaults={"data_format": ""}
)
_SOAP_CHANNEL = PublishedKind(
    "channel-soap",
    _SECURITY_NAMES,
    {**_SECURITY, "soap_version": values.version},
    meaningless=frozenset({"data_format", "method"}),
)
_REST_OUTGOING = PublishedKind(
    "outgoing-http",
    {**_SECURITY_NAMES, "validate_tls": "tls_verify"},
    {**_SECURITY, "ping_method": values.upper},
    meaningless=frozenset({"method", "soap_action", "soap_version", "serialization_type"}),
)
_SOAP_OUTGOING = PublishedKind(
    "outgoing-soap",
    {**_SECURITY_NAMES, "validate_tls": "tls_verify"},
    {**_SECURITY, "ping_method": values.upper, "soap_version": values.version},
    meaningless=frozenset({"method", "serialization_type"}),
)
_SQL = PublishedKind(
    "outgoing-sql", {"type": "engine", "database": "db_name"}, {"engine": values.engine, "extra": values.lines}
)
_LDAP = PublishedKind("outgoing-ldap", {"secret": "password"}, {"server_list": values.ldap_servers})
_SFTP = PublishedKind("outgoing-sftp", {"secret": "password"})
_FTP = PublishedKind("outgoing-ftp", {"user": "username", "acct": "account"}, meaningless=frozenset({"dircache"}))
_SMTP = PublishedKind("outgoing-smtp")
_IMAP = PublishedKind("outgoing-imap", converts={"get_criteria": values.lines}, meaningless=frozenset({"server_type"}))
_JOB = PublishedKind("scheduler-job", defaults={"job_type": "interval_based"})

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
    "zato_generic_connection": ByType(("type_",), {"outconn-ldap": _LDAP, "outconn-sftp": _SFTP}),
    **{
        section: what
        for what, sections in {
            "AMQP": ("def_amqp", "channel_amqp", "outconn_amqp", "outgoing_amqp"),
            "IBM MQ": ("def_jms_wmq", "channel_jms_wmq", "outconn_jms_wmq", "outgoing_jms_wmq"),
            "ZeroMQ": ("channel_zmq", "outconn_zmq", "outgoing_zmq"),
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
