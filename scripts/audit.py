"""
Look whether packages have known weaknesses: `python scripts/audit.py [--required] [FILE]`, by pip-audit.

FILE is a list of pinned packages, requirements/lock.txt when none is named. Where no advisory service can be reached nothing
is looked for, which is said and is an error only with --required, as in CI. A service of one's own, which answers as OSV's
/v1/query does, is named by --osv-url or $ZATO_OSV_URL.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^[A-Za-z0-9].*?==.*?(?= *\\?$)", re.MULTILINE)
_TIMEOUT_S = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "requirements" / "lock.txt")
    parser.add_argument("--required", action="store_true", help="an advisory service that can't be reached is an error")
    parser.add_argument("--osv-url", metavar="URL", default=os.environ.get("ZATO_OSV_URL", ""), help="service to ask instead")
    options = parser.parse_args()
    pins = map(Requirement, _PIN.findall(options.file.read_text()))
    wanted = [f"{pin.name}{pin.specifier}" for pin in pins if pin.marker is None or pin.marker.evaluate()]
    found, reason = audited(wanted, options.osv_url)
    known = [each for each in found if "vulns" in each]
    if not known:
        print(f"Not looked for known weaknesses of packages: no advisory service can be reached from here ({reason}).")
        print("CI does it; 'make release SERVICE=… AUDIT=1' insists on it.")
        return 1 if options.required else 0
    weaknesses = [(each, weakness) for each in known for weakness in each["vulns"]]
    for each, weakness in weaknesses:
        fixed = ", ".join(weakness["fix_versions"]) or "no release yet"
        print(f"{each['name']} {each['version']}: {weakness['id']}, mended in {fixed}")
    unknown = [each["name"] for each in found if "vulns" not in each]
    if unknown:
        print(f"Not known there: {', '.join(unknown)}")
    print(f"{len(known)} packages looked for, {len(weaknesses)} known weaknesses")
    return 1 if weaknesses or (unknown and options.required) else 0


def audited(pins: list[str], osv_url: str) -> tuple[list[dict[str, Any]], str]:
    """Return what the advisory service knows of each package, and why it knows nothing if so."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--disable-pip",
            "--no-deps",
            *(["--vulnerability-service", "osv", "--osv-url", osv_url] if osv_url else []),
        ]
        try:
            done = subprocess.run([*command, "--requirement", file.name], capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [], f"no answer within {_TIMEOUT_S} s"
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]
    return found, str(next((each["skip_reason"] for each in found if "skip_reason" in each), ""))[:200]


if __name__ == "__main__":
    sys.exit(main())
