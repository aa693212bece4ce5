"""No secret of a quickstart cluster is in clear text where others look: SQL, Redis, logs, exports, environments."""

import base64
import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import zmq

from zato.common.testing.processes import free_port, give_free_ports
from zato.common.testing.waiting import eventually

ZATO = [str(Path(sys.executable).parent / "zato")]
SERVICE = """
from zato.server.service import Service
class Kept(Service):
    name = "kept"
    def handle(self):
        self.kvdb.conn.set("kept", "in Redis")
        self.invoke_async("zato.ping")
        self.response.payload = {"is": "kept"}
class Failing(Service):
    name = "failing"
    def handle(self):
        raise RuntimeError("as it may happen")
"""
CURVE = tuple(key.decode() for key in zmq.curve_keypair())
# Objects with secrets: kind, name, its secret option, and what else it takes.
OBJECTS = (
    ("security-basic-auth", "partner", "password", ("username=partner",)),
    ("security-api-key", "machine", "key", ()),
    ("security-jwt", "browser", "password", ("username=browser",)),
    ("security-wss", "erp", "password", ("username=erp",)),
    ("security-tech-account", "batch", "password", ()),
    ("security-bearer-token", "cloud", "password", ("username=cloud", "auth_server_url=http://127.0.0.1:9/token")),
    ("outgoing-sql", "crm", "password", ("engine=postgresql", "host=127.0.0.1", "port=9", "db_name=crm", "username=crm")),
    ("outgoing-ftp", "files", "password", ("host=127.0.0.1", "port=9", "username=files")),
    ("outgoing-smtp", "mail", "password", ("host=127.0.0.1", "port=9", "username=mail")),
    ("outgoing-ldap", "people", "password", ("server_list=ldap://127.0.0.1:9", "username=cn=reader")),
    ("definition-amqp", "broker", "password", ("host=127.0.0.1", "port=9", "username=zato")),
    ("channel-zmq", "peers", "curve_secret_key", ("socket_type=PULL", "service=zato.ping", f"curve_public_key={CURVE[0]}")),
)
# Connectors hold these in memory, and try to use them.
USING = (("outgoing-amqp", "broker", ("definition=broker",)),)
EXTRAS = ("connector-amqp", "connector-zmq")


@dataclass
class UsedCluster:
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "ZATO_CLUSTER": str(self.folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str, is_ok: bool = True) -> str:
        done = subprocess.run([*ZATO, *arguments], env=self.environ, capture_output=True, text=True, timeout=110)
        assert not is_ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def toml(self, name: str) -> dict[str, object]:
        return tomllib.loads((self.folder / name).read_text())

    def processes(self) -> list[psutil.Process]:
        pids = [int(re.search(r"\d+", file.read_text())[0]) for file in self.folder.glob("*/run/*.pid")]
        assert len(pids) >= 5
        return [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]

    def ask(self, path: str, **headers: str) -> int:
        parts = self.toml("cluster.toml")["parts"]
        address = next(part["frontend_address"] for part in parts if part["part"] == "lb-agent")
        request = urllib.request.Request(f"http://{address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as exc:
            return exc.code

    def collect(self) -> None:
        """Note every secret that the cluster has by itself."""
        for file in self.folder.glob("**/secrets.toml"):
            for name, value in tomllib.loads(file.read_text()).items():
                if value and "url" not in name:
                    self.secrets[f"{file.parent.name}/{name}"] = str(value)
        self.secrets["admin_password"] = (self.folder / "admin_password").read_text().strip()
        self.secrets["operator_token"] = (self.folder / "operator_token").read_text().strip()
        for name, token in [*self.secrets.items()]:
            if token.startswith("zato-enrol-1."):
                encoded = token.removeprefix("zato-enrol-1.")
                self.secrets[f"{name} inside"] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))[0]
        for file in self.folder.glob("**/identity.pem"):
            self.secrets[f"key of {file.parent}"] = file.read_text().splitlines()[1]
        password = self.secrets[f"{self.folder.name}/pubapi_password"]
        self.secrets["pubapi as it is sent"] = base64.b64encode(f"pubapi:{password}".encode()).decode()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, haproxy_program: str) -> Iterator[UsedCluster]:
    """A cluster in which all that has to do with secrets was used."""
    folder = tmp_path_factory.mktemp("secrets")
    made = UsedCluster(folder / "c")
    made.zato("quickstart", "create", str(made.folder), "--servers", "1", "--with", ",".join(EXTRAS))
    give_free_ports(made.folder / "cluster.toml")
    try:
        started = made.zato("quickstart", "start", str(made.folder))
        assert "Password" in started
        eventually(lambda: all(kind in made.zato("kind", "list") for kind in ("definition-amqp", "channel-zmq")), timeout_s=30)
        for kind, name, option, more in OBJECTS:
            value = folder / name
            value.write_text(CURVE[1] if option == "curve_secret_key" else f"secret-of-{name}-{secrets.token_hex(8)}")
            made.secrets[name] = value.read_text()
            if kind == "channel-zmq":
                more = (*more, f"address=tcp://127.0.0.1:{free_port()}")
            made.zato("object", "create", kind, name, f"{option}=@{value}", *more)
            made.zato("object", "edit", kind, name, f"{option}=@{value}")
        for kind, name, more in USING:
            made.zato("object", "create", kind, name, *more)
        (folder / "kept.py").write_text(SERVICE)
        made.zato("service", "deploy", str(folder / "kept.py"), "--wait", "20")
        for path, definition in (("/kept", "partner"), ("/keyed", "machine"), ("/failing", "partner")):
            options = (f"url_path={path}", f"service={'failing' if path == '/failing' else 'kept'}", f"security={definition}")
            made.zato("object", "create", "channel-http", path[1:], *options)
        made.zato("wait", "--timeout", "20")
        made.collect()
        _use(made)
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder), is_ok=False)


def _use(cluster: UsedCluster) -> None:
    sent = base64.b64encode(f"partner:{cluster.secrets['partner']}".encode()).decode()
    cluster.secrets["partner as it is sent"] = sent
    assert cluster.ask("/kept", Authorization=f"Basic {sent}") == 200
    assert cluster.ask("/kept", Authorization=f"Basic {sent[:-8]}") == 401
    assert cluster.ask("/keyed", **{"X-API-Key": cluster.secrets["machine"]}) == 200
    assert cluster.ask("/failing", Authorization=f"Basic {sent}") == 500
    pubapi = cluster.secrets["pubapi as it is sent"]
    assert cluster.ask("/zato/api/invoke/zato.ping", Authorization=f"Basic {pubapi}") == 200
    # What can't be reached is asked for, and says why not.
    for kind, name in [*(each[:2] for each in OBJECTS), *(each[:2] for each in USING)]:
        if kind.startswith("outgoing"):
            cluster.zato("object", "ping", kind, name, is_ok=False)


def shown_in(cluster: UsedCluster, text: str) -> list[str]:
    return [name for name, secret in cluster.secrets.items() if secret in text]


def test_there_are_secrets_to_look_for(cluster: UsedCluster) -> None:
    assert len(cluster.secrets) >= 30
    assert min(map(len, cluster.secrets.values())) >= 16
    # A look that finds nothing anywhere would prove nothing.
    assert shown_in(cluster, (cluster.folder / "secrets.toml").read_text())


def test_none_is_in_sql(cluster: UsedCluster) -> None:
    for file in (cluster.folder / "odb.db", cluster.folder / "ca" / "work" / "authority.db"):
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            dump = "\n".join(connection.iterdump())
        finally:
            connection.close()
        assert "INSERT INTO" in dump
        assert shown_in(cluster, dump) == [], file


def test_none_is_in_redis(cluster: UsedCluster) -> None:
    """Its append-only file has every command that changed anything."""
    files = [file for file in (cluster.folder / "redis").rglob("*.aof") if file.is_file()]
    text = "".join(file.read_text(errors="replace") for file in files)
    assert "in Redis" in text
    assert shown_in(cluster, text) == []


def test_none_is_in_a_log(cluster: UsedCluster) -> None:
    files = [*cluster.folder.glob("*/logs/*"), cluster.folder / "ca" / "work" / "audit.jsonl"]
    text = "".join(file.read_text(errors="replace") for file in files)
    assert "http_request" in text and "as it may happen" in text
    assert shown_in(cluster, text) == []


def test_none_is_in_what_commands_show_and_export(cluster: UsedCluster) -> None:
    commands = [
        ("enmasse", "export"),
        ("enmasse", "export", "--format", "json", "--secrets", "env"),
        ("--json", "quickstart", "status"),
        ("lb", "config"),
        ("--json", "cluster", "status"),
        ("--json", "package", "list"),
        ("ca", "audit", "--last", "0"),
        ("--json", "ca", "list", "--all"),
        *(("--json", "object", "get", kind, name) for kind, name, _option, _more in OBJECTS),
    ]
    for command in commands:
        assert shown_in(cluster, cluster.zato(*command, is_ok=False)) == [], command
    for part in ("server1", "scheduler", "lb-agent", "ca", "webadmin", *EXTRAS):
        module = part.rstrip("1").replace("-", "_")
        line = [sys.executable, "-m", f"zato.{module}", "--folder", str(cluster.folder / part), "--show-config"]
        shown = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
        assert "******" in shown
        assert shown_in(cluster, shown) == [], part


def test_none_is_in_an_environment_or_a_command_line(cluster: UsedCluster) -> None:
    seen = 0
    for process in cluster.processes():
        for name in ("environ", "cmdline"):
            text = Path(f"/proc/{process.pid}/{name}").read_text(errors="replace")
            assert shown_in(cluster, text) == [], (process.pid, name)
            seen += len(text)
    assert seen > 10_000


def test_files_that_hold_one_are_for_their_owner_only(cluster: UsedCluster) -> None:
    files = [file for file in cluster.folder.rglob("*") if file.is_file()]
    holding = [file for file in files if shown_in(cluster, file.read_text(errors="replace"))]
    assert len(holding) >= 10
    assert {str(file): oct(file.stat().st_mode & 0o777) for file in holding if file.stat().st_mode & 0o077} == {}
