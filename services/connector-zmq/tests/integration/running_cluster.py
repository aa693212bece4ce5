"""Servers and connectors as child processes, ended by their process ids."""

import contextlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from zato.common.errors import ZatoError
from zato.common.testing.connector_parts import Connector, Server
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

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


class Cluster:
    def __init__(self, odb_url: str, redis_url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.server = Server("server1", odb_url, redis_url, f"test-{free_port()}", connector_zmq_addresses=addresses[:1])
        self.connectors = [
            Connector("zato.connector_zmq", f"zmq{at}", address, [self.server.address], redis_url=redis_url)
            for at, address in enumerate(addresses, 1)
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
