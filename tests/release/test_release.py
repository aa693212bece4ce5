"""What `make release` makes of a part, looked at as those who install it would."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
# Settings that have no default, beside the token.
KEY = "c2VjcmV0" * 5 + "c2U="
NEEDED = {
    "ca": {"secret_key": KEY},
    "lb-agent": {"stats_password": "s" * 40},
    "server": {"secret_key": KEY, "odb_url": "sqlite:////odb.db"},
    "webadmin": {"redis_url": "redis://127.0.0.1"},
}
# What images are made with beside: whoever builds a server's may ask for other packages that are locked.
BESIDE = {"server": ["requirements/lock.txt"], "connector-mq": ["requirements/parts/connector-mq-compiled.txt"]}
UV = [sys.executable, "-m", "uv"]
_PIN = re.compile(r"^[A-Za-z0-9].*?==.*?(?= *\\?$)", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(file: str) -> dict[str, str]:
    """The releases that a file of pins has for this system, by name."""
    found = map(Requirement, _PIN.findall((ROOT / "requirements" / file).read_text()))
    return {normal(pin.name): str(pin.specifier)[2:] for pin in found if pin.marker is None or pin.marker.evaluate()}


def pins(part: str) -> dict[str, str]:
    """What the part's image and release run with."""
    return pinned(f"parts/{part}.txt")


def run(*command: str | Path, **environ: str) -> str:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def releases() -> None:
    """Of all parts, two at a time: each waits for its own tools most of the time."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: run("scripts/release", part, IMAGE="0", AUDIT="0"), SERVICES))


@pytest.fixture(params=SERVICES)
def part(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def release(part: str) -> Path:
    return ROOT / "var" / "release" / part


@pytest.fixture
def version(part: str) -> str:
    return str(tomllib.loads((ROOT / "services" / part / "pyproject.toml").read_text())["project"]["version"])


def test_the_wheels_and_what_is_locked_are_all_that_the_part_needs(part: str, release: Path, tmp_path: Path) -> None:
    """No index is asked: what the release itself has just downloaded has to do."""
    python, scripts = tmp_path / "venv" / "bin" / "python", tmp_path / "venv" / "bin"
    run(*UV, "venv", "--quiet", tmp_path / "venv")
    install = [*UV, "pip", "install", "--quiet", "--offline", "--python", python]
    run(*install, "--require-hashes", "--requirement", f"requirements/parts/{part}.txt")
    run(*install, "--no-deps", *release.glob("*.whl"))
    run(*UV, "pip", "check", "--quiet", "--python", python)
    run(scripts / f"zato-{part}", "--help")
    needed = {"token": "t" * 40} | NEEDED.get(part, {})
    environ = {f"ZATO_{part}_{name}".replace("-", "_").upper(): value for name, value in needed.items()}
    shown = run(scripts / f"zato-{part}", "--show-config", **environ)
    assert json.loads(shown)["log_level"] == "INFO"
    assert needed["token"] not in shown


def test_the_list_of_what_a_part_runs_with_is_true(part: str, release: Path, version: str) -> None:
    document: dict[str, Any] = json.loads((release / f"zato-{part}.cdx.json").read_text())
    assert document["bomFormat"] == "CycloneDX"
    root = document["metadata"]["component"]
    assert (root["name"], root["version"]) == (f"zato-{part}", version)
    listed = {normal(each["name"]): each["version"] for each in document["components"]}
    others = {name: found for name, found in listed.items() if not name.startswith("zato-")}
    assert others == pins(part)
    # Each says what it needs, and nothing that is needed is missing from the list.
    references = {each["bom-ref"] for each in document["components"]} | {root["bom-ref"]}
    assert {need for each in document["dependencies"] for need in each.get("dependsOn", [])} <= references


def test_the_news_are_those_of_the_part_and_of_the_platform(part: str, release: Path, version: str) -> None:
    news = (release / "CHANGES.md").read_text()
    assert f"zato-{part} {version}" in news
    for folder in (ROOT / "changes", *(ROOT / "changes" / name for name in SERVICES)):
        for fragment in (file for file in folder.glob("*.md") if file.name != "README.md"):
            first_line = fragment.read_text().splitlines()[0]
            assert (first_line in news) == (folder.name in ("changes", part)), fragment


def test_the_sums_are_there(release: Path) -> None:
    sums = dict(line.split()[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    files = {file.name for file in release.iterdir()} - {"SHA256SUMS"}
    assert sums.keys() == files
    for name, expected in sums.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == expected


def test_what_a_part_runs_with_is_pinned_as_for_all_others_and_is_no_more_than_it_needs(part: str) -> None:
    """So that a change of one part's pins makes no other image anew, and no two parts have different releases of a package."""
    locked, found = pinned("lock.txt"), pins(part)
    assert {name: version for name, version in found.items() if locked.get(name) != version} == {}
    assert found.keys() & {"pytest", "mypy", "playwright", "tox"} == set()
    dockerfile = (ROOT / "services" / part / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (requirements/\S+)", dockerfile.partition("COPY proto proto")[0], re.MULTILINE)
    own = ["requirements/parts/build.txt", f"requirements/parts/{part}.txt"]
    assert copied == [*own, *BESIDE.get(part, [])]
