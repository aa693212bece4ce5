"""A cluster for what is measured of the system as a whole: one server with two workers, HAProxy before it, all processors."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from zato.common.cli.operator import operator_tls
from zato.common.rpc.client import Client

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


class Cluster:
    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.server_folder = folder / "server1"
        self._environment = {
            **os.environ,
            "ZATO_CLUSTER": str(folder),
            "ZATO_SERVER_WORKERS": str(workers),
            "NO_COLOR": "1",
        }
        self.zato("quickstart", "create", str(folder), "--servers", "1")

    def zato(self, *arguments: str) -> str:
        command = [str(BIN / "zato"), *arguments]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"zato {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout

    def start(self) -> None:
        self.zato("quickstart", "start", str(self.folder))
        self.zato("service", "deploy", str(HERE / "services" / "bench_services.py"), "--wait", "20")
        self.zato("enmasse", "apply", str(HERE / "services" / "objects.toml"))
        self.zato("wait", "--timeout", "20")

    def destroy(self) -> None:
        self.zato("quickstart", "destroy", "--yes", str(self.folder))

    def part(self, name: str) -> dict[str, str]:
        parts: list[dict[str, str]] = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return next(part for part in parts if part["name"] == name)

    @property
    def server(self) -> str:
        return self.part("server1")["http_address"]

    @property
    def balancer(self) -> str:
        return self.part("lb-agent")["frontend_address"]

    def processes(self) -> list[psutil.Process]:
        """The server's master, its workers and its sidecar."""
        match = re.search(r"\d+", (self.server_folder / "run" / "server.pid").read_text())
        assert match is not None
        master = psutil.Process(int(match[0]))
        return [master, *master.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time of these processes until now, in seconds."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.processes()))

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A gRPC client of the server."""
        token = tomllib.loads((self.server_folder / "secrets.toml").read_text())["token"]
        client = Client(self.part("server1")["grpc_address"], token=token, tls=operator_tls(self.folder))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running_cluster(workers: int = 2) -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="zato-bench-")) / "cluster", workers)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.destroy()
