"""What is measured against what: our server and its rivals, each with one worker on one processor."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from zato.common.testing.processes import ServerProcess, free_port

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
# The rivals have an environment of their own: what they need is no business of ours.
RIVALS_BIN = Path("var/bench/venv/bin").resolve()
# The server runs on one processor and the load on the other, so that neither takes the other's time.
SERVER_CPU, LOAD_CPU = 0, 1
_ANSWER = '{"order_id":12345}'


@dataclass(frozen=True)
class Running:
    """
    Args:
        addresses: Where it answers, by the name in the report; a load-balancer in front is one more of them.
        rows: Names of the requests that it answers; all when empty.
        root_pids: Processes whose time, and whose children's, is counted.
    """

    addresses: dict[str, str]
    rows: frozenset[str]
    root_pids: tuple[int, ...]
    stop: Callable[[], None]

    def cpu_seconds(self) -> float:
        """Processor time of all its processes until now."""
        total = 0.0
        for root in self.root_pids:
            parent = psutil.Process(root)
            for process in (parent, *parent.children(recursive=True)):
                times = process.cpu_times()
                total += times.user + times.system
        return total


def start_rival(name: str, command: Sequence[str], rows: frozenset[str]) -> Running:
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    filled = [word.format(port=port) for word in command]
    process = ServerProcess(
        ["taskset", "-c", str(SERVER_CPU), *filled], log=folder / "log", is_ready=lambda: _answers(f"http://127.0.0.1:{port}/")
    )
    process.start()
    return Running({name: f"http://127.0.0.1:{port}"}, rows, (process.pid,), process.stop)


def start_zato(workers: int = 1) -> Running:
    """
    A cluster of one server behind HAProxy, with the benchmark's services and channels.

    Two workers have both processors, which the load shares with them, and are there for plain requests only.
    """
    processors = str(SERVER_CPU) if workers == 1 else f"{SERVER_CPU},{LOAD_CPU}"
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-")) / "cluster"
    environment = {**os.environ, "ZATO_CLUSTER": str(folder), "ZATO_SERVER_WORKERS": str(workers), "NO_COLOR": "1"}

    def zato(*arguments: str) -> str:
        command = ["taskset", "-c", processors, str(BIN / "zato"), *arguments]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"zato {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout

    def stop() -> None:
        zato("quickstart", "destroy", "--yes", str(folder))

    zato("quickstart", "create", str(folder), "--servers", "1")
    try:
        zato("quickstart", "start", str(folder))
        zato("service", "deploy", str(HERE / "services" / "bench_services.py"), "--wait", "20")
        zato("enmasse", "apply", str(HERE / "services" / "objects.toml"))
        zato("wait", "--timeout", "20")
    except BaseException:
        stop()
        raise
    parts = {part["name"]: part for part in _parts(folder)}
    if workers > 1:
        return Running(
            {f"zato {workers} workers": f"http://{parts['server1']['http_address']}"},
            frozenset({"plain", "full"}),
            (_server_pid(folder),),
            stop,
        )
    addresses = {
        "zato": f"http://{parts['server1']['http_address']}",
        "zato+haproxy": f"http://{parts['lb-agent']['frontend_address']}",
    }
    return Running(addresses, frozenset(), (_server_pid(folder),), stop)


def _parts(folder: Path) -> list[dict[str, str]]:
    import tomllib

    parts: list[dict[str, str]] = tomllib.loads((folder / "cluster.toml").read_text())["parts"]
    return parts


def _server_pid(folder: Path) -> int:
    import re

    match = re.search(r"\d+", (folder / "server1" / "run" / "server.pid").read_text())
    assert match is not None
    return int(match[0])


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2)  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


PLAIN = frozenset({"plain", "json-10k", "json-1m"})
GUNICORN = (str(RIVALS_BIN / "gunicorn"), "--worker-class", "gevent", "--workers", "1", "--bind", "127.0.0.1:{port}", "--chdir")
RIVALS: dict[str, tuple[Sequence[str], frozenset[str]]] = {
    "gunicorn": ((*GUNICORN, str(HERE / "rivals"), "hello:application"), PLAIN),
    "flask": ((*GUNICORN, str(HERE / "rivals"), "flask_app:application"), PLAIN),
    "fastapi": (
        (
            *(str(RIVALS_BIN / "uvicorn"), "--app-dir", str(HERE / "rivals"), "--port", "{port}", "--loop", "uvloop"),
            *("--http", "httptools", "--no-access-log", "--log-level", "warning", "fastapi_app:application"),
        ),
        PLAIN | {"simple-io", "model"},
    ),
    "granian": (
        (
            *(str(RIVALS_BIN / "granian"), "--interface", "asgi", "--port", "{port}", "--no-access-log", "--working-dir"),
            *(str(HERE / "rivals"), "fastapi_app:application"),
        ),
        PLAIN | {"simple-io", "model"},
    ),
}


def start_haproxy() -> Running:
    """The physical limit: HAProxy answers by itself, without reading what it was sent."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    (folder / "haproxy.cfg").write_text(
        "global\n  nbthread 1\ndefaults\n  mode http\n  timeout client 30s\n  timeout connect 1s\n  timeout server 30s\n"
        f"frontend f\n  bind 127.0.0.1:{port}\n"
        "  http-request return status 200 content-type application/json string '{\"order_id\":12345}'\n"
    )
    command = ["taskset", "-c", str(SERVER_CPU), "haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    process = ServerProcess(
        command,
        log=folder / "log",
        is_ready=lambda: _answers(f"http://127.0.0.1:{port}/"),
        stop_signal=signal.SIGTERM,
    )
    process.start()
    return Running({"haproxy-200": f"http://127.0.0.1:{port}"}, frozenset({"plain"}), (process.pid,), process.stop)


def start_nginx() -> Running:
    """The same of nginx, which does a little more of the work."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    (folder / "nginx.conf").write_text(
        f"worker_processes 1;\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{\n  access_log off;\n  keepalive_requests 100000000;\n  client_body_temp_path {folder}/body;\n"
        f"  server {{\n    listen 127.0.0.1:{port};\n    location / {{\n      default_type application/json;\n"
        f"      return 200 '{_ANSWER}';\n    }}\n  }}\n}}\n"
    )
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    process = ServerProcess(
        ["taskset", "-c", str(SERVER_CPU), nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        log=folder / "log",
        is_ready=lambda: _answers(f"http://127.0.0.1:{port}/"),
        stop_signal=signal.SIGTERM,
    )
    process.start()
    return Running({"nginx-200": f"http://127.0.0.1:{port}"}, frozenset({"plain"}), (process.pid,), process.stop)


def start_all(names: Sequence[str]) -> dict[str, Running]:
    """Start the targets of these names; `zato` comes with its load-balancer."""
    starters: dict[str, Callable[[], Running]] = {
        "zato": start_zato,
        "zato-2": lambda: start_zato(2),
        "haproxy-200": start_haproxy,
        "nginx-200": start_nginx,
    }
    for name, (command, rows) in RIVALS.items():
        starters[name] = lambda name=name, command=command, rows=rows: start_rival(name, command, rows)  # type: ignore[misc]
    running: dict[str, Running] = {}
    try:
        for name in names:
            running[name] = starters[name]()
    except BaseException:
        stop_all(running)
        raise
    return running


def stop_all(running: dict[str, Running]) -> None:
    for each in running.values():
        each.stop()
