"""What `make release` makes of a part, looked at as those who install it would."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
UV = [sys.executable, "-m", "uv"]
# The smallest one: how a release is made is the same for all of them.
PART = "scheduler"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9,]+\])?==([^ ;\\]+)(.*)$", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(part: str) -> dict[str, str]:
    """What the part's image and release run with, by name; what is for other systems only left out."""
    text = (ROOT / "requirements" / "parts" / f"{part}.txt").read_text()
    return {normal(name): version for name, version, rest in _PIN.findall(text) if "win32" not in rest}


def run(*command: str | Path, **environ: str) -> str:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def release() -> Path:
    run("scripts/release", PART, IMAGE="0")
    return ROOT / "var" / "release" / PART


@pytest.fixture(scope="module")
def version() -> str:
    return str(tomllib.loads((ROOT / "services" / PART / "pyproject.toml").read_text())["project"]["version"])


def test_the_wheels_and_what_is_locked_are_all_that_the_part_needs(release: Path, tmp_path: Path) -> None:
    """No index is asked: what the release itself has just downloaded has to do."""
    python, scripts = tmp_path / "venv" / "bin" / "python", tmp_path / "venv" / "bin"
    run(*UV, "venv", "--quiet", tmp_path / "venv")
    install = [*UV, "pip", "install", "--quiet", "--offline", "--python", python]
    run(*install, "--require-hashes", "--requirement", f"requirements/parts/{PART}.txt")
    run(*install, "--no-deps", *release.glob("*.whl"))
    run(*UV, "pip", "check", "--quiet", "--python", python)
    run(scripts / f"zato-{PART}", "--help")
    settings = json.loads(run(scripts / f"zato-{PART}", "--show-config", ZATO_SCHEDULER_TOKEN="x" * 40))
    assert settings["grpc_address"]


def test_the_list_of_what_a_part_runs_with_is_true(release: Path, version: str) -> None:
    document: dict[str, Any] = json.loads((release / f"zato-{PART}.cdx.json").read_text())
    assert document["bomFormat"] == "CycloneDX"
    root = document["metadata"]["component"]
    assert (root["name"], root["version"]) == (f"zato-{PART}", version)
    listed = {normal(each["name"]): each["version"] for each in document["components"]}
    others = {name: found for name, found in listed.items() if not name.startswith("zato-")}
    assert others == pins(PART)
    # Each says what it needs, and nothing that is needed is missing from the list.
    references = {each["bom-ref"] for each in document["components"]} | {root["bom-ref"]}
    assert {need for each in document["dependencies"] for need in each.get("dependsOn", [])} <= references


def test_the_news_and_the_sums_are_there(release: Path, version: str) -> None:
    assert f"zato-{PART} {version}" in (release / "CHANGES.md").read_text()
    sums = dict(line.split()[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    files = {file.name for file in release.iterdir()} - {"SHA256SUMS"}
    assert sums.keys() == files
    for name, expected in sums.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("part", SERVICES)
def test_what_a_part_runs_with_is_pinned_as_for_all_others_and_is_no_more_than_it_needs(part: str) -> None:
    """So that a change of one part's pins makes no other image anew, and no two parts have different releases of a package."""
    locked = {normal(name): version for name, version, _ in _PIN.findall((ROOT / "requirements" / "lock.txt").read_text())}
    found = pins(part)
    assert {name: version for name, version in found.items() if locked.get(name) != version} == {}
    assert found.keys() & {"pytest", "mypy", "playwright", "tox"} == set()
    dockerfile = (ROOT / "services" / part / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (requirements/\S+)", dockerfile.partition("COPY proto proto")[0], re.MULTILINE)
    own = ["requirements/parts/build.txt", f"requirements/parts/{part}.txt"]
    # Beside what a server runs with, whoever builds it may ask for other packages that are locked.
    assert copied == [*own, *(["requirements/lock.txt"] if part == "server" else [])]
