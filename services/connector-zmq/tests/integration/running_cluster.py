"""Servers and connectors as child processes, ended by their process ids."""

import contextlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from zato.common.errors import ZatoError
from zato.common.rpc.client import Client
from zato.common.secrets import generate_key
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.waiting import eventually
from zato.proto.connector.v1 import connector_pb2 as messages
from zato.proto.connector.v1.connector_pb2_grpc import ConnectorStub
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

TOKEN = "token-that-no-log-may-show"
SECRET_KEY = generate_key()

SERVICES = """
import json
import os

from zato.server.service import Service

FOLDER = "@FOLDER@"


def note(name, line):
    with open(os.path.join(FOLDER, name), "a") as file:
        file.write(line + chr(10))


class Note(Service):
    name = "zmq.note"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())


class Echo(Service):
    name = "zmq.echo"

    def handle(self):
        self.response.payload = "echo " + self.request.raw_request.decode()


class Fail(Service):
    name = "zmq.fail"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        raise ValueError("the reason")


class Send(Service):
    name = "zmq.send"

    def handle(self):
        wanted = self.request.payload
        answer = self.outgoing.zmq.send(wanted["body"], wanted["out"], timeout_s=wanted.get("timeout_s", 10))
        self.response.payload = {"answer": answer.decode()}
"""


class Part:
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
        """End it at once, with all its processes."""
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.kill()

    def end(self) -> None:
        print(f"--- {self.name}\n{self.log.read_text(errors='replace')[-3000:] if self.log.exists() else ''}")
        self.client.close()
        self.process.stop(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Server(Part):
    def __init__(self, name: str, odb_url: str, redis_url: str, cluster: str, connectors: list[str]) -> None:
        super().__init__(
            "zato.server",
            {
                "name": name,
                "cluster": cluster,
                "http_address": f"127.0.0.1:{free_port()}",
                "grpc_address": f"127.0.0.1:{free_port()}",
                "odb_url": odb_url,
                "redis_url": redis_url,
                "token": TOKEN,
                "secret_key": SECRET_KEY,
                "work_folder": Path("work"),
                "pickup_folder": Path("pickup"),
                "services_folder": Path("services"),
                "connector_zmq_addresses": connectors,
                "workers": 1,
                "log_format": "json",
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
        assert response.workers and all(worker.is_ok for worker in response.workers), response


class Connector(Part):
    def __init__(self, name: str, address: str, servers: list[str], redis_url: str) -> None:
        super().__init__(
            "zato.connector_zmq",
            {
                "name": name,
                "grpc_address": address,
                "server_addresses": servers,
                "redis_url": redis_url,
                "token": TOKEN,
                "log_format": "json",
            },
        )

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


class Cluster:
    def __init__(self, odb_url: str, redis_url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.server = Server("server1", odb_url, redis_url, f"test-{free_port()}", addresses[:1])
        self.connectors = [
            Connector(f"zmq{at}", address, [self.server.address], redis_url) for at, address in enumerate(addresses, 1)
        ]

    def start(self) -> "Cluster":
        self.server.start()
        self.server.deploy("zmq_services.py", SERVICES.replace("@FOLDER@", str(self.folder)))
        self.connectors[0].start()
        eventually(self._is_registered, timeout_s=20, what="the kinds")
        return self

    def end(self) -> None:
        for part in (*self.connectors, self.server):
            part.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_registered(self) -> bool:
        with contextlib.suppress(ZatoError):
            self.server.invoke("zato.channel-zmq.get-list", {})
            return True
        return False

    def channel(self, name: str, service: str, **options: Any) -> str:
        """Make a channel, and return its address once it listens there."""
        address = f"tcp://127.0.0.1:{free_port()}"
        self.server.invoke("zato.channel-zmq.create", {"name": name, "address": address, "service": service, **options})
        eventually(lambda: self.connectors[0].is_connected(name), timeout_s=10, what=f"{name} to listen")
        return address

    def outgoing(self, name: str, address: str, **options: Any) -> None:
        """Make an outgoing connection, and wait until the connector has it; its peer need not be there."""
        self.server.invoke("zato.outgoing-zmq.create", {"name": name, "address": address, **options})
        connector = self.connectors[0]
        eventually(lambda: any(each.name == name for each in connector.call("GetStatus").objects), what=f"{name} to be known")

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def await_all(self, name: str, bodies: list[str], timeout_s: float = 30) -> Counter[str]:
        """Wait until each of them was written at least once; return how often each was."""
        eventually(lambda: set(self.lines(name)) >= set(bodies), timeout_s=timeout_s, what=f"all messages of {name}")
        return Counter(self.lines(name))
