"""A kind that one folder brings is everywhere where kinds are, and no other file knows of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from zato.common.errors import InvalidOptions

from .conftest import TOKEN, Server, StartServer

ZATO = str(Path(sys.executable).parent / "zato")
ROOT = Path(__file__).resolve().parents[4]
REFERENCE = ROOT / "scripts" / "reference.py"
TOY = '''
"""Toys that make a noise."""

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.connections.types import ConnectionType


@options
class ToyOptions:
    """A toy that makes a noise when it is pinged."""

    noise: str = option("What it says when it is pinged", choices=("moo", "quack"))
    times: int = option("How often it says so", default=1, minimum=1, maximum=3)
    key: str = option("What it is wound up with", default="", secret=True)


class Toy:
    def __init__(self, config_object, configuration):
        pass

    def ping(self):
        pass

    def close(self):
        pass


connection_type = ConnectionType(Kind("outgoing-toy", "Outgoing toy", ToyOptions), Toy, ("out.toy",))
'''


@pytest.fixture(scope="module")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed package of somebody else's: a module, and the metadata with its entry point."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "acme_toys.py").write_text(TOY)
    metadata = folder / "acme_toys-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-toys\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[zato.connections]\ntoy = acme_toys\n")
    return folder


@pytest.fixture(scope="module")
def server(toy_folder: Path, start_server: StartServer) -> Server:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(toy_folder))
        return start_server()


@pytest.fixture
def zato(server: Server, tmp_path: Path) -> Any:
    (tmp_path / "token").write_text(TOKEN)

    def run(*arguments: str) -> str:
        command = [ZATO, *arguments, "--server", f"127.0.0.1:{server.grpc_port}", "--token-file", "token"]
        environ = {**os.environ, "NO_COLOR": "1"}
        made = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    return run


def test_it_is_in_the_admin_api(server: Server) -> None:
    created = server.admin("zato.outgoing-toy.create", name="cow", noise="moo", key="a-secret-key")
    assert server.admin("zato.outgoing-toy.get", name="cow")["noise"] == "moo"
    with pytest.raises(InvalidOptions, match="'times' takes a whole number from 1 to 3"):
        server.admin("zato.outgoing-toy.edit", id=created["id"], times=4)
    server.wait_until_applied()
    assert server.admin("zato.outgoing-toy.ping", name="cow")["is_ok"] is True
    server.admin("zato.outgoing-toy.change-password", id=created["id"], password1="b", password2="b")
    server.admin("zato.outgoing-toy.delete", id=created["id"])


def test_it_is_in_the_command_line(zato: Any) -> None:
    assert "outgoing-toy" in zato("kind", "list")
    zato("object", "create", "outgoing-toy", "duck", "noise=quack", "times=2")
    assert "duck" in zato("object", "list", "outgoing-toy")
    zato("object", "delete", "outgoing-toy", "duck")


def test_it_is_in_enmasse(zato: Any, tmp_path: Path) -> None:
    (tmp_path / "toys.yaml").write_text("outgoing-toy:\n  - name: cow\n    noise: moo\n    times: 3\n")
    assert "cow" in zato("enmasse", "plan", "toys.yaml")
    zato("enmasse", "apply", "toys.yaml", "--yes")
    exported = zato("enmasse", "export")
    assert {"name": "cow", "noise": "moo", "times": 3}.items() <= yaml.safe_load(exported)["outgoing-toy"][0].items()
    zato("object", "delete", "outgoing-toy", "cow")


def test_it_is_in_openapi(zato: Any) -> None:
    document = yaml.safe_load(zato("openapi", "admin"))
    OpenAPIV31SpecValidator(document).validate()
    create = document["paths"]["/zato/json/zato.outgoing-toy.create"]["post"]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["name", "noise"]
    assert schema["properties"]["noise"]["enum"] == ["moo", "quack"]
    assert "/zato/json/zato.outgoing-toy.ping" in document["paths"]


def test_it_is_in_the_reference(toy_folder: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(toy_folder)}
    command = [sys.executable, str(REFERENCE), "--output", str(tmp_path)]
    made = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    page = (tmp_path / "kinds" / "outgoing-toy.md").read_text()
    assert "| `noise` | str | required | What it says when it is pinged. One of `moo`, `quack` |" in page
    assert "kinds/outgoing-toy.md" in (tmp_path / "README.md").read_text()
    # All other kinds have the pages that they have without it.
    for file in {*(tmp_path / "kinds").iterdir()} - {tmp_path / "kinds" / "outgoing-toy.md"}:
        assert file.read_text() == (ROOT / "docs" / "reference" / "kinds" / file.name).read_text(), file.name


def test_an_option_that_nobody_described_is_named(toy_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "acme_toys.py").write_text(TOY.replace("How often it says so", "Times"))
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{toy_folder}"}
    command = [sys.executable, str(REFERENCE), "--output", str(tmp_path / "out")]
    made = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 1
    assert "Without a helpful description: outgoing-toy: times" in made.stderr
