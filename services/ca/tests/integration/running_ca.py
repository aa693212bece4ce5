"""A real authority in a process of its own, and parts that have certificates of it."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.tokens import EnrolmentToken, parse_token
from zato.common.errors import ZatoError
from zato.common.lifecycle.probes import http_status
from zato.common.rpc.client import Client
from zato.common.rpc.server import ThreadedServer
from zato.common.secrets import generate_key
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub
from zato.proto.load_balancer.v1.load_balancer_pb2 import DrainRequest, DrainResponse
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import (
    LoadBalancerServicer,
    LoadBalancerStub,
    add_LoadBalancerServicer_to_server,
)

ADMIN_TOKEN = "token-of-the-administrators"
CLUSTER_TOKEN = "token-of-the-cluster"
SECRET_KEY = generate_key()
SERVICE = "zato.proto.load_balancer.v1.LoadBalancer"


class CAProcess:
    """An authority started as people start it, in the folder that `zato create` would make."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.grpc, self.enrol_address, self.http = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.log = folder / "ca.log"
        folder.mkdir()
        (folder / "part.toml").write_text('part = "ca"\n')
        addresses = {"grpc_address": self.grpc, "enrol_address": self.enrol_address, "http_address": self.http}
        values = {"work_folder": "work", **addresses, **settings}
        (folder / "settings.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        (folder / "secrets.toml").write_text(f'token = "{ADMIN_TOKEN}"\nsecret_key = "{SECRET_KEY}"\n')
        self.identity = Identity(folder / "work" / "identity")
        self.process: subprocess.Popen[bytes] | None = None
        self._admin: Client | None = None

    def start(self) -> "CAProcess":
        command = [sys.executable, "-m", "zato.ca", "--folder", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self._is_up, timeout_s=30)
        return self

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def call(self, method: str, **fields: Any) -> Any:
        """Call as an administrator."""
        if self._admin is None:
            self._admin = Client(self.grpc, token=ADMIN_TOKEN, tls=self.identity.tls)
        return self.call_with(self._admin, method, **fields)

    @staticmethod
    def call_with(client: Client, method: str, **fields: Any) -> Any:
        request = getattr(messages, f"{method}Request")(**fields)
        return client.call(getattr(CertificateAuthorityStub(client.channel), method), request, timeout_s=10.0)

    def token(self, name: str, *names: str, lifetime_s: float = 0.0) -> EnrolmentToken:
        grant = messages.Grant(name=name, alternative_names=names or ["127.0.0.1"], lifetime_s=lifetime_s)
        return parse_token(self.call("CreateToken", grant=grant).token)

    def enrolled(self, folder: Path, name: str, *names: str, lifetime_s: float = 0.0) -> Identity:
        identity = Identity(folder / name)
        enrol(identity, self.token(name, *names, lifetime_s=lifetime_s), name=name)
        return identity

    def states(self) -> dict[str, str]:
        return {each.name.removeprefix("Zato "): each.state for each in self.call("GetState").authorities}

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "work" / "audit.jsonl").read_text().splitlines()]

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(self.log.read_text())
        return http_status(self.http, "/health/ready") == 200


class _Drained(LoadBalancerServicer):
    def Drain(self, request: Any, context: Any) -> DrainResponse:
        return DrainResponse()


@contextlib.contextmanager
def serving(identity: Identity) -> Iterator[str]:
    """A part that answers calls over mutual TLS; gives its address."""
    server = ThreadedServer(
        "127.0.0.1:0",
        token=CLUSTER_TOKEN,
        services=[SERVICE],
        add=lambda grpc_server: add_LoadBalancerServicer_to_server(_Drained(), grpc_server),
        tls=identity.tls,
    )
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop(1.0)


@contextlib.contextmanager
def calling(identity: Identity, address: str) -> Iterator["Caller"]:
    client = Client(address, token=CLUSTER_TOKEN, tls=identity.tls)
    try:
        yield Caller(client)
    finally:
        client.close()


class Caller:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._stub = LoadBalancerStub(client.channel)

    def __call__(self) -> None:
        self._client.call(self._stub.Drain, DrainRequest(name="x"), timeout_s=5.0)


class Traffic:
    """A client that calls all the time, on one connection or on a new one each time. What fails is counted, not repeated."""

    def __init__(self, identity: Identity, address: str, *, is_kept: bool) -> None:
        self.succeeded = 0
        self.failures: list[str] = []
        self._identity = identity
        self._address = address
        self._is_kept = is_kept
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with calling(self._identity, self._address) as call:
                while not self._stop.wait(0.01):
                    try:
                        call()
                        self.succeeded += 1
                    except ZatoError as exc:
                        self.failures.append(exc.message)
                    if not self._is_kept:
                        break
