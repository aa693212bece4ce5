"""
The web admin with 1,000 objects of three kinds and 100,000 rows in the audit log: `make bench-webadmin`, about three minutes.

How long each page takes to be answered, one after the other, as a browser on the same machine sees it, and how much of the
processors' time that takes in the web admin and in servers: the second holds on a machine that has other things to do, too.
Then how long after a client has its answer its request is on the overview.
"""

import http.client
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from bench.figures import Figure, keep

BIN = Path(sys.executable).parent
PASSWORD = "correct horse battery staple"  # noqa: S105 (of a cluster that is destroyed at the end)
OBJECTS, AUDIT_ROWS, TIMES = 1_000, 100_000, 40
SEEN_TIMES = 20
PAGES = (
    "/",
    "/?span=month",
    "/objects/channel-http/?q=many-0777",
    "/objects/channel-http/?f-service=zato.ping&f-is_active=true",
    "/objects/channel-http/?sort=-url_path&page=20",
    "/objects/channel-http/?size=100",
    "/objects/channel-http/live",
    "/objects/pick?kind=security-basic-auth&o-security=many",
    "/objects/channel-http/{channel}",
    "/objects/channel-http/{channel}/status",
    "/objects/channel-http/{channel}/history",
    "/objects/channel-http/{channel}/delete",
    "/objects/channel-http/{channel}/export",
    "/services/",
    "/services/?of=platform",
    "/services/new",
    "/services/zato.ping",
    "/services/zato.ping/invoke",
    "/scheduler/",
    "/queues/",
    "/queues/async",
    "/cluster/",
    "/load-balancer/",
    "/load-balancer/configuration",
    "/load-balancer/commands",
    "/certificates/",
    "/dictionary/",
    "/kvdb/",
    "/audit/",
    "/audit/1000",
    "/audit/?query=channel-http",
    "/audit/?query=nowhere",
    "/audit/?query=channel-http&who=cluster",
    "/audit/?who=cluster&page=50",
    "/audit/?since=2020-01-01T00:00",
    "/files/",
    "/files/export",
    "/accounts/",
    "/accounts/new",
    "/accounts/bench",
    "/account/settings",
    "/account/security",
    "/account/password",
)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        command = [str(BIN / "zato"), *arguments]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"zato {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout

    def address(self, part: str, name: str) -> str:
        parts = tomllib.loads((self._folder / "cluster.toml").read_text())["parts"]
        return str(next(each[name] for each in parts if each["part"] == part))

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return those that answer pages, by the part."""
        parts = json.loads(self.zato("quickstart", "status", str(self._folder), "--json"))["parts"]
        masters = {each["part"]: psutil.Process(each["pid"]) for each in parts if each["part"] in ("webadmin", "server")}
        return {part: [master, *master.children(recursive=True)] for part, master in masters.items()}

    def channel_id(self) -> int:
        return int(json.loads(self.zato("object", "get", "channel-http", "many-0500", "--json"))["id"])

    def fill(self) -> None:
        kinds: dict[str, list[dict[str, Any]]] = {"security-basic-auth": [], "channel-http": [], "outgoing-http": []}
        for number in range(OBJECTS):
            name = f"many-{number:04}"
            kinds["security-basic-auth"].append({"name": name, "username": name, "password": "p"})
            kinds["channel-http"].append({"name": name, "url_path": f"/many/{number}", "service": "zato.ping"})
            kinds["outgoing-http"].append({"name": name, "host": f"http://127.0.0.1:{number + 1}", "is_active": False})
        file = self._folder / "many.json"
        file.write_text(json.dumps(kinds))
        self.zato("enmasse", "apply", str(file))
        with closing(sqlite3.connect(self._folder / "odb.db", timeout=30)) as odb, odb:
            columns = ", ".join(f'"{row[1]}"' for row in odb.execute("PRAGMA table_info(audit)") if row[1] != "id")
            odb.execute(
                f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {AUDIT_ROWS}) "  # noqa: S608
                f"INSERT INTO audit (id, {columns}) SELECT (SELECT max(id) FROM audit) + n, {columns} "
                "FROM numbers, (SELECT * FROM audit ORDER BY id DESC LIMIT 1)"
            )
            odb.execute("UPDATE audit_head SET last_id = (SELECT max(id) FROM audit)")


class Browser:
    def __init__(self, address: str) -> None:
        self._address = address
        self._connection = http.client.HTTPConnection(address, timeout=60)
        self._cookie = ""

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        return self._answer()

    def sign_in(self, name: str, password: str) -> None:
        _, page = self.get("/sign-in")
        token = re.search(rb'name="csrf" value="(\w+)"', page)
        assert token is not None
        form = urlencode({"csrf": token[1].decode(), "name": name, "password": password})
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/sign-in", form, headers)
        status, _ = self._answer()
        assert status == 302, status

    def events(self, path: str) -> Iterator[str]:
        """Yield what the server sends by itself, as it comes."""
        self._connection.request("GET", path, headers={"Cookie": self._cookie, "Accept": "text/event-stream"})
        for line in self._connection.getresponse():
            if line.startswith(b"data: "):
                yield line.decode()

    def another(self) -> "Browser":
        made = Browser(self._address)
        made._cookie = self._cookie
        return made

    def _answer(self) -> tuple[int, bytes]:
        response = self._connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._cookie = value.partition(";")[0]
        return response.status, response.read()


def measure(browser: Browser, path: str, processes: dict[str, list[psutil.Process]]) -> dict[str, Any]:
    browser.get(path)
    before, times_ms = _cpu_ms(processes), []
    for _ in range(TIMES):
        started = time.perf_counter()
        status, body = browser.get(path)
        times_ms.append((time.perf_counter() - started) * 1000)
        assert status == 200, f"{path} answers {status}"
    cpu_ms = {part: round((after - before[part]) / TIMES, 1) for part, after in _cpu_ms(processes).items()}
    p50, p95 = statistics.median(times_ms), statistics.quantiles(times_ms, n=20)[-1]
    return {"path": path, "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "cpu_ms": cpu_ms, "bytes": len(body)}


def _cpu_ms(processes: dict[str, list[psutil.Process]]) -> dict[str, float]:
    return {part: 1000 * sum(sum(each.cpu_times()[:2]) for each in found) for part, found in processes.items()}


def all_pages(browser: Browser, channel_id: int) -> list[str]:
    """Those of above, and the list and the form of each kind."""
    _, page = browser.get("/")
    kinds = sorted(set(re.findall(r'href="/objects/([a-z0-9-]+)/"', page.decode())))
    return [
        *(path.replace("{channel}", str(channel_id)) for path in PAGES),
        *(f"/objects/{kind}/{what}" for kind in kinds for what in ("", "new")),
    ]


def seconds_until_seen(browser: Browser, load_balancer: str) -> list[float]:
    """How long after the answer each of some requests, to a channel that nobody called before, was in the overview's events."""
    events, found = browser.another().events("/traffic/live"), []
    next(events)
    client = http.client.HTTPConnection(load_balancer, timeout=60)
    # The busiest are shown, and of these that are called once, those that come first in the alphabet.
    for number in reversed(range(SEEN_TIMES)):
        client.request("GET", f"/many/{number}")
        answer = client.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        answered_at = time.perf_counter()
        next(event for event in events if f"many-{number:04}" in event)
        found.append(time.perf_counter() - answered_at)
    return found


def _target(path: str) -> str:
    """Of pages; a file of all objects takes as long as it is large."""
    return "" if path == "/files/export" else "≤ 100"


def figures(results: list[dict[str, Any]], seen_s: list[float]) -> list[Figure]:
    screens, of_kinds = results[: len(PAGES)], results[len(PAGES) :]
    slowest = max(of_kinds, key=lambda found: float(found["p95_ms"]))
    name = f"The slowest of {len(of_kinds)} lists and forms of all kinds, {slowest['path']} (p95)"
    return [
        *(Figure(f"{path} (p95)", each["p95_ms"], "ms", _target(path)) for path, each in zip(PAGES, screens, strict=True)),
        Figure(name, slowest["p95_ms"], "ms", "≤ 100"),
        Figure("From a client's answer until its request is on the overview (most)", round(max(seen_s), 2), "s", "≤ 1"),
    ]


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-")) / "cluster"
    cluster = Cluster(folder)
    cluster.zato("quickstart", "create", str(folder), "--servers", "1")
    try:
        cluster.zato("quickstart", "start", str(folder))
        cluster.fill()
        password = folder / "password"
        password.write_text(PASSWORD)
        cluster.zato("account", "create", "bench", "--role", "admin", "--password-file", str(password))
        browser = Browser(cluster.address("webadmin", "http_address"))
        browser.sign_in("bench", PASSWORD)
        seen_s = seconds_until_seen(browser, cluster.address("lb-agent", "frontend_address"))
        processes, channel_id = cluster.processes(), cluster.channel_id()
        # That connection was idle for too long.
        browser = browser.another()
        results = [measure(browser, path, processes) for path in all_pages(browser, channel_id)]
    finally:
        cluster.zato("quickstart", "destroy", "--yes", str(folder))
    print("     p50      p95      CPU: web admin, servers")
    for each in sorted(results, key=lambda found: -found["p95_ms"]):
        cpu = each["cpu_ms"]
        print(
            f"{each['p50_ms']:8.1f} {each['p95_ms']:8.1f} ms {cpu['webadmin']:7.1f} {cpu['server']:7.1f} ms "
            f"{each['bytes']:9,} bytes  {each['path']}"
        )
    print(f"On the overview {statistics.median(seen_s):.2f} s after the client had its answer, {max(seen_s):.2f} s at most")
    keep("webadmin", figures(results, seen_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
