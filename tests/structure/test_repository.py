"""The repository keeps its own rules: who imports whom, and what each part has."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.parent for path in ROOT.glob("services/*/src"))
PARTS = [ROOT / "proto", ROOT / "libs" / "common", *SERVICES]


def package_of(part: Path) -> str:
    return f"zato.{part.name.replace('-', '_')}"


def committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def project_of(part: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((part / "pyproject.toml").read_text())["project"]
    return project


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_imports_common_and_proto_and_no_other_part(part: Path) -> None:
    allowed = {"proto": ["zato.proto"], "common": ["zato.proto", "zato.common"]}
    ours = tuple(allowed.get(part.name, ["zato.proto", "zato.common", package_of(part)]))
    for file in part.rglob("*.py"):
        strange = [
            name
            for name in imports_of(file)
            if name.startswith("zato.") and not f"{name}.".startswith(tuple(f"{o}." for o in ours))
        ]
        assert strange == [], f"{file.relative_to(ROOT)}: a part calls another one, it does not import it"


def test_zato_is_a_namespace_that_no_part_owns() -> None:
    assert [file for file in committed_files() if file.match("zato/__init__.py")] == []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_is_typed_described_versioned_and_installs_alone(part: Path) -> None:
    package = next(iter(part.glob(f"**/{package_of(part).replace('.', '/')}")), None)
    assert package is not None, f"{part.relative_to(ROOT)} has no package {package_of(part)}"
    assert (package / "py.typed").exists()
    assert len((part / "README.md").read_text()) > 200
    project = project_of(part)
    assert project["name"] == f"zato-{part.name}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert {"description", "readme", "requires-python", "license"} <= project.keys()


@pytest.mark.parametrize("part", PARTS[1:], ids=lambda part: part.name)
def test_a_part_has_a_command_and_tests(part: Path) -> None:
    assert project_of(part)["scripts"]
    assert list(part.glob("tests/unit/**/test_*.py"))


@pytest.mark.parametrize("part", SERVICES, ids=lambda part: part.name)
def test_a_service_has_its_tox_environments_and_its_workflow(part: Path) -> None:
    assert re.search(rf"^    {part.name}-\{{unit, ", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert (ROOT / ".github" / "workflows" / f"{part.name}.yml").exists()


def test_news_of_each_service_have_a_section_of_its_own() -> None:
    towncrier = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    names = sorted(service.name for service in SERVICES)
    assert {each["path"]: each["name"] for each in towncrier["section"]} == {"": ""} | {name: f"zato-{name}" for name in names}
    assert sorted(towncrier["ignore"]) == sorted(["README.md", *names])


def test_no_two_images_run_as_the_same_user() -> None:
    """Or one part could read what another one alone may read in the volume that they share."""
    users = {service.name: re.findall(r"--uid (\d+)", (service / "Dockerfile").read_text()) for service in SERVICES}
    assert {name: found for name, found in users.items() if len(found) != 1} == {}
    assert len({found[0] for found in users.values()}) == len(users)


@pytest.mark.parametrize("part", SERVICES, ids=lambda part: part.name)
def test_an_image_is_described_and_never_runs_as_root(part: Path) -> None:
    final = (part / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    title = f'image.title="zato-{part.name}"'
    wanted = ("USER zato", "HEALTHCHECK ", 'ENTRYPOINT ["tini", "--"]', title, "image.version=")
    assert [line for line in wanted if line not in final] == []


def test_workflows_are_those_that_tox_ini_gives_and_github_understands_them() -> None:
    files = sorted(map(str, ROOT.glob(".github/workflows/*.yml")))
    assert len(files) > len(PARTS)
    schema = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    for command in (("scripts/workflows.py", "--check"), schema):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["docs", "examples", "proto", "requirements", "scripts", "tests"])
def test_a_folder_tells_what_is_in_it(folder: str) -> None:
    if (ROOT / folder).exists():
        assert (ROOT / folder / "README.md").exists()


def test_no_file_depends_on_where_packages_come_from() -> None:
    """Registries differ from place to place: their hosts belong to the machine's settings, not to ours."""
    hosts = [".".join(words) for words in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("debian", "org"))]
    for file in committed_files():
        content = file.read_bytes().lower()
        assert [host for host in hosts if host.encode() in content] == [], file.relative_to(ROOT)


def test_a_document_links_to_what_exists() -> None:
    for document in (file for file in committed_files() if file.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"
