"""
Write .github/workflows from tox.ini, or say with --check whether they are as it would write them.

A part has a workflow, with a job for its environments and one that makes what a release of it would be. It runs when
something changed that those environments install, or that all of them are built with.
"""

import argparse
import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".github" / "workflows"
# What a change of may change the outcome of any environment.
_COMMON = ("Makefile", "tox.ini", "requirements/**", "scripts/**")
_MINUTES = {"compose": 30, "all": 40}
_QUESTIONS = ("unit", "integration", "connections")
_WORD = re.compile(r"[A-Za-z0-9_./*-]+")

_HEAD = """\
# Written by scripts/workflows.py from tox.ini; change these.
name: {name}
on:
  push:
    branches: [main]
{paths}  pull_request:
{paths}permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: {minutes}
    steps:
      - uses: actions/checkout@v4
      - run: sudo scripts/system-packages base && sudo scripts/system-packages test
      - run: {command}
"""
_RELEASE = """\
  # What a release of this part would be: wheels, image, the list of what it runs with, its news, no known weakness in it.
  release:
    if: github.ref == 'refs/heads/main'
    needs: test
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - run: sudo scripts/system-packages base
      - run: make release SERVICE={name} AUDIT=1 IMAGE=1
      - uses: actions/upload-artifact@v4
        with:
          name: zato-{name}
          path: var/release/{name}
"""
_AUDIT = """\
      - run: .venv/bin/python scripts/audit.py --required
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; say which files differ, and fail if any does")
    is_check = parser.parse_args().check
    wanted = workflows()
    present = {file.name: file.read_text() for file in FOLDER.glob("*.yml")}
    differing = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
    for name in differing:
        print(f".github/workflows/{name} {'differs' if is_check else 'written' if name in wanted else 'deleted'}")
        if not is_check and name in wanted:
            (FOLDER / name).write_text(wanted[name])
        elif not is_check:
            (FOLDER / name).unlink()
    if is_check and differing:
        print("Run: python scripts/workflows.py")
    return 1 if is_check and differing else 0


def workflows() -> dict[str, str]:
    """Return the text of each file by its name."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    environments = _environments(tox["tox"]["env_list"])
    made = {}
    for part in sorted({name.rpartition("-")[0] for name in environments if name.endswith(_QUESTIONS)}):
        folders = {folder for name in environments if name.startswith(f"{part}-") for folder in installed(tox, name)}
        folder = "libs/common" if part == "common" else f"services/{part}"
        made[part] = _workflow(part, _paths(part, {folder, *folders}))
        if (ROOT / "services" / part).exists():
            made[part] += _RELEASE.format(name=part)
    made["proto"] = _workflow("proto", ("proto/**", *_COMMON, ".github/workflows/proto.yml"))
    built = (
        "docker-compose.yml",
        ".env",
        ".dockerignore",
        "services/**",
        "proto/**",
        "libs/**",
        "examples/**",
        "tests/compose/**",
    )
    made["compose"] = _workflow("compose", (*built, *_COMMON, ".github/workflows/compose.yml"))
    made["security"] = _workflow("security", ()) + _AUDIT
    made["all"] = _workflow("all", (), command=".ci/run")
    return {f"{name}.yml": text for name, text in made.items()}


def _environments(env_list: str) -> list[str]:
    found = []
    for line in filter(None, map(str.strip, env_list.splitlines())):
        name, brace, questions = line.partition("{")
        found += [f"{name}{question.strip()}" for question in questions.rstrip("}").split(",")] if brace else [name]
    return found


def installed(tox: configparser.ConfigParser, environment: str) -> Iterator[str]:
    """Yield the folders of ours that an environment installs, as its section, or [testenv] with conditions, has them."""
    own = f"testenv:{environment}"
    text = tox[own].get("deps") if own in tox else None
    factors = set(environment.split("-"))
    for line in (text or tox["testenv"]["deps"]).splitlines():
        condition, _, dependency = line.rpartition(": ")
        folder = re.match(r"-e ([\w./-]+)", dependency.strip())
        is_meant = not condition or any(set(each.strip().split("-")) <= factors for each in condition.split(","))
        if folder and is_meant:
            yield folder[1]


def _paths(part: str, folders: set[str]) -> tuple[str, ...]:
    own = f"services/{part}"
    others = {folder if folder in (own, "proto", "libs/common") else f"{folder}/src" for folder in folders}
    return (*sorted(f"{folder}/**" for folder in others), *_COMMON, f".github/workflows/{part}.yml")


def _workflow(name: str, paths: tuple[str, ...], command: str = "") -> str:
    assert all(map(_WORD.fullmatch, paths))
    lines = "".join(f'      - "{path}"\n' if "*" in path else f"      - {path}\n" for path in paths)
    listed = f"    paths:\n{lines}" if paths else ""
    return _HEAD.format(name=name, paths=listed, minutes=_MINUTES.get(name, 20), command=command or f"make test-{name}")


if __name__ == "__main__":
    sys.exit(main())
