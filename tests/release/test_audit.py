"""
Known weaknesses of packages, asked of an advisory service of the test's own: no other one can be counted upon.

Whom CI asks is asked here too, by its own name and over TLS, but through a proxy that answers itself instead of leading there.
"""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# By name: the one that OSV's users ask, and the index of packages, which is asked where none is named.
OSV, INDEX = "api.osv.dev", ".".join(("pypi", "org"))
WEAK = {
    "id": "OSV-2026-1",
    "aliases": ["CVE-2026-1"],
    "summary": "It tells everybody",
    "modified": "2026-01-31T12:00:00Z",
    "published": "2026-01-31T12:00:00Z",
    "schema_version": "1.4.0",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "weakling"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


class _Advisories(BaseHTTPRequestHandler):
    """What OSV's /v1/query answers, and what the index says of a release."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_weak = asked == {"package": {"name": "weakling", "ecosystem": "PyPI"}, "version": "1.0"}
        self._answer({"vulns": [WEAK]} if is_weak and self.path == "/v1/query" else {})

    def do_GET(self) -> None:
        weak = {
            "id": WEAK["id"],
            "aliases": WEAK["aliases"],
            "summary": WEAK["summary"],
            "fixed_in": ["1.1"],
            "withdrawn": None,
        }
        self._answer({"info": {}, "vulnerabilities": [weak] if self.path == "/pypi/weakling/1.0/json" else []})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _InPlaceOf(_Advisories):
    """A proxy for TLS that leads nowhere: it is who is asked for, as far as `context` has a certificate of that name."""

    context: ssl.SSLContext
    asked: list[str]

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        with self.context.wrap_socket(self.connection, server_side=True) as connection:
            _Advisories(connection, self.client_address, self.server)
        self.close_connection = True


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve at loopback; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def advisories() -> Iterator[str]:
    with serving(_Advisories) as address:
        yield f"{address}/v1/query"


def audit(pins: str, folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    file = folder / "pins.txt"
    file.write_text(pins)
    command = [sys.executable, "scripts/audit.py", "--required", *arguments, str(file)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_known_weakness_of_what_a_part_runs_with_is_found(advisories: str, tmp_path: Path) -> None:
    code, said = audit("sturdy==2.0\nweakling==1.0 \\\n    --hash=sha256:00\n", tmp_path, "--osv-url", advisories)
    assert (code, "mended in 1.1" in said) == (1, True), said
    assert "2 packages looked for, 1 known weaknesses" in said


def test_what_has_none_passes(advisories: str, tmp_path: Path) -> None:
    code, said = audit("sturdy==2.0\nweakling==1.1\n", tmp_path, "--osv-url", advisories)
    assert (code, "2 packages looked for, 0 known weaknesses" in said) == (0, True), said


def test_a_service_that_does_not_answer_is_an_error_where_an_answer_is_required(tmp_path: Path) -> None:
    code, said = audit("sturdy==2.0\n", tmp_path, "--osv-url", "http://127.0.0.1:1/v1/query")
    assert (code, "no advisory service can be reached" in said) == (1, True), said


@pytest.mark.parametrize(("host", "environ"), [(INDEX, {}), (OSV, {"ZATO_OSV_URL": f"https://{OSV}/v1/query"})])
def test_whom_ci_asks_is_asked_as_it_wants_to_be(host: str, environ: dict[str, str], tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    names = ("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", certificate)
    subprocess.run(["openssl", "req", "-x509", *names, *key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    proxy: Any = type("Proxy", (_InPlaceOf,), {"context": context, "asked": []})
    # Of nobody else's, and nothing from its cache is taken for an answer.
    environ = {**environ, "REQUESTS_CA_BUNDLE": str(certificate), "NO_PROXY": "", "no_proxy": "", "HOME": str(tmp_path)}
    with serving(proxy) as address:
        by_proxy = environ | {"HTTPS_PROXY": address, "https_proxy": address}
        code, said = audit("sturdy==2.0\nweakling==1.0\n", tmp_path, **by_proxy)
        assert (code, "weakling 1.0: CVE-2026-1, mended in 1.1" in said) == (1, True), said
        code, said = audit("sturdy==2.0\nweakling==1.1\n", tmp_path, **by_proxy)
        assert (code, "2 packages looked for, 0 known weaknesses" in said) == (0, True), said
    assert set(proxy.asked) == {f"{host}:443"}
