"""The whole system, as `zato quickstart` starts it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zato.common.cli.operator import operator_tls
from zato.common.rpc.client import Client
from zato.common.testing.processes import give_free_ports
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

ZATO = [str(Path(sys.executable).parent / "zato")]
WORKERS = 4
SERVICE = """
from zato.server.service import Service
class Version(Service):
    name = "version"
    def handle(self):
        self.response.payload = {{"first": {0}, "second": {0}}}
"""


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        done = subprocess.run([*ZATO, *arguments], env=self.environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def zato_json(self, *arguments: str):
        return json.loads(self.zato("--json", *arguments))

    def part(self, name: str) -> dict[str, str]:
        parts = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return next(part for part in parts if part["name"] == name)

    @property
    def address(self) -> str:
        return "http://" + self.part("lb-agent")["frontend_address"]

    @property
    def token(self) -> str:
        return str(tomllib.loads((self.folder / "secrets.toml").read_text())["token"])

    def client_of(self, name: str) -> tuple[Client, str]:
        """A gRPC client of that server, and the cluster's token."""
        token = tomllib.loads((self.folder / name / "secrets.toml").read_text())["token"]
        return Client(self.part(name)["grpc_address"], token=token, tls=operator_tls(self.folder)), token

    def states(self) -> dict[str, str]:
        """What the load-balancer thinks of each server."""
        return {backend["name"]: backend["state"] for backend in self.zato_json("lb", "state")["backends"]}

    def deploy(self, version: int) -> None:
        client, _ = self.client_of("server1")
        try:
            request = DeployRequest(file_name="version.py", source=SERVICE.format(version).encode(), wait_s=20)
            response = client.call(ControlPlaneStub(client.channel).Deploy, request, timeout_s=30)
        finally:
            client.close()
        assert len(response.workers) == WORKERS and not response.missing, response
        assert all(worker.is_ok for worker in response.workers), response

    def master_of(self, name: str) -> int:
        text = (self.folder / name / "run" / "server.pid").read_text()
        return int(re.search(r"\d+", text)[0])


@pytest.fixture(scope="session")
def make_cluster() -> type[Cluster]:
    """For tests that need a cluster of their own."""
    return Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, haproxy_program):
    made = Cluster(tmp_path_factory.mktemp("cluster") / "c")
    made.zato("quickstart", "create", str(made.folder))
    give_free_ports(made.folder / "cluster.toml")
    try:
        made.zato("quickstart", "start", str(made.folder))
        made.deploy(0)
        made.zato("object", "create", "channel-http", "version", "url_path=/version", "service=version", "method=GET")
        made.zato("wait", "--timeout", "20")
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder))
