"""Who is let in by the parts of a quickstart cluster that run, which have certificates of its authority."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.tokens import parse_token
from zato.common.cli.operator import operator_tls
from zato.common.errors import Forbidden, Unauthorized, Unavailable, ZatoError
from zato.common.rpc.client import Client
from zato.common.rpc.material import split_authorities
from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.processes import free_port, give_free_ports
from zato.common.testing.waiting import eventually
from zato.proto.connector.v1.connector_pb2 import GetStatusRequest as ConnectorStatusRequest
from zato.proto.connector.v1.connector_pb2 import PublishRequest
from zato.proto.connector.v1.connector_pb2_grpc import ConnectorStub
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, RegisterKindsResponse
from zato.proto.control_plane.v1.control_plane_pb2_grpc import (
    ControlPlaneServicer,
    ControlPlaneStub,
    add_ControlPlaneServicer_to_server,
)
from zato.proto.invoker.v1.invoker_pb2 import DeliverRequest, InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.proto.jobs.v1.jobs_pb2 import ResignRequest
from zato.proto.jobs.v1.jobs_pb2_grpc import JobsStub
from zato.proto.load_balancer.v1.load_balancer_pb2 import GetStateRequest, JoinRequest
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub
from zato.proto.scheduler.v1.scheduler_pb2 import GetStatusRequest
from zato.proto.scheduler.v1.scheduler_pb2_grpc import SchedulerStub

ZATO = [str(Path(sys.executable).parent / "zato")]
POLL_S = 0.5
# One call for each part that serves some, which an operator may make.
CALLS: dict[str, tuple[str, Callable[[Any], Any], Any]] = {
    "server": ("server1", lambda channel: InvokerStub(channel).Invoke, InvokeRequest(service="zato.ping")),
    "scheduler": ("scheduler", lambda channel: SchedulerStub(channel).GetStatus, GetStatusRequest()),
    "lb-agent": ("lb-agent", lambda channel: LoadBalancerStub(channel).GetState, GetStateRequest()),
    "connector-amqp": ("connector-amqp", lambda channel: ConnectorStub(channel).GetStatus, ConnectorStatusRequest()),
    "connector-zmq": ("connector-zmq", lambda channel: ConnectorStub(channel).GetStatus, ConnectorStatusRequest()),
}


class TrustedCluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.https = f"localhost:{free_port()}"
        self.environ = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        done = subprocess.run([*ZATO, *arguments], env=self.environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def part(self, name: str) -> dict[str, str]:
        parts = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return next(part for part in parts if part["name"] == name)

    @property
    def token(self) -> str:
        return str(tomllib.loads((self.folder / "secrets.toml").read_text())["token"])

    def log(self, name: str) -> str:
        return "".join(file.read_text() for file in (self.folder / name / "logs").iterdir())

    def identity(self, folder: Path, name: str, role: str, *, seconds: float = 0.0, san: str = "127.0.0.1") -> Identity:
        """A certificate of the cluster's own authority."""
        hours = ["--hours", str(seconds / 3600)] if seconds else []
        token = json.loads(self.zato("--json", "ca", "token", name, "--purpose", role, "--san", san, *hours))["token"]
        identity = Identity(folder / name)
        enrol(identity, parse_token(token))
        return identity

    def get(self, path: str, client: Identity | None = None) -> int:
        """Ask the load-balancer over TLS, trusting the cluster's authority, and return the status."""
        operator_tls(self.folder)
        roots, _ = split_authorities(Identity(self.folder / "operator").authorities_file.read_bytes())
        context = ssl.create_default_context(cadata=roots.decode())
        if client is not None:
            context.load_cert_chain(client.file)
        with urllib.request.urlopen(f"https://{self.https}{path}", timeout=10, context=context) as response:
            return int(response.status)

    def call(self, part: str, tls: TLSFiles | None) -> None:
        """Make the call that an operator may make at a part."""
        name, method, request = CALLS[part]
        self.call_at(name, method, request, tls)

    def call_at(self, name: str, method: Callable[[Any], Any], request: Any, tls: TLSFiles | None) -> Any:
        client = Client(self.part(name)["grpc_address"], token=self.token, tls=tls)
        try:
            return client.call(method(client.channel), request, timeout_s=10)
        finally:
            client.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, haproxy_program: str) -> Iterator[TrustedCluster]:
    made = TrustedCluster(tmp_path_factory.mktemp("trust") / "c")
    made.zato("quickstart", "create", str(made.folder), "--servers", "1", "--with", "connector-amqp,connector-zmq")
    give_free_ports(made.folder / "cluster.toml")
    for name in ("server1", "scheduler", "lb-agent", "connector-amqp", "connector-zmq"):
        with (made.folder / name / "settings.toml").open("a") as settings:
            settings.write(f"\nauthorities_poll_s = {POLL_S}\n")
            if name == "lb-agent":
                settings.write(f'https_address = "{made.https}"\nclient_certificates = "optional"\n')
    try:
        made.zato("quickstart", "start", str(made.folder))
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder))


def others_files(cluster: TrustedCluster, tls: TLSFiles) -> TLSFiles:
    """That certificate, with the cluster's authorities trusted: only the other side can object."""
    return TLSFiles(
        certificate=tls.certificate, key=tls.key, authorities=Identity(cluster.folder / "operator").authorities_file
    )


@pytest.mark.parametrize("part", CALLS)
def test_the_operator_of_the_cluster_is_let_in(cluster: TrustedCluster, part: str) -> None:
    cluster.call(part, operator_tls(cluster.folder))


@pytest.mark.parametrize("part", CALLS)
def test_who_shows_no_certificate_is_refused_and_logged(cluster: TrustedCluster, part: str) -> None:
    name, method, request = CALLS[part]
    operator_tls(cluster.folder)
    roots = Identity(cluster.folder / "operator").authorities_file.read_bytes()
    with pytest.raises(Unavailable):
        cluster.call(part, None)
    client = Client.with_roots(cluster.part(name)["grpc_address"], roots)
    try:
        with pytest.raises(Unavailable):
            client.call(method(client.channel), request, timeout_s=10)
    finally:
        client.close()
    eventually(lambda: "PEER_DID_NOT_RETURN_A_CERTIFICATE" in cluster.log(name))
    expect_audited_handshake(cluster, part, "no certificate was shown")


@pytest.mark.parametrize("part", CALLS)
def test_a_foreign_authority_vouches_for_nobody(cluster: TrustedCluster, part: str, tmp_path: Path) -> None:
    operator_tls(cluster.folder)
    before = cluster.log(CALLS[part][0]).count("CERTIFICATE_VERIFY_FAILED")
    with pytest.raises(Unavailable):
        cluster.call(part, others_files(cluster, CertificateAuthority(tmp_path).issue("operator")))
    eventually(lambda: cluster.log(CALLS[part][0]).count("CERTIFICATE_VERIFY_FAILED") > before)
    expect_audited_handshake(cluster, part, "the certificate that was shown is of an authority that is not trusted here")


def test_an_expired_certificate_is_refused_and_logged(cluster: TrustedCluster, tmp_path: Path) -> None:
    identity = cluster.identity(tmp_path, "brief", "operator", seconds=1)
    certificate = identity.certificate()
    assert certificate is not None
    eventually(lambda: time.time() > certificate.not_valid_after_utc.timestamp())
    for part in CALLS:
        with pytest.raises(Unavailable):
            cluster.call(part, identity.tls)
        eventually(lambda part=part: "certificate has expired" in cluster.log(CALLS[part][0]))
        expect_audited_handshake(cluster, part, "the certificate that was shown has expired")


def test_a_revoked_certificate_is_refused_and_logged_by_all_parts(cluster: TrustedCluster, tmp_path: Path) -> None:
    identity = cluster.identity(tmp_path, "mallory", "operator")
    for part in CALLS:
        cluster.call(part, identity.tls)
    cluster.zato("ca", "revoke", "--name", "mallory", "--reason", "keyCompromise")

    def is_refused(part: str) -> bool:
        try:
            cluster.call(part, identity.tls)
        except Unauthorized as exc:
            return "is revoked" in exc.message
        return False

    for part in CALLS:
        eventually(lambda part=part: is_refused(part), timeout_s=20)
        refusals = [line for line in cluster.log(CALLS[part][0]).splitlines() if "call_refused" in line and "mallory" in line]
        assert refusals
        eventually(
            lambda part=part: any(
                row["actor"] == "mallory" and "is revoked" in row["details"] and is_by(row, part) for row in audited(cluster)
            ),
            timeout_s=20,
        )


class _Called(ControlPlaneServicer):
    """A server as far as a follower's first call goes."""

    def __init__(self) -> None:
        self.is_called = threading.Event()

    def RegisterKinds(self, request: Any, context: Any) -> RegisterKindsResponse:
        self.is_called.set()
        return RegisterKindsResponse()


@contextmanager
def serving(identity: Identity, token: str, address: str) -> Iterator[threading.Event]:
    """Serve as a server would, and say whether somebody's call came through."""
    servicer = _Called()
    server = ThreadedServer(
        address,
        token=token,
        services=["zato.proto.control_plane.v1.ControlPlane"],
        add=lambda grpc_server: add_ControlPlaneServicer_to_server(servicer, grpc_server),
        tls=identity.tls,
    )
    server.start()
    try:
        yield servicer.is_called
    finally:
        server.stop(0)


@contextmanager
def running_connector(cluster: TrustedCluster, folder: Path, *server_addresses: str) -> Iterator[Path]:
    """A connector of the cluster that looks for its servers at these addresses; gives its log."""
    settings = {
        "GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "SERVER_ADDRESSES": ",".join(server_addresses),
        "TOKEN": cluster.token,
        "IDENTITY_FOLDER": str(cluster.identity(folder, "wandering", "connector").folder),
        "CA_ADDRESS": cluster.part("ca")["grpc_address"],
    }
    environ = {**os.environ, **{f"ZATO_CONNECTOR_AMQP_{name}": value for name, value in settings.items()}}
    log = folder / "connector.log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "zato.connector_amqp"], env=environ, stdout=output, stderr=output)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(20)


def test_a_part_that_runs_calls_no_server_that_has_the_certificate_of_another_place(
    cluster: TrustedCluster, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    impostor = cluster.identity(tmp_path, "impostor", "server", san="elsewhere.example.com")
    with running_connector(cluster, tmp_path, address) as log:
        with serving(impostor, cluster.token, address) as is_called:
            eventually(lambda: "Hostname Verification Check failed" in log.read_text(), timeout_s=20)
            eventually(lambda: "configuration_not_followed" in log.read_text())
            assert not is_called.is_set()
            assert '"handshake_refused"' in log.read_text()
        # Whoever has the right name there is called, so it was the name that kept it away.
        with serving(cluster.identity(tmp_path, "server9", "server"), cluster.token, address) as is_called:
            eventually(is_called.is_set, timeout_s=30)


def test_what_a_part_did_not_talk_to_is_audited_as_soon_as_it_reaches_a_server(cluster: TrustedCluster, tmp_path: Path) -> None:
    """The one part of a connection that knows of the wrong name is the one that calls: its server has done nothing wrong."""
    address = f"127.0.0.1:{free_port()}"
    impostor = cluster.identity(tmp_path, "impostor2", "server", san="elsewhere.example.com")
    with (
        serving(impostor, cluster.token, address) as is_called,
        running_connector(cluster, tmp_path, address, cluster.part("server1")["grpc_address"]) as log,
    ):
        eventually(lambda: '"handshake_refused"' in log.read_text(), timeout_s=20)
        # What people type finds it.
        reason = f"{address} is for other places"
        (row,) = eventually(lambda: search(cluster, reason, "--kind", "handshake"), timeout_s=20)
        assert (row["action"], row["result"], row["who"]) == ("refused", "refused", "unknown")
        assert row["name"].startswith("connector-amqp/")
        assert not is_called.is_set()


REFUSED: list[tuple[str, str, str, Callable[[Any], Any], Any]] = [
    ("connector", "deploys", "server1", lambda channel: ControlPlaneStub(channel).Deploy, DeployRequest(file_name="x.py")),
    ("connector", "leads", "server1", lambda channel: JobsStub(channel).Resign, ResignRequest(epoch=1)),
    ("connector", "administrates", "server1", lambda c: InvokerStub(c).Invoke, InvokeRequest(service="zato.service.get-list")),
    ("connector", "delivers", "server1", lambda c: InvokerStub(c).Deliver, DeliverRequest(service="zato.service.get-list")),
    ("scheduler", "administrates", "server1", lambda c: InvokerStub(c).Invoke, InvokeRequest(service="zato.object.create")),
    ("scheduler", "deploys", "server1", lambda channel: ControlPlaneStub(channel).Deploy, DeployRequest(file_name="x.py")),
    ("lb-agent", "invokes", "server1", lambda channel: InvokerStub(channel).Invoke, InvokeRequest(service="zato.ping")),
    ("server", "invokes", "server1", lambda channel: InvokerStub(channel).Invoke, InvokeRequest(service="zato.ping")),
    ("operator", "leads", "server1", lambda channel: JobsStub(channel).Resign, ResignRequest(epoch=1)),
    ("operator", "joins", "lb-agent", lambda c: LoadBalancerStub(c).Join, JoinRequest(name="x", address="127.0.0.1:1")),
    ("connector", "joins", "lb-agent", lambda c: LoadBalancerStub(c).Join, JoinRequest(name="x", address="127.0.0.1:1")),
    ("connector", "asks", "scheduler", lambda channel: SchedulerStub(channel).GetStatus, GetStatusRequest()),
    ("connector", "publishes", "connector-amqp", lambda c: ConnectorStub(c).Publish, PublishRequest(connection="x")),
    ("scheduler", "publishes", "connector-zmq", lambda c: ConnectorStub(c).Publish, PublishRequest(connection="x")),
    ("part", "invokes", "server1", lambda channel: InvokerStub(channel).Invoke, InvokeRequest(service="zato.ping")),
]


@pytest.mark.parametrize(("role", "what", "at", "method", "request_"), REFUSED, ids=[f"{row[0]}-{row[1]}" for row in REFUSED])
def test_no_role_may_do_what_is_not_its_own(
    cluster: TrustedCluster, tmp_path: Path, role: str, what: str, at: str, method: Callable[[Any], Any], request_: Any
) -> None:
    name = f"{role}-that-{what}-{at}"
    identity = cluster.identity(tmp_path, name, role)
    with pytest.raises(Forbidden, match=r"may not (call|invoke)"):
        cluster.call_at(at, method, request_, identity.tls)
    assert [line for line in cluster.log(at).splitlines() if '"call_refused"' in line and f'"{name}"' in line]
    row = eventually(lambda: next((row for row in audited(cluster) if row["actor"] == name), None), timeout_s=20)
    assert (row["action"], row["kind"]) == ("refused", "call")
    assert json.loads(row["after"])["role"] == ("" if role == "part" else role)
    assert is_by(row, at)


def test_a_connector_may_invoke_services_of_users(cluster: TrustedCluster, tmp_path: Path) -> None:
    identity = cluster.identity(tmp_path, "connector-amqp", "connector")
    answer = cluster.call_at("server1", lambda c: InvokerStub(c).Invoke, InvokeRequest(service="zato.ping"), identity.tls)
    assert json.loads(answer.payload) == {"pong": "zato"}


def test_clients_come_over_https_with_certificates_of_the_authority_or_none(cluster: TrustedCluster, tmp_path: Path) -> None:
    assert cluster.get("/zato/ping") == 200
    client = cluster.identity(tmp_path, "billing", "client")
    assert cluster.get("/zato/ping", client) == 200
    cluster.zato("ca", "revoke", "--name", "billing")

    def is_refused() -> bool:
        try:
            cluster.get("/zato/ping", client)
        except OSError as exc:
            return "REVOKED" in str(exc).upper()
        return False

    eventually(is_refused, timeout_s=20)
    assert cluster.get("/zato/ping") == 200


def test_keys_are_for_their_owner_only_and_no_two_parts_have_the_same(cluster: TrustedCluster) -> None:
    files = [
        cluster.folder / name / "identity" / "identity.pem" for name in ("server1", "scheduler", "lb-agent", "connector-amqp")
    ]
    files += [cluster.folder / "operator" / "identity.pem"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert {file.parent.stat().st_mode & 0o777 for file in files} == {0o700}
    assert len({file.read_text().partition("CERTIFICATE")[0] for file in files}) == len(files)


def test_parts_with_certificates_start_again_without_the_authority(cluster: TrustedCluster) -> None:
    cluster.zato("stop", str(cluster.folder / "ca"))
    try:
        for name in ("scheduler", "server1"):
            cluster.zato("stop", str(cluster.folder / name))
            cluster.zato("start", str(cluster.folder / name))
        eventually(lambda: _is_let_in(cluster), timeout_s=20)
    finally:
        cluster.zato("start", str(cluster.folder / "ca"))


def test_a_part_whose_certificate_is_lost_gets_another_one_at_the_next_start(cluster: TrustedCluster) -> None:
    cluster.zato("quickstart", "stop", str(cluster.folder))
    (cluster.folder / "server1" / "identity" / "identity.pem").unlink()
    (cluster.folder / "operator" / "identity.pem").unlink()
    cluster.zato("quickstart", "start", str(cluster.folder))
    eventually(lambda: _is_let_in(cluster), timeout_s=20)


def _is_let_in(cluster: TrustedCluster) -> bool:
    try:
        for part in CALLS:
            cluster.call(part, operator_tls(cluster.folder))
    except ZatoError:
        return False
    return True


def audited(cluster: TrustedCluster) -> list[dict[str, str]]:
    import sqlite3

    connection = sqlite3.connect(f"file:{cluster.folder / 'odb.db'}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT actor, action, kind, name, details, after FROM audit")]
    finally:
        connection.close()


def search(cluster: TrustedCluster, *arguments: str) -> list[dict[str, Any]]:
    """What `zato audit search` shows."""
    found: list[dict[str, Any]] = json.loads(cluster.zato("--json", "audit", "search", *arguments))["data"]
    return found


def is_by(row: dict[str, str], part: str) -> bool:
    """Whether this part is the one that refused."""
    return bool(json.loads(row["after"])["by"].split("/")[0] == ("server1" if part == "server" else part))


def expect_audited_handshake(cluster: TrustedCluster, part: str, reason: str) -> None:
    def is_there() -> bool:
        rows = [
            row for row in audited(cluster) if (row["action"], row["kind"], row["details"]) == ("refused", "handshake", reason)
        ]
        return any(is_by(row, part) for row in rows)

    eventually(is_there, timeout_s=20)
