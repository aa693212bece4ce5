"""The commands in docs/security.md make the objects that they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.bus import MemoryBus
from zato.common.secrets import SecretBox, generate_key
from zato.common.testing.certificates import CertificateAuthority
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.kinds import own_kinds
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.security.definitions import OUTGOING_KINDS, SECURITY_KINDS
from zato.server.security.kinds import KINDS, SEC_TYPES

PAGE = Path(__file__).resolve().parents[5] / "docs" / "security.md"
AUTHOR = Author("ada", "cid")


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[Objects]:
    database = Database(f"sqlite:///{tmp_path}/odb.db")
    schema.upgrade(database)
    yield Objects(database, Kinds(own_kinds()), SecretBox([generate_key()]), MemoryBus(), "")
    database.close()


def commands() -> list[list[str]]:
    text = PAGE.read_text().replace("\\\n", " ")
    lines = re.findall(r"^zato object (?:create|edit) .*$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[2:] for line in lines]


def value_of(text: str, pem: str) -> Any:
    if text.startswith("@"):
        return pem if text.endswith(".pem") else "a secret"
    return {"true": True, "false": False}.get(text, text)


def test_every_example_is_accepted(objects: Objects, tmp_path: Path) -> None:
    files = CertificateAuthority(tmp_path).issue("us")
    assert files.certificate is not None
    assert files.key is not None
    pem = files.certificate.read_text() + files.key.read_text()
    shown = set()
    for action, kind, name, *given in commands():
        options = {key: value_of(value, pem) for key, _, value in (pair.partition("=") for pair in given)}
        getattr(objects, action)(kind, {"name": name, **options}, AUTHOR)
        shown.add(kind)
    only_credentials = {"security-ntlm", "security-aws", "security-openstack"}
    assert {kind.name for kind in KINDS} - shown - only_credentials == set()


def test_every_kind_is_in_the_table_and_can_be_named_where_it_is_used() -> None:
    text = PAGE.read_text()
    names = {kind.name for kind in KINDS}
    assert [name for name in names if name not in text] == []
    assert {*SECURITY_KINDS, *OUTGOING_KINDS} <= names


def test_earlier_clients_know_every_definition_by_a_type() -> None:
    roles = {kind.name for kind in KINDS if kind.name.startswith("security-rbac-")}
    assert SEC_TYPES.keys() == {kind.name for kind in KINDS} - roles
    assert len(set(SEC_TYPES.values())) == len(SEC_TYPES)
