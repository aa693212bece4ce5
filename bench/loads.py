"""One measurement: wrk sends a row's request for a while."""

import json
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.rows import Row
from bench.targets import LOAD_CPU, Running

# wrk is scripted in Lua; what it counted is printed as one line of JSON.
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
{headers}
function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{{"requests": %d, "microseconds": %d, "failed": %d, "refused": %d, "p50": %d, "p99": %d}}\\n',
    summary.requests, summary.duration, failed, summary.errors.status,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measurement:
    """Requests a second, processor time of the server in microseconds a request, latencies in milliseconds."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def log_in(row: Row, address: str) -> dict[str, str]:
    """Return the row's headers, with a bearer token where it wants one."""
    if row.login is None:
        return row.headers
    path, credentials = row.login
    request = urllib.request.Request(address + path, json.dumps(credentials).encode(), row.headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        token = json.loads(response.read())["token"]
    return {**row.headers, "Authorization": f"Bearer {token}"}


def check(row: Row, address: str, headers: Mapping[str, str]) -> None:
    """Raise unless the answer is the right one: wrong answers are fast."""
    request = urllib.request.Request(address + row.path, row.body, dict(headers))  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        body = response.read()
    if row.contains not in body:
        raise RuntimeError(f"{address}{row.path} answers {body[:200]!r}, without {row.contains!r}")


def measure(
    row: Row, target: Running, address: str, headers: Mapping[str, str], *, connections: int, seconds: float
) -> Measurement:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        lines = "\n".join(f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in headers.items())
        script.write(_SCRIPT.format(body=_lua(row.body.decode()), headers=lines))
        script.flush()
        command = ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name]
        before = target.cpu_seconds()
        done = subprocess.run([*command, address + row.path], capture_output=True, text=True, check=True)
        spent = target.cpu_seconds() - before
    counted = json.loads(re.findall(r"^\{.*\}$", done.stdout, re.MULTILINE)[-1])
    if counted["failed"] or counted["refused"] or not counted["requests"]:
        raise RuntimeError(f"{row.name} at {address}: {counted['failed']} failed, {counted['refused']} were refused")
    return Measurement(
        per_second=counted["requests"] / (counted["microseconds"] / 1e6),
        cpu_us=spent / counted["requests"] * 1e6,
        p50_ms=counted["p50"] / 1000,
        p99_ms=counted["p99"] / 1000,
    )


def _lua(text: str) -> str:
    """As a string of Lua, whose decimal escapes stand for bytes."""
    return (
        '"' + "".join(f"\\{byte:03d}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in text.encode()) + '"'
    )


def is_installed(program: str) -> bool:
    return any((Path(folder) / program).exists() for folder in ("/usr/bin", "/usr/local/bin", "/usr/sbin"))
