"""A server as a child process: started on free ports, driven over raw sockets and gRPC, ended by its process id."""

import contextlib
import functools
import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from zato.common.rpc.client import Client
from zato.common.secrets import generate_key
from zato.common.testing import postgresql_server
from zato.common.testing import redis_server as redis_servers
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.waiting import eventually
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, DeployResponse
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.server.odb import schema
from zato.server.odb.database import Database

TOKEN = "token-that-no-log-may-show"
SECRET_KEY = generate_key()
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """One HTTP response, headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cid(self) -> str:
        return self.headers["x-zato-cid"]


class RawConnection:
    """A client that sends exactly the bytes it is told to, and reads what comes."""

    def __init__(self, port: int, timeout_s: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._timeout_s = timeout_s
        self._received = b""

    def send(self, data: bytes) -> None:
        # The server may have answered and closed before all was sent: what counts is what it answered.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def read_head(self) -> tuple[int, dict[str, str]] | None:
        """Return status and headers of the next response; None when the server closed instead."""
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                return None
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, _, value in fields}

    def read_answer(self, *, is_head: bool = False) -> Answer | None:
        """Return the next response, None when the server closed instead."""
        head = self.read_head()
        if head is None:
            return None
        status, headers = head
        length = 0 if is_head or status in (100, 204, 304) else int(headers.get("content-length", 0))
        while len(self._received) < length and self._receive():
            pass
        body, self._received = self._received[:length], self._received[length:]
        return Answer(status, headers, body)

    def read_to_end(self) -> bytes:
        while self._receive():
            pass
        rest, self._received = self._received, b""
        return rest

    def peek(self, timeout_s: float = 0.1) -> bytes:
        """Return what has come and was not read yet, or comes soon."""
        if not self._received:
            self.socket.settimeout(timeout_s)
            with contextlib.suppress(TimeoutError):
                self._receive()
            self.socket.settimeout(self._timeout_s)
        return self._received

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _receive(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self._received += data
        return bool(data)


class Server(ServerProcess):
    """
    A server of the tests' own.

    Args:
        settings: Beside name, addresses and secrets, which are made here.
    """

    def __init__(self, *, odb_url: str = "", redis_url: str, **settings: Any) -> None:
        # Paths of Unix sockets are short, pytest's folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-server-"))
        self.name = str(settings.setdefault("name", f"server{next(_numbers)}"))
        self.http_port, self.grpc_port = free_port(), free_port()
        self.pickup = self.folder / "pickup"
        self.pickup.mkdir()
        self.redis_url = redis_url
        self.odb_url = odb_url or migrated_sqlite_url(self.folder)
        everything = {
            "http_address": f"127.0.0.1:{self.http_port}",
            "grpc_address": f"127.0.0.1:{self.grpc_port}",
            "odb_url": self.odb_url,
            "redis_url": redis_url,
            "token": TOKEN,
            "secret_key": SECRET_KEY,
            "pickup_folder": str(self.pickup),
            "work_folder": str(self.folder / "work"),
            "log_format": "json",
            "workers": 1,
            **settings,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in everything.items()]
        (self.folder / "settings.toml").write_text("\n".join(lines))
        self.log_file = self.folder / "server.log"
        self.command = [sys.executable, "-m", "zato.server", "--folder", str(self.folder)]
        self._client: Client | None = None
        self._family: list[psutil.Process] = []
        super().__init__(self.command, log=self.log_file, is_ready=self.is_ready)

    # Its processes

    def start(self, timeout_s: float = 60.0) -> None:
        super().start(timeout_s)
        self._family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]

    def launch(self) -> None:
        """Start it without waiting until it is ready."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd="/", start_new_session=True
            )

    def wait_for_end(self, timeout_s: float) -> int:
        assert self._process is not None
        return self._process.wait(timeout_s)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def worker_pids(self) -> set[int]:
        """Process ids of the workers, as they report themselves."""
        status = self.admin("zato.cluster.get-status")
        return {worker["pid"] for worker in status["workers"] if worker["server"] == self.name}

    def live_worker_pids(self) -> set[int]:
        sidecar = self.sidecar_pid()
        return {child.pid for child in self.children() if child.pid != sidecar}

    def sidecar_pid(self) -> int:
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                if "zato.server.sidecar" in child.cmdline():
                    return child.pid
        return 0

    def end(self) -> None:
        """
        End it and whatever of it is left, and remove its files.

        At once: how servers stop in order is a test of its own, and to wait for it after each module takes minutes.
        """
        with contextlib.suppress(psutil.Error, AssertionError):
            self._family += self.children()
        self.close_client()
        self.kill()
        for process in self._family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Its log

    def log_text(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_lines(self, event: str = "", since: int = 0) -> list[dict[str, Any]]:
        """Return the lines of the log from byte `since` on that have this event."""
        lines = []
        for line in self.log_file.read_bytes()[since:].splitlines():
            with contextlib.suppress(ValueError):
                parsed = json.loads(line)
                if isinstance(parsed, dict) and (not event or parsed.get("event") == event):
                    lines.append(parsed)
        return lines

    # HTTP

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/health/ready", timeout_s=2.0).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float = 20.0,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def connect(self, timeout_s: float = 20.0) -> RawConnection:
        return RawConnection(self.http_port, timeout_s)

    # gRPC

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(f"127.0.0.1:{self.grpc_port}", token=TOKEN)
        return self._client

    def close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def invoke(self, service: str, payload: Any = None, *, timeout_s: float = 20.0, cid: str = "") -> InvokeResponse:
        request = InvokeRequest(service=service, payload=b"" if payload is None else json.dumps(payload).encode())
        return self.client.call(InvokerStub(self.client.channel).Invoke, request, timeout_s=timeout_s, cid=cid)

    def admin(self, service: str, /, **values: Any) -> Any:
        """Invoke an admin service and return its output."""
        return json.loads(self.invoke(service, values).payload)

    def deploy(self, file_name: str, source: str = "", *, undeploy: bool = False, wait_s: float = 15.0) -> DeployResponse:
        request = DeployRequest(file_name=file_name, source=source.encode(), undeploy=undeploy, wait_s=wait_s)
        return self.client.call(ControlPlaneStub(self.client.channel).Deploy, request, timeout_s=wait_s + 10)

    def wait_until_grpc_serves(self) -> None:
        from zato.common.errors import Unavailable

        def answers() -> bool:
            try:
                return bool(self.invoke("zato.ping", timeout_s=5).payload)
            except Unavailable:
                return False

        eventually(answers, timeout_s=30, what="gRPC to answer")

    def wait_until_applied(self, version: int | None = None) -> None:
        """Wait until every worker of every server that shares the ODB runs the newest configuration, or `version`."""

        def is_applied() -> bool:
            status = self.admin("zato.cluster.get-status")
            wanted = version or status["config_version"]
            return bool(status["workers"]) and all(each["config_version"] >= wanted for each in status["workers"])

        eventually(is_applied, timeout_s=20, what="all workers to apply the configuration")

    def add_channel(self, name: str, url_path: str, service: str, **options: Any) -> None:
        self.admin("zato.channel-http.create", name=name, url_path=url_path, service=service, **options)


def runs(process: psutil.Process) -> bool:
    """Whether it still does. One that has ended counts as running to psutil until its new parent asks how it ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def fetch(port: int, data: bytes, *, is_head: bool = False, timeout_s: float = 20.0) -> Answer | None:
    """Send bytes on a new connection and return the first answer with, as its `rest`, all that came after it."""
    with RawConnection(port, timeout_s) as connection:
        connection.send(data)
        answer = connection.read_answer(is_head=is_head)
        if answer is None:
            return None
        return Answer(answer.status, answer.headers, answer.body, connection.peek())


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def new_redis_url(_redis_url: str) -> Callable[[], str]:
    """Make the URL of an empty Redis database at each call, for servers that live longer than a test."""
    return lambda: redis_servers.fresh_database(_redis_url)


@pytest.fixture(scope="module")
def start_server(new_redis_url: Callable[[], str]) -> Iterator[StartServer]:
    """Start a server with the given settings; all end with the module."""
    servers: list[Server] = []

    def start(*, is_awaited: bool = True, **settings: Any) -> Server:
        if "redis_url" not in settings:
            # One topic is shared by all databases of a Redis: clusters are told apart by their names.
            settings = {"redis_url": new_redis_url(), "cluster": f"test{os.getpid()}-{next(_numbers)}", **settings}
        server = Server(**settings)
        servers.append(server)
        if is_awaited:
            started = time.monotonic()
            server.start()
            print(f"server answered after {time.monotonic() - started:.2f} s")
            server.wait_until_grpc_serves()
        return server

    yield start
    for server in servers:
        server.end()


@functools.cache
def _migrated_sqlite() -> bytes:
    with tempfile.TemporaryDirectory(prefix="zato-test-odb-") as folder:
        url = f"sqlite:///{folder}/odb.db"
        _migrate(url)
        assert os.listdir(folder) == ["odb.db"], "all of it has to be in the one file"
        return Path(folder, "odb.db").read_bytes()


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()


def migrated_sqlite_url(folder: Path) -> str:
    """
    Make an ODB with all tables, and nothing in them, and return its URL.

    To make the tables takes half of a server's start. That servers do is a test of its own, in test_odb_tables.py.
    """
    (folder / "odb.db").write_bytes(_migrated_sqlite())
    return f"sqlite:///{folder}/odb.db"


@pytest.fixture(scope="session")
def new_migrated_postgresql_url(_postgresql_url: str) -> Iterator[Callable[[], str]]:
    """As `migrated_sqlite_url`; all are dropped at the end."""
    made = [postgresql_server.fresh_database(_postgresql_url)]
    _migrate(made[0])

    def make() -> str:
        made.append(postgresql_server.fresh_database(_postgresql_url, like=made[0]))
        return made[-1]

    yield make
    for url in made:
        postgresql_server.drop_database(url, of=_postgresql_url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)], scope="module")
def new_odb_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Make the URL of an ODB with nothing in it at each call; a test that asks for it runs for both databases."""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("new_migrated_postgresql_url")
        return make
    return lambda: migrated_sqlite_url(tmp_path_factory.mktemp("odb"))


SAMPLES = '''
import os
import sys
import time

import gevent

from zato.common.errors import BadRequest
from zato.server.service import Service


class Echo(Service):
    """Answers with what it was sent."""

    def handle(self):
        self.response.payload = {"got": self.request.payload}


class EchoXML(Service):
    def handle(self):
        self.response.payload = {"tag": self.request.payload.tag}


class Input(Service):
    def handle(self):
        self.response.payload = dict(self.request.input)


class Verbs(Service):
    def handle_GET(self):
        self.response.payload = {"verb": "GET"}

    def handle_POST(self):
        self.response.payload = {"verb": "POST"}


class Raw(Service):
    """Answers with the length of what it was sent, and with as many bytes as it is asked for."""

    def handle(self):
        size = int(self.request.http.GET.get("size", 0))
        self.response.headers["X-Received"] = len(self.request.raw_request)
        self.response.payload = b"x" * size


class Slow(Service):
    def handle(self):
        time.sleep(float(self.request.input.get("seconds", 1)))
        self.response.payload = {"pid": os.getpid()}


class Fail(Service):
    def handle(self):
        how = self.request.input.get("how")
        if how == "exit":
            sys.exit(3)
        if how == "timeout":
            raise gevent.Timeout(1)
        if how == "control":
            raise BadRequest("a text \\x00 with \\x0b control characters \\ud800")
        if how == "header":
            self.response.headers["X-Split"] = "a\\r\\nInjected: yes"
        elif how == "status":
            self.response.status_code = "many"
        elif how == "payload":
            self.response.payload = {"what": object()}
        else:
            raise RuntimeError("the secret reason")


class Where(Service):
    def handle(self):
        self.response.payload = {"pid": os.getpid()}
'''


def deploy_samples(server: Server) -> None:
    """Deploy the sample services and make them reachable, e.g. samples.echo at /echo."""
    server.deploy("samples.py", SAMPLES)
    for name, options in {
        "echo": {},
        "echo-xml": {"service": "samples.echo-xml", "data_format": "xml"},
        "form": {"service": "samples.input", "data_format": "form"},
        "input": {},
        "verbs": {},
        "raw": {"data_format": ""},
        "slow": {},
        "fail": {},
        "fail-xml": {"service": "samples.fail", "data_format": "xml"},
        "where": {},
    }.items():
        server.add_channel(name, f"/{name}", **{"service": f"samples.{name}", **options})
    server.add_channel("customer", "/customers/{customer_id}", "samples.input", method="GET")
    server.admin("zato.security-basic-auth.create", name="user", username="user", password="the-right-one")
    server.add_channel("secured", "/secured", "samples.echo", security="user")
    server.wait_until_applied()


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    """A server with the sample services, for all tests of a module that do it no harm."""
    server = start_server(workers=2)
    deploy_samples(server)
    return server
