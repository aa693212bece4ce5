"""
The web admin with 1,000 objects of three kinds and 100,000 rows in the audit log: `make bench-webadmin`, about two minutes.

How long each page takes to be answered, one after the other, as a browser on the same machine sees it.
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
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.figures import Figure, keep

BIN = Path(sys.executable).parent
PASSWORD = "correct horse battery staple"  # noqa: S105 (of a cluster that is destroyed at the end)
OBJECTS, AUDIT_ROWS, TIMES = 1_000, 100_000, 60
PAGES = (
    "/",
    "/objects/channel-http/",
    "/objects/channel-http/?q=many-0777",
    "/objects/channel-http/?sort=-url_path&page=20",
    "/objects/channel-http/new",
    "/objects/channel-http/live",
    "/objects/security-basic-auth/",
    "/services/",
    "/services/zato.ping",
    "/scheduler/",
    "/queues/",
    "/audit/",
    "/audit/?query=channel-http",
    "/audit/?who=cluster&page=50",
    "/files/",
    "/accounts/",
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

    @property
    def address(self) -> str:
        parts = tomllib.loads((self._folder / "cluster.toml").read_text())["parts"]
        return str(next(part["http_address"] for part in parts if part["part"] == "webadmin"))

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

    def _answer(self) -> tuple[int, bytes]:
        response = self._connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._cookie = value.partition(";")[0]
        return response.status, response.read()


def measure(browser: Browser, path: str) -> dict[str, Any]:
    times_ms = []
    for _ in range(TIMES):
        started = time.perf_counter()
        status, body = browser.get(path)
        times_ms.append((time.perf_counter() - started) * 1000)
        assert status == 200, f"{path} answers {status}"
    p50, p95 = statistics.median(times_ms), statistics.quantiles(times_ms, n=20)[-1]
    return {"path": path, "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "bytes": len(body)}


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
        browser = Browser(cluster.address)
        browser.sign_in("bench", PASSWORD)
        results = [measure(browser, path) for path in PAGES]
    finally:
        cluster.zato("quickstart", "destroy", "--yes", str(folder))
    for each in results:
        print(f"{each['p50_ms']:8.1f} {each['p95_ms']:8.1f} ms  {each['bytes']:9,} bytes  {each['path']}")
    keep("webadmin", [Figure(f"{each['path']} (p95)", each["p95_ms"], "ms", "≤ 100") for each in results])
    return 0


if __name__ == "__main__":
    sys.exit(main())
