"""A server whose database and Redis take TLS only, and Redis a user of the server's own with no more rights than it needs."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.postgresql_server import PostgreSQLServer, run_sql
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.programs import find_program
from zato.common.testing.waiting import eventually

PASSWORD = "password-of-the-redis-user"
# What docs/security.md says that the user needs.
RIGHTS = "~* &* +@all -@admin -@dangerous +info +config|get"
HBA = "hostssl all all 127.0.0.1/32 trust\n"
SERVICES = """
from zato.server.service import Service
class Count(Service):
    name = "count"
    def handle(self):
        self.response.payload = {"seen": self.kvdb.conn.incr("seen")}
class Later(Service):
    name = "later"
    def handle(self):
        with self.lock("later"):
            self.cache.set("later", 1)
            self.invoke_async("count")
        self.response.payload = {"is": "begun"}
"""


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> CertificateAuthority:
    (tmp_path / "stranger").mkdir()
    return CertificateAuthority(tmp_path / "stranger", "stranger")


@pytest.fixture
def tls_redis(authority: CertificateAuthority, tmp_path: Path) -> Iterator[int]:
    program = find_program("redis-server")
    if program is None or b"libssl" not in Path(program).read_bytes():
        if os.environ.get("CI"):
            pytest.fail("redis-server is missing, or was built without TLS")
        pytest.skip("redis-server is missing, or was built without TLS")
    port, files = free_port(), authority.issue("redis")
    folder = tmp_path / "redis"
    folder.mkdir()
    configuration = folder / "redis.conf"
    lines = [
        f"port 0\ntls-port {port}\nbind 127.0.0.1\ndir {folder}\nappendonly yes\ntls-auth-clients no",
        f"tls-cert-file {files.certificate}\ntls-key-file {files.key}\ntls-ca-cert-file {files.authorities}",
        f"user default off\nuser zato on >{PASSWORD} {RIGHTS}\n",
    ]
    configuration.write_text("\n".join(lines))
    log = folder / "redis.log"
    server = ServerProcess(
        [program, str(configuration)], log=log, is_ready=lambda: "Ready to accept connections" in log.read_text()
    )
    server.start()
    yield port
    server.stop()


@pytest.fixture
def tls_postgresql(authority: CertificateAuthority) -> Iterator[PostgreSQLServer]:
    program = find_program("postgres")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("postgres is missing")
        pytest.skip("postgres is missing")
    with tempfile.TemporaryDirectory(prefix="zato-test-postgresql-") as name:
        folder = Path(name)
        _copy(authority.issue("postgresql"), folder)
        (folder / "hba.conf").write_text(HBA)
        settings = {
            "ssl": "on",
            "ssl_cert_file": str(folder / "server.pem"),
            "ssl_key_file": str(folder / "server.key"),
            "hba_file": str(folder / "hba.conf"),
        }
        server = PostgreSQLServer(program, folder, settings)
        server.start()
        yield server
        server.stop()


def _copy(files: TLSFiles, folder: Path) -> None:
    assert files.certificate is not None and files.key is not None
    (folder / "server.pem").write_bytes(files.certificate.read_bytes())
    (folder / "server.key").write_bytes(files.key.read_bytes())
    (folder / "server.key").chmod(0o600)


def url_of(port: int, authority: CertificateAuthority, password: str = PASSWORD) -> str:
    query = f"ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs={authority.file}"
    return f"rediss://zato:{password}@localhost:{port}/0?{query}"


def odb_url(server: PostgreSQLServer, authority: CertificateAuthority, mode: str = "verify-full") -> str:
    return f"postgresql://postgres@localhost:{server.port}/postgres?sslmode={mode}&sslrootcert={authority.file}"


@pytest.mark.redis
@pytest.mark.postgresql
def test_a_server_works_with_a_database_and_a_redis_that_take_tls_only(
    start_server: Callable[..., Any], tls_redis: int, tls_postgresql: PostgreSQLServer, authority: CertificateAuthority
) -> None:
    server = start_server(odb_url=odb_url(tls_postgresql, authority), redis_url=url_of(tls_redis, authority))
    server.deploy("counting.py", SERVICES)
    before = server.admin("count")["seen"]
    assert server.admin("later") == {"is": "begun"}
    eventually(lambda: server.admin("count")["seen"] >= before + 2, timeout_s=20)
    server.add_channel("count", "/count", "count")
    eventually(lambda: server.request("GET", "/count").status == 200)
    connections = run_sql(
        tls_postgresql.url,
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'zato-server'",
    )
    assert connections == "t"
    problems = [line for line in server.log_lines() if line.get("level") in ("warning", "error")]
    assert problems == []
    assert PASSWORD not in server.log_text()


@pytest.mark.postgresql
def test_a_database_of_a_stranger_is_not_used(
    start_server: Callable[..., Any], redis_url: str, tls_postgresql: PostgreSQLServer, stranger: CertificateAuthority
) -> None:
    server = start_server(odb_url=odb_url(tls_postgresql, stranger), redis_url=redis_url, is_awaited=False)
    server.launch()
    refused = eventually(lambda: server.log_lines("odb_not_reachable"), timeout_s=30)
    assert "certificate verify failed" in refused[0]["error"]
    assert not server.is_ready()


@pytest.mark.redis
@pytest.mark.parametrize("wrong", ["authority", "password"])
def test_a_redis_of_a_stranger_or_another_password_is_refused(
    tls_redis: int, authority: CertificateAuthority, stranger: CertificateAuthority, wrong: str
) -> None:
    url = url_of(tls_redis, stranger) if wrong == "authority" else url_of(tls_redis, authority, "another")
    with pytest.raises(redis.exceptions.ConnectionError, match=r"CERTIFICATE_VERIFY_FAILED|WRONGPASS|invalid username"):
        redis.Redis.from_url(url, retry=None).ping()
