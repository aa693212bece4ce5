"""A server and two connectors of a protocol, with services that note what they get: what tests of connectors run against."""

import base64
import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import redis

from zato.common.errors import Unavailable, ZatoError
from zato.common.testing.connector_parts import TOKEN, Connector, Server
from zato.common.testing.processes import free_port
from zato.common.testing.steady import SteadySender
from zato.common.testing.waiting import eventually

# On a machine that is busy with other things, and whose disk takes long to confirm what was written.
PATIENCE_S = 60.0

_SERVICES = '''
import json
import os
import time

from zato.server.service import Service

FOLDER = "@FOLDER@"


def note(name, line):
    with open(os.path.join(FOLDER, name), "a") as file:
        file.write(line + chr(10))


class Note(Service):
    """Writes the body to a file named after its channel."""

    name = "@PROTOCOL@.note"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())


class Gated(Service):
    """Notes that it has begun. Of a channel, the first 200 messages are done at once; the others wait until somebody opens."""

    name = "@PROTOCOL@.gated"

    def handle(self):
        channel, line = self.channel.name, self.request.raw_request.decode()
        note(channel + ".begun", line)
        with open(os.path.join(FOLDER, channel + ".begun")) as file:
            has_to_wait = line not in file.read().split()[:200]
        while has_to_wait and not os.path.exists(os.path.join(FOLDER, channel + ".open")):
            time.sleep(0.1)
        note(channel, line)


class Slow(Service):
    name = "@PROTOCOL@.slow"

    def handle(self):
        time.sleep(0.5)
        note(self.channel.name, self.request.raw_request.decode())


class Fail(Service):
    name = "@PROTOCOL@.fail"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        raise ValueError("the reason")


class Kill(Service):
    """Ends its worker, as a crash in C code or a lack of memory does."""

    name = "@PROTOCOL@.kill"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        if self.request.raw_request == b"bad":
            os.kill(os.getpid(), 9)
'''


class ConnectorCluster:
    """
    The first connector runs, the second one is there to be started. Whoever stops a part starts it again.

        with Cluster(odb_url, redis_url) as cluster:
            cluster.make_channel("orders", "amqp.note", queue="orders")

    Attributes:
        protocol: As in the names of its kinds.
        module: What starts a connector.
        services: More of them, in Python; they may use `note(name, line)`.
        prefetch: The option of a channel that says how many messages it has at most.
        setting: Of servers: where the connectors are; by the protocol's name when empty.
    """

    protocol: ClassVar[str]
    module: ClassVar[str]
    services: ClassVar[str] = ""
    prefetch: ClassVar[str]
    setting: ClassVar[str] = ""

    def __init__(
        self, odb_url: str, redis_url: str, /, server_settings: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        self._redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self._account = ""
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        known = {self.setting or f"connector_{self.protocol}_addresses": addresses}
        self.server = Server("server1", odb_url, redis_url, f"test-{free_port()}", **known, **(server_settings or {}))
        self.http_address = f"127.0.0.1:{free_port()}"
        more: tuple[dict[str, Any], ...] = ({"http_address": self.http_address}, {})
        self.connectors = [
            Connector(self.module, f"{self.protocol}{at + 1}", address, [self.server.address], **settings, **more[at])
            for at, address in enumerate(addresses)
        ]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def start(self) -> None:
        self.server.start()
        source = (_SERVICES + self.services).replace("@FOLDER@", str(self.folder)).replace("@PROTOCOL@", self.protocol)
        self.server.deploy(f"{self.protocol.replace('-', '_')}_services.py", source)
        self.connectors[0].start()
        eventually(self._is_registered, timeout_s=PATIENCE_S, what="the kinds")

    def end(self) -> None:
        for part in (*self.connectors, self.server):
            part.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_registered(self) -> bool:
        with contextlib.suppress(ZatoError):
            self.server.invoke(f"zato.channel-{self.protocol}.get-list", {})
            return True
        return False

    # What the protocol's own tests say

    def safe_channel(self, name: str, service: str, **options: Any) -> None:
        """Make a channel of the sort that loses nothing, and wait until messages can come."""
        raise NotImplementedError

    def give(self, name: str, bodies: Sequence[str]) -> None:
        """Give messages to a channel, and return once all of them are kept or done. The connector may die meanwhile."""
        raise NotImplementedError

    def give_malformed(self, name: str) -> int:
        """
        Give a channel ten thousand messages such as no library makes.

        Returns how many of them the connector has to take: of all others the peer has heard that they are refused, and why.
        """
        raise NotImplementedError

    def is_empty(self, name: str) -> bool:
        """Whether the channel's peer has nothing more for it."""
        raise NotImplementedError

    def broken_options(self, name: str) -> dict[str, Any]:
        """Return options with which the channel cannot run."""
        raise NotImplementedError

    def whole_options(self, name: str) -> dict[str, Any]:
        """Return those with which it can."""
        raise NotImplementedError

    # What all can do

    def create(self, kind: str, name: str, **options: Any) -> bool:
        """Make an object. Returns whether that could be done: not while its kind is unknown, nor where it is there already."""
        with contextlib.suppress(ZatoError):
            self.server.invoke(f"zato.{kind}.create", {"name": name, **options})
            return True
        return False

    def make_channel(self, name: str, service: str, **options: Any) -> None:
        """Make a channel, and wait until messages can come."""
        self.server.invoke(f"zato.channel-{self.protocol}.create", {"name": name, "service": service, **options})
        self.await_connected(name)

    @contextlib.contextmanager
    def giving(self, name: str, bodies: Sequence[str]) -> Iterator[None]:
        """Give them meanwhile; in the end all of them are kept or done."""
        errors: list[BaseException] = []

        def work() -> None:
            try:
                self.give(name, bodies)
            except BaseException as exc:
                errors.append(exc)

        thread = threading.Thread(target=work, name="giving", daemon=True)
        thread.start()
        yield
        thread.join(PATIENCE_S * 2)
        assert not thread.is_alive(), "not all messages were taken"
        if errors:
            raise errors[0]

    @contextlib.contextmanager
    def given(self, name: str, bodies: Sequence[str]) -> Iterator[None]:
        """Have all of them with the peer, confirmed and so not to be lost, as long as the channel takes not all of them."""
        self.give(name, bodies)
        yield

    def open(self, name: str) -> None:
        """Let go the messages of a channel that wait in the service `gated`, and all that come."""
        (self.folder / f"{name}.open").touch()

    def remembered(self, name: str) -> int:
        """Return how many messages of a channel the inbox has marked as done."""
        keys = list(self._redis.scan_iter(f"*:{name}:*", count=1000))
        return sum(value == "done" for value in self._redis.mget(keys)) if keys else 0

    def over_http(self, service: str, **values: Any) -> tuple[int, Any]:
        """Invoke an admin service as a person with an account does, by HTTP; return the status and the answer's own part."""
        if not self._account:
            password = secrets.token_urlsafe(16)
            account = {"name": "tester", "role": "admin", "password": password, "must_change_password": False}
            self.server.invoke("zato.account.create", account)
            self._account = base64.b64encode(f"tester:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {self._account}", "Content-Type": "application/json"}
        url = f"http://{self.server.http_address}/zato/json/{service}"
        request = urllib.request.Request(url, json.dumps(values).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 (of tests)  # nosec B310
                status, answer = response.status, json.load(response)
        except urllib.error.HTTPError as exc:
            status, answer = exc.code, json.load(exc)
        element = f"{service.replace('.', '_').replace('-', '_')}_response"
        return status, answer[element] if status == HTTPStatus.OK else answer["zato_env"]["details"]

    def by_command(self, service: str, **values: Any) -> Any:
        """Invoke a service by `zato service invoke`, and return what it prints."""
        token_file = self.folder / "token"
        token_file.write_text(TOKEN)
        words = ["--json", "service", "invoke", service, "--payload", json.dumps(values)]
        where = ["--server", self.server.address, "--token-file", str(token_file)]
        command = [str(Path(sys.executable).parent / "zato"), *words, *where]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def edit(self, name: str, **options: Any) -> None:
        self.server.invoke(f"zato.channel-{self.protocol}.edit", {"name": name, **options})

    def delete(self, name: str) -> None:
        eventually(self.server.is_ready, timeout_s=PATIENCE_S, what="the server")
        self.server.invoke(f"zato.channel-{self.protocol}.delete", {"name": name})

    def status(self, name: str, at: int = 0) -> Any:
        """Return how an object fares at a connector, None where it knows none."""
        return next((each for each in self.connectors[at].call("GetStatus").objects if each.name == name), None)

    def await_connected(self, name: str) -> None:
        eventually(lambda: self.connectors[0].is_connected(name), timeout_s=PATIENCE_S, what=f"{name} to be connected")

    def queues(self) -> dict[str, Any]:
        """Return what the servers say of queues, by name."""
        return {each["name"]: each for each in self.server.invoke("zato.queue.get-list", {})}

    def letters(self, name: str) -> list[dict[str, Any]]:
        """Return the dead letters of a channel, the newest first; none while the server's worker is gone."""
        queue = f"channel-{self.protocol}:{name}"
        with contextlib.suppress(Unavailable):
            # Of a channel with thousands of them, on a machine that is busy.
            return list(self.server.invoke("zato.queue.get-messages", {"queue": queue}, timeout_s=PATIENCE_S)["data"])
        return []

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def await_settled(self, name: str, waiting: Sequence[str], senders: Sequence[SteadySender]) -> Counter[str]:
        """
        Wait until all that was confirmed is done and the peer has no more; return what was done more often than it was sent.

        Args:
            waiting: What was given beside the senders, each once.
        """
        sent = [*waiting, *(body for each in senders for body in each.confirmed)]
        self.await_all(name, sent)
        eventually(lambda: self.is_empty(name), timeout_s=PATIENCE_S, what=f"{name} to have nothing left")
        attempts = Counter(waiting)
        for each in senders:
            attempts += each.attempts
        twice = Counter(self.lines(name)) - attempts
        print(f"{name}: {len(sent)} confirmed, none lost, {twice.total()} done twice")  # noqa: T201 (pytest shows it)
        return twice

    def await_all(self, name: str, bodies: Sequence[str], timeout_s: float = PATIENCE_S) -> Counter[str]:
        """Wait until each of them was written at least once; return how often each was."""
        eventually(lambda: set(self.lines(name)) >= set(bodies), timeout_s=timeout_s, what=f"all messages of {name}")
        return Counter(self.lines(name))
