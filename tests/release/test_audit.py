"""Known weaknesses of packages, asked of an advisory service of the test's own: no other one can be counted upon."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
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
    """What OSV's /v1/query answers."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_weak = (asked["package"]["name"], asked["version"]) == ("weakling", "1.0")
        body = json.dumps({"vulns": [WEAK]} if is_weak else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def advisories() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Advisories)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(pins: str, folder: Path, *arguments: str) -> tuple[int, str]:
    file = folder / "pins.txt"
    file.write_text(pins)
    command = [sys.executable, "scripts/audit.py", "--required", *arguments, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
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
