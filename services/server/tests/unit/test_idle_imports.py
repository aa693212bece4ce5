"""What an idle server has no use for is not in its memory, and not in the time that it starts in."""

from pathlib import Path

import pytest

from zato.common.testing.imports import modules_of

# Needed by who has a connection, a channel, a package, a setting or a command of that sort, and imported there.
_BY_SOME = {
    "alembic",
    "django",
    "fastjsonschema",
    "ftplib",
    "httptools",
    "imap_tools",
    "imaplib",
    "jinja2",
    "ldap3",
    "mako",
    "oauthlib",
    "oracledb",
    "paramiko",
    "psycopg2",
    "pymysql",
    "requests",
    "smtplib",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.oracle",
    "sqlalchemy.dialects.postgresql",
    "unittest",
    "xmlrpc",
    "yaml",
    "zeep",
    "zato.server.packages.wheels",
}
_BY_SENDERS = {"grpc"}
_BY_THE_SERVER = {"argon2", "gevent", "gunicorn", "jwt", "lxml", "packaging", "prometheus_client", "redis", "sqlalchemy"}
_BY_OTHER_COMMANDS = {
    "cryptography",
    "gevent",
    "google.protobuf",
    "grpc",
    "gunicorn",
    "http.client",
    "packaging",
    "psutil",
    "redis",
    "sqlalchemy",
    "structlog",
}


@pytest.mark.parametrize(
    ("statements", "unneeded"),
    [
        ("from gevent import monkey; monkey.patch_all(); import zato.server.arbiter", _BY_SOME | _BY_SENDERS),
        ("import zato.server.sidecar.__main__", _BY_SOME | _BY_THE_SERVER),
        ("from zato.common.cli.main import main; main(['--help'])", _BY_SOME | _BY_OTHER_COMMANDS),
    ],
    ids=["master and workers", "sidecar", "command line"],
)
def test_nothing_is_imported_that_an_idle_one_does_not_need(statements: str, unneeded: set[str], tmp_path: Path) -> None:
    assert not unneeded & modules_of(statements, tmp_path)
