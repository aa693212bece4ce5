"""Servers and connectors as child processes, for tests of connectors against what is real."""

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from zato.common.errors import ZatoError
from zato.common.rpc.client import Client
from zato.common.secrets import generate_key
from zato.common.testing.processes import ServerProcess, free_port
from zato.proto.connector.v1 import connector_pb2 as messages
from zato.proto.connector.v1.connector_pb2_grpc import ConnectorStub
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

TOKEN = "token-that-no-log-may-show"  # noqa: S105 (of tests)
SECRET_KEY = generate_key()


class Part:
    """One process, started as people start it, with a folder of its own. Ended by its process id."""

    def __init__(self, module: str, settings: dict[str, Any]) -> None:
        # Paths of Unix sockets are short, pytest's folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-"))
        self.name, self.address = str(settings["name"]), str(settings["grpc_address"])
        settings = {name: str(self.folder / value) if isinstance(value, Path) else value for name, value in settings.items()}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (self.folder / "settings.toml").write_text("\n".join(lines))
        self.log = self.folder / "log"
        command = [sys.executable, "-m", module, "--folder", str(self.folder)]
        self.process = ServerProcess(command, log=self.log, is_ready=self.is_ready)
        self.client = Client(self.address, token=TOKEN)

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.process.start(60)

    def kill(self) -> None:
        """End it at once, with all its processes. Does nothing when it has ended."""
        self.process.kill_family()

    def end(self) -> None:
        """Kill it, for how parts stop in order is a test of its own, and remove its files."""
        # pytest shows it when the test failed.
        print(f"--- {self.name}\n{self.log.read_text(errors='replace')[-3000:] if self.log.exists() else ''}")  # noqa: T201
        self.client.close()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server(Part):
    """
    Args:
        settings: Beside those that every server of a test has, e.g. `connector_zmq_addresses`.
    """

    def __init__(self, name: str, odb_url: str, redis_url: str, cluster: str, **settings: Any) -> None:
        self.http_address = f"127.0.0.1:{free_port()}"
        super().__init__(
            "zato.server",
            {
                "name": name,
                "cluster": cluster,
                "http_address": self.http_address,
                "grpc_address": f"127.0.0.1:{free_port()}",
                "odb_url": odb_url,
                "redis_url": redis_url,
                "token": TOKEN,
                "secret_key": SECRET_KEY,
                "work_folder": Path("work"),
                "pickup_folder": Path("pickup"),
                "services_folder": Path("services"),
                "workers": 1,
                "log_format": "json",
                **settings,
            },
        )

    def is_ready(self) -> bool:
        with contextlib.suppress(ZatoError):
            return bool(self.invoke("zato.ping", {}, timeout_s=2.0))
        return False

    def invoke(self, service: str, values: dict[str, Any], *, timeout_s: float = 20.0) -> Any:
        request = InvokeRequest(service=service, payload=json.dumps(values).encode())
        response = self.client.call(InvokerStub(self.client.channel).Invoke, request, timeout_s=timeout_s)
        return json.loads(response.payload) if response.payload else None

    def deploy(self, file_name: str, source: str) -> None:
        request = DeployRequest(file_name=file_name, source=source.encode(), wait_s=15)
        response = self.client.call(ControlPlaneStub(self.client.channel).Deploy, request, timeout_s=30)
        assert response.workers, response
        assert all(worker.is_ok for worker in response.workers), response


class Connector(Part):
    """
    Args:
        module: e.g. "zato.connector_zmq".
        settings: Beside those that every connector has.
    """

    def __init__(self, module: str, name: str, address: str, servers: list[str], **settings: Any) -> None:
        everything = {"name": name, "grpc_address": address, "server_addresses": servers, "token": TOKEN, **settings}
        super().__init__(module, {**everything, "log_format": "json"})

    def is_ready(self) -> bool:
        with contextlib.suppress(ZatoError):
            return bool(self.call("GetStatus", timeout_s=1.0).name)
        return False

    def call(self, method: str, *, timeout_s: float = 20.0, **fields: Any) -> Any:
        request = getattr(messages, "SettleDeadLettersRequest" if method.endswith("eDeadLetters") else f"{method}Request")(
            **fields
        )
        return self.client.call(getattr(ConnectorStub(self.client.channel), method), request, timeout_s=timeout_s)

    def is_connected(self, name: str) -> bool:
        return any(each.name == name and each.is_connected for each in self.call("GetStatus").objects)
