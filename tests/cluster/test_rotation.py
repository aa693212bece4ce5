"""Root and intermediate of a quickstart cluster rotate while clients, jobs and messages go on: nothing fails."""

import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography import x509

from zato.common.certificates.identity import Identity
from zato.common.cli.operator import operator_tls
from zato.common.rpc.client import Client
from zato.common.rpc.material import split_authorities
from zato.common.testing.load import Load
from zato.common.testing.processes import free_port, give_free_ports
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

PARTS = ("server1", "server2", "scheduler", "lb-agent", "connector-amqp", "connector-zmq")
# Renewed after two thirds of their life. The operator hears of a new root at its next renewal, parts within a poll.
LIFETIME_S, NOTICE_S, POLL_S = 9.0, 8.0, 0.3


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory, haproxy_program: str, make_cluster: Any) -> Iterator[Any]:
    made = make_cluster(tmp_path_factory.mktemp("rotating") / "c")
    made.zato("quickstart", "create", str(made.folder), "--with", "connector-amqp,connector-zmq")
    give_free_ports(made.folder / "cluster.toml")
    made.https = f"localhost:{free_port()}"
    for name in (*PARTS, "ca"):
        with (made.folder / name / "settings.toml").open("a") as settings:
            if name == "ca":
                settings.write(f"\nlifetime_s = {LIFETIME_S}\nroot_notice_s = {NOTICE_S}\n")
            else:
                settings.write(f"\nauthorities_poll_s = {POLL_S}\n")
            if name == "lb-agent":
                settings.write(f'https_address = "{made.https}"\n')
    try:
        made.zato("quickstart", "start", str(made.folder))
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder))


class Repeated:
    """Something done again and again until the block is left; what fails is kept."""

    def __init__(self, do: Callable[[], object], pause_s: float = 0.02) -> None:
        self.succeeded = 0
        self.failures: list[str] = []
        self._do = do
        self._pause_s = pause_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Repeated":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._pause_s):
            try:
                self._do()
                self.succeeded += 1
            except Exception as exc:  # whatever it is, the caller saw it
                self.failures.append(f"{time.strftime('%H:%M:%S')} {exc!r}")


@contextmanager
def operator(cluster: Any, name: str) -> Iterator[Callable[[], object]]:
    """Yield what calls a server as the zato command does, on one connection."""
    client = Client(cluster.part(name)["grpc_address"], token=cluster.token, tls=operator_tls(cluster.folder))
    stub = InvokerStub(client.channel)
    try:
        yield lambda: client.call(stub.Invoke, InvokeRequest(service="zato.ping"), timeout_s=10)
    finally:
        client.close()


def issuer(identity: Identity) -> str:
    certificate = identity.certificate()
    assert certificate is not None
    return certificate.issuer.rfc4514_string().removeprefix("CN=Zato ")


def test_nothing_fails_while_the_intermediate_and_the_root_rotate(rotating: Any) -> None:
    cluster = rotating
    identities = [Identity(cluster.folder / name / "identity") for name in PARTS]
    ours = Identity(cluster.folder / "operator")

    def fresh_call() -> None:
        with operator(cluster, "server2") as call:
            call()

    def over_https() -> None:
        roots, _ = split_authorities(ours.authorities_file.read_bytes())
        context = ssl.create_default_context(cadata=roots.decode())
        with urllib.request.urlopen(f"https://{cluster.https}/zato/ping", timeout=10, context=context) as response:
            assert response.status == 200

    def kept_call() -> None:
        operator_tls(cluster.folder)
        call()

    # The scheduler brings its kind a moment after it has started.
    eventually(lambda: "scheduler-job" in cluster.zato("kind", "list"), timeout_s=60)
    cluster.zato("object", "create", "scheduler-job", "tick", "job_type=interval_based", "service=pub.zato.ping", "seconds=1")
    with (
        operator(cluster, "server1") as call,
        Load(f"{cluster.address}/zato/ping", threads=2, pause_s=0.02) as http,
        Repeated(kept_call) as kept,
        Repeated(fresh_call, pause_s=0.1) as fresh,
        Repeated(over_https, pause_s=0.1) as https,
    ):
        cluster.zato("ca", "rotate", "intermediate")
        eventually(lambda: {issuer(each) for each in identities} == {"intermediate 2"}, timeout_s=60)
        cluster.zato("ca", "rotate", "root")
        eventually(lambda: {issuer(each) for each in identities} == {"intermediate 3"}, timeout_s=60)
        eventually(lambda: _roots(ours) == ["CN=Zato root 2"], timeout_s=60)
        seen = kept.succeeded, fresh.succeeded, https.succeeded
        eventually(
            lambda: min(kept.succeeded - seen[0], fresh.succeeded - seen[1], https.succeeded - seen[2]) > 5, timeout_s=30
        )
    assert (http.failures, kept.failures, fresh.failures, https.failures) == ([], [], [], [])
    runs = json.loads(cluster.zato("service", "invoke", "zato.scheduler.job.get-run-list"))
    assert {run["state"] for run in runs} <= {"ok", "running", "claimed"}
    planned = sorted(run["planned_at"] for run in runs)
    assert len(planned) > 10 and len(set(planned)) == len(planned)


def _roots(identity: Identity) -> list[str]:
    roots, _ = split_authorities(identity.authorities_file.read_bytes())
    return [each.subject.rfc4514_string() for each in x509.load_pem_x509_certificates(roots)]
