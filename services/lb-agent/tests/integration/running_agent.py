"""A real agent with a real HAProxy, servers that can be killed, and clients that count what fails."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from zato.common.errors import ZatoError
from zato.common.rpc.client import Client
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually
from zato.proto.load_balancer.v1 import load_balancer_pb2 as messages
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub

TOKEN = "a-token-of-the-tests"
PASSWORD = 'it\'s "quoted" $HOME'


class Server:
    """A backend process; `port` stays the same over restarts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        script = Path(__file__).with_name("backend.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), self.name, str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline()) == self.port

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=20) as response:
            return json.load(response)

    def seen(self, path: str = "") -> list[dict[str, Any]]:
        """Return the requests it got, those to `path` if given."""
        return [request for request in self.ask("/_seen") if request["path"] == path or not path]


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def server(self) -> str:
        assert self.status == 200, self.body
        name: str = self.json["server"]
        return name


class AgentProcess:
    """An agent started as people start it, in the folder that `zato create` would make."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.frontend = f"127.0.0.1:{free_port()}"
        self.grpc = f"127.0.0.1:{free_port()}"
        self.log = folder / "lb-agent.log"
        self.access_log = folder / "access.log"
        self.configure(**{"lease_s": 60.0, **settings})
        (folder / "secrets.toml").write_text(f"token = {json.dumps(TOKEN)}\nstats_password = {json.dumps(PASSWORD)}\n")
        self.process: subprocess.Popen[bytes] | None = None
        self._client = Client(self.grpc, token=TOKEN)
        self._stub = LoadBalancerStub(self._client.channel)

    def configure(self, **settings: object) -> None:
        values = {"grpc_address": self.grpc, "frontend_address": self.frontend, "log_format": "json", **settings}
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
        (self.folder / "settings.toml").write_text("".join(lines))

    def spawn(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log, self.access_log.open("ab") as access_log:
            return subprocess.Popen(
                [sys.executable, "-m", "zato.lb_agent", "--folder", str(self.folder)], stdout=access_log, stderr=log
            )

    def start(self) -> "AgentProcess":
        self.process = self.spawn()
        eventually(self._is_up, timeout_s=60)
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(ZatoError):
            self.call("GetState", timeout_s=5.0)
            return self.is_serving()
        return False

    def stop(self) -> int:
        """As `zato stop` does; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self._client.close()
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        left = haproxies_of(self.folder)
        for process in left:
            process.kill()
        assert not left, "HAProxy outlived its agent"

    def call(self, method: str, *, timeout_s: float = 20.0, **fields: Any) -> Any:
        request = getattr(messages, f"{method}Request")(**fields)
        return self._client.call(getattr(self._stub, method), request, timeout_s=timeout_s)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def is_serving(self) -> bool:
        """Whether clients are answered by HAProxy."""
        with contextlib.suppress(OSError):
            return self.get("/zato-lb-alive").status == 200
        return False

    def kill_haproxy(self) -> None:
        """Kill the master; its worker ends with it."""
        for process in haproxies_of(self.folder):
            if process.ppid() == self.pid:
                process.kill()

    def join(self, *servers: Server) -> None:
        for server in servers:
            self.call("Join", name=server.name, address=server.address)

    def states(self) -> dict[str, str]:
        return {backend.name: backend.state for backend in self.call("GetState").backends}

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, address: str = ""
    ) -> Answer:
        connection = http.client.HTTPConnection(address or self.frontend, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def keep(self) -> http.client.HTTPConnection:
        """Return a connection that a first request was answered on, and that stays open."""
        connection = http.client.HTTPConnection(self.frontend, timeout=10)
        connection.request("GET", "/")
        assert Answer(connection.getresponse()).status == 200
        return connection

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def raw(self, data: bytes, *, timeout_s: float = 5.0) -> bytes:
        """Send bytes and return all that comes until the connection is closed or silent for so long."""
        host, port = self.frontend.split(":")
        with socket.create_connection((host, int(port)), timeout=timeout_s) as connection:
            connection.sendall(data)
            received = b""
            with contextlib.suppress(TimeoutError):
                while piece := connection.recv(65536):
                    received += piece
            return received


class Background:
    """Something that takes a while, in a thread; calling this waits for its result."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._results: list[Any] = []
        self._thread = threading.Thread(target=lambda: self._results.append(call()))
        self._thread.start()

    def __call__(self) -> Any:
        self._thread.join()
        (result,) = self._results
        return result


class Load:
    """
    Clients that send idempotent requests one after the other, half of them on connections that they keep.

    They never send one again: whatever fails is counted.
    """

    _methods = ("GET", "GET", "HEAD", "PUT", "OPTIONS", "DELETE")

    def __init__(self, address: str, clients: int = 6) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    @property
    def succeeded(self) -> int:
        return self.statuses[200]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, requests: int) -> None:
        """Wait until so many more have succeeded."""
        wanted = self.succeeded + requests
        eventually(lambda: self.succeeded >= wanted, timeout_s=60)

    def _run(self, number: int) -> None:
        is_kept = number % 2 == 0
        connection: http.client.HTTPConnection | None = None
        for count in range(1_000_000):
            if self._stop.is_set():
                break
            connection = connection or http.client.HTTPConnection(self._address, timeout=15)
            method = self._methods[count % len(self._methods)]
            try:
                connection.request(method, f"/load/{number}/{count}", body=b"x" * 500 if method == "PUT" else None)
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as exc:
                self.failures.append(f"{method}: {exc!r}")
                connection.close()
                connection = None
                continue
            self.statuses[response.status] += 1
            if response.status != 200 or (method != "HEAD" and json.loads(body)["method"] != method):
                self.failures.append(f"{method}: {response.status} {body[:200]!r}")
            if not is_kept or response.will_close:
                connection.close()
                connection = None
            time.sleep(0.002)
        if connection is not None:
            connection.close()


def haproxies_of(folder: Path) -> list[psutil.Process]:
    """Return HAProxy's processes that run with the configuration of this folder."""
    file = str(folder / "work" / "haproxy.cfg")
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "haproxy" and file in process.cmdline():
                found.append(process)
    return found
