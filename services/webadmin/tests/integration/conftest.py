"""
A cluster of two servers and a connector, as `zato quickstart` starts it, the web admin in it and a real browser before it.

`page` is somebody's who is not signed in, `ann` an administrator's. Whatever a page says on its console, or fails to
load, fails the test, unless it is among what the test expects: `Watched.expected`.
"""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from zato.common.cli.admin import Admin, Servers
from zato.common.cli.operator import operator_tls
from zato.common.testing.plugin import require_program
from zato.common.testing.processes import give_free_ports

ZATO = str(Path(sys.executable).parent / "zato")
FAILURES = Path(__file__).resolve().parents[4] / "var/webadmin/failures"
ROLES = ("viewer", "operator", "developer", "deployer", "admin")
PASSWORD = "correct horse battery staple"
# What leads to a file, or out of the session.
_NOT_PAGES = re.compile(r"/export$|/content$|/sign-out$|^#")
_MOST_PAGES = 170
WIDE = {"width": 1280, "height": 800}
# What is waited for comes at once, but not on a machine that has ten other things to do.
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        done = subprocess.run([ZATO, *arguments], env=self.environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def invoke(self, service: str, values: dict[str, Any]) -> Any:
        """As a part of the cluster, which may everything."""
        servers = Servers((self.part("server1")["grpc_address"],), self.token, "tests", operator_tls(self.folder))
        with Admin(servers) as admin:
            return admin.invoke(service, values)

    def fill(self, objects: int, audit_rows: int) -> None:
        """Make so many objects of three kinds each, and rows of the audit log, which by the API would take too long."""
        rows = [
            wanted
            for number in range(objects)
            for wanted in (
                {"kind": "security-basic-auth", "name": f"many-{number:04}", "username": f"many-{number}", "password": "p"},
                {"kind": "channel-http", "name": f"many-{number:04}", "url_path": f"/many/{number}", "service": "zato.ping"},
                {"kind": "outgoing-http", "name": f"many-{number:04}", "host": f"http://127.0.0.1:{number + 1}"},
            )
        ]
        self.invoke("zato.enmasse.apply", {"objects": [{**row, "is_active": row["kind"] != "outgoing-http"} for row in rows]})
        with contextlib.closing(sqlite3.connect(self.folder / "odb.db", timeout=30)) as database, database:
            names = [row[1] for row in database.execute("PRAGMA table_info(audit)") if row[1] != "id"]
            columns = ", ".join(f'"{name}"' for name in names)
            database.execute(
                f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {audit_rows}) "
                f"INSERT INTO audit (id, {columns}) SELECT (SELECT max(id) FROM audit) + n, {columns} "
                "FROM numbers, (SELECT * FROM audit ORDER BY id DESC LIMIT 1)"
            )
            database.execute("UPDATE audit_head SET last_id = (SELECT max(id) FROM audit)")

    def part(self, name: str) -> dict[str, str]:
        parts = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return next(part for part in parts if part["name"] == name)

    def sessions_seen_at(self) -> dict[str, float]:
        """Return when whoever is signed in was there last, by the key in Redis."""
        secrets = tomllib.loads((self.folder / "secrets.toml").read_text())
        client = redis.Redis.from_url(f"redis://:{secrets['redis_password']}@{self.part('redis')['address']}/0")
        keys: Any = client.keys("*:webadmin:session:*")
        return {key.decode(): json.loads(client.get(key))["seen_at"] for key in keys}

    @property
    def token(self) -> str:
        return str(tomllib.loads((self.folder / "secrets.toml").read_text())["token"])

    @property
    def url(self) -> str:
        return f"http://{self.part('webadmin')['http_address']}"

    @property
    def load_balancer(self) -> str:
        return f"http://{self.part('lb-agent')['frontend_address']}"


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        page = self.page
        page.on("console", lambda message: self._note(f"{message.type}: {message.text}", message.type in ("error", "warning")))
        page.on("pageerror", lambda error: self._note(f"script: {error}", True))
        page.on("requestfailed", lambda request: self._note(f"not loaded: {request.url} ({request.failure})", True))

    def _note(self, text: str, is_problem: bool) -> None:
        # What a page that is left was loading still is nobody's concern.
        if is_problem and "ERR_ABORTED" not in text:
            self.problems.append(text)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.open("/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("text=Sign in >> visible=true >> nth=-1")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def serious_findings(self) -> list[str]:
        """What keeps people with disabilities from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:200]})"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]

    @staticmethod
    def shape_of(link: str) -> str:
        """Pages of two objects of one kind, or of one list in two orders, are the same page."""
        return re.sub(r"/\d+", "/N", link.partition("?")[0])

    def findings_of_all(self) -> tuple[set[str], dict[str, list[str]]]:
        """Return the pages that links lead to, and what keeps people with disabilities from using one."""
        findings, looked_at = {}, set()

        def look() -> None:
            # Pages of kinds are made by the same templates.
            page = re.sub(r"/objects/[^/]+/", "/objects/", self.shape_of(self.page.url))
            if page not in looked_at and (found := self.serious_findings()):
                findings[self.page.url] = found
            looked_at.add(page)

        return self.visit_all(look), findings

    def visit_all(self, look: Callable[[], None]) -> set[str]:
        """Follow all links from the first page, and look at each page once; half of them in the dark."""
        waiting, seen = ["/"], set()
        while waiting and len(seen) < _MOST_PAGES:
            link = waiting.pop()
            if self.shape_of(link) in seen:
                continue
            seen.add(self.shape_of(link))
            self.page.emulate_media(color_scheme="dark" if len(seen) % 2 else "light")
            response = self.page.goto(f"{self.url}{link}", wait_until="domcontentloaded")
            assert response is not None and response.status == 200, f"{link} answers {response and response.status}"
            look()
            waiting += self._links()
        return seen

    def _links(self) -> list[str]:
        found = self.page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
        return [link.partition("#")[0] for link in found if link.startswith("/") and not _NOT_PAGES.search(link)]

    def unexpected_problems(self) -> list[str]:
        return [each for each in self.problems if not any(text in each for text in self.expected)]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, haproxy_program: str) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster") / "c")
    made.zato("quickstart", "create", str(made.folder), "--servers", "2", "--with", "connector-zmq")
    give_free_ports(made.folder / "cluster.toml")
    try:
        made.zato("quickstart", "start", str(made.folder))
        for role in ROLES:
            account = {"name": f"the-{role}", "role": role, "password": PASSWORD, "must_change_password": False}
            made.invoke("zato.account.create", account)
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = require_program("chromium")
    with sync_playwright() as playwright:
        # As root, as in containers, there is no sandbox; it only ever sees our own pages.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=WIDE, timezone_id="Europe/Berlin", reduced_motion="reduce")
    made.set_default_timeout(_PATIENCE_MS)
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a page looked like when its test failed."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        FAILURES.mkdir(parents=True, exist_ok=True)
        page.page.screenshot(path=FAILURES / f"{re.sub(r'[^a-z0-9_-]+', '-', item.name)}.png", full_page=True)
    return report


@pytest.fixture
def page(context: BrowserContext, cluster: Cluster) -> Iterator[Watched]:
    watched = Watched(context.new_page(), cluster.url)
    yield watched
    assert watched.unexpected_problems() == []


@pytest.fixture(scope="session")
def signed_in(browser: Browser, cluster: Cluster) -> dict[str, Any]:
    """What the browsers of people of each role keep once they are signed in."""
    states = {}
    for role in ROLES:
        context = browser.new_context()
        Watched(context.new_page(), cluster.url).sign_in(f"the-{role}")
        states[role] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def ann(context: BrowserContext, page: Watched, signed_in: dict[str, Any]) -> Watched:
    context.add_cookies(signed_in["admin"]["cookies"])
    return page
