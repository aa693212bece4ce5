"""What is exported and applied again changes nothing, and elsewhere makes the same: of every kind, with any options."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zato.common.bus import MemoryBus
from zato.common.errors import InvalidOptions
from zato.common.kinds import Kind
from zato.common.options import Option, declared_options
from zato.common.secrets import SecretBox, generate_key
from zato.common.testing.certificates import CertificateAuthority
from zato.server.admin.sets import set_actions
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds
from zato.server.control.sets import ObjectSets
from zato.server.enmasse.files import read_files
from zato.server.enmasse.findings import ERROR, Findings
from zato.server.enmasse.references import References
from zato.server.enmasse.wanted import wanted_objects
from zato.server.enmasse.writing import FORMATS, to_document, to_text, variables
from zato.server.kinds import own_kinds
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.services.store import ServiceStore

from .security.conftest import key_set, make_key

AUTHOR = Author("ada", "cid1")
# These ask nothing of it.
NO_ADMIN: Any = None
OWN = {kind.name: kind for kind in own_kinds()}
# Examples of each kind; ZATO_TEST_ROUND_TRIPS=200 looks harder.
_COUNT = int(os.environ.get("ZATO_TEST_ROUND_TRIPS", "5"))


def key_and_certificate() -> str:
    with tempfile.TemporaryDirectory() as folder:
        files = CertificateAuthority(Path(folder)).issue("partner")
        assert files.certificate and files.key
        return files.certificate.read_text() + files.key.read_text()


# The least that each kind takes, where defaults are not enough. What is referred to is in TARGETS.
BASES: dict[str, dict[str, Any]] = {
    "message-json-pointer": {"value": "/a/b"},
    "message-xpath": {"value": "//a"},
    "message-namespace": {"value": "urn:a"},
    "channel-http": {"url_path": "/a", "service": "s"},
    "channel-soap": {"url_path": "/a", "service": "s"},
    "outgoing-http": {"host": "https://example.com"},
    "outgoing-soap": {"host": "https://example.com"},
    "outgoing-sql": {"engine": "postgresql", "db_name": "d", "host": "h"},
    "outgoing-ldap": {"server_list": "ldap://h:389"},
    "outgoing-ftp": {"host": "h"},
    "outgoing-sftp": {"host": "h", "username": "u"},
    "outgoing-smtp": {"host": "h"},
    "outgoing-imap": {"host": "h", "username": "u"},
    "security-basic-auth": {"username": "u"},
    "security-jwt": {"username": "u"},
    "security-jwt-issuer": {
        "issuer": "https://login.example.com/",
        "audience": ["a"],
        "jwks": key_set(make_key("ES256", "k")),
        "algorithms": ["ES256"],
    },
    "security-oauth": {"username": "u"},
    "security-tls-channel": {"value": "CN=a"},
    "security-wss": {"username": "u"},
    "security-xpath": {"username": "u", "username_expr": "//user"},
    "security-bearer-token": {"auth_server_url": "https://login.example.com/", "username": "u", "password": "p"},
    "security-ntlm": {"username": "u"},
    "security-aws": {"username": "u"},
    "security-openstack": {"username": "u"},
    "security-tls-key-cert": {"value": key_and_certificate()},
    "security-rbac-client-role": {"client": "target-client", "role": "target-role"},
    "security-rbac-role-permission": {"role": "target-role", "service": "s", "permission": "Read"},
}
TARGETS = [
    {"kind": "security-basic-auth", "name": "target-client", "username": "target", "password": "p"},
    {"kind": "security-rbac-role", "name": "target-role"},
]
# What a kind of a part that is not here yet may declare.
FOREIGN = "channel-foreign"
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
awkward = st.sampled_from(
    [
        "${HOME}",
        "$${A}",
        "env:HOME",
        "yes",
        "null",
        "1.0",
        "0123",
        " a ",
        "a\nb",
        "a: b",
        "# no",
        "-",
        "'",
        '"',
        "é€😀",
        "a\tb",
        "\u2028",
    ]
)


def values_of(option: Option) -> st.SearchStrategy[Any]:
    if option.choices:
        choice = st.sampled_from(option.choices)
        return st.lists(choice, unique=True) if option.type == "list" else choice
    low, high = option.minimum, option.maximum
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "str": text | awkward,
        "int": st.integers(int(low or 0), int(high if high is not None else 10**9)),
        "float": st.floats(low if low is not None else 0.0, high if high is not None else 1e6, allow_nan=False),
        "bool": st.booleans(),
        "list": st.lists(text | awkward | st.sampled_from(["GET", "https://a.example.com", "X-A"]), max_size=3),
    }
    return by_type[option.type]


@st.composite
def objects_of(draw: st.DrawFn, kind: Kind, base: dict[str, Any]) -> dict[str, Any]:
    """An object of a kind: the base, with each further option that the kind takes beside those before."""
    values = dict(base)
    for option in declared_options(kind.options):
        if option.name in kind.references or not draw(st.booleans()):
            continue
        tried = {**values, option.name: draw(values_of(option))}
        try:
            kind.parse(tried, what="x")
        except InvalidOptions:
            continue
        values = tried
    name = draw(
        st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20) | st.sampled_from(["on", "${A}", "7"])
    )
    return {**values, "kind": kind.name, "name": name, "is_active": draw(st.booleans())}


class Cluster:
    """An ODB of its own, and what the command asks of its server."""

    def __init__(self, database: Database, kinds: list[Kind]) -> None:
        self._database = database
        self._actions = set_actions(
            ObjectSets(database, Kinds(kinds), SecretBox([generate_key()]), MemoryBus(), "t"), ServiceStore()
        )
        self.kinds_by_name = {kind.name: kind for kind in kinds}
        messages = [kind.describe() for kind in kinds]
        self.kinds = [
            MessageToDict(each, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for each in messages
        ]
        for described in self.kinds:
            for option in described["options"]:
                option["default"] = json.loads(option.pop("default_json", "") or "null")

    def ask(self, action: str, objects: list[dict[str, Any]], *, prune: bool = False) -> dict[str, Any]:
        # As it goes over the wire.
        request = json.loads(json.dumps({"objects": objects, "prune": prune}))
        answer: dict[str, Any] = json.loads(json.dumps(self._actions[f"zato.enmasse.{action}"].run(NO_ADMIN, request, AUTHOR)))
        assert answer.get("problems", []) == []
        return answer

    def file(self, format: str, *, with_variables: bool) -> tuple[str, list[str]]:
        document = to_document(self.ask("export", [])["objects"], self.kinds, with_variables=with_variables)
        return to_text(document, format), variables(document)

    def read(self, text: str, format: str, environ: dict[str, str]) -> list[dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"f.{format}"
            file.write_text(text, encoding="utf-8")
            findings = Findings()
            contents = read_files([file], {kind["name"] for kind in self.kinds}, findings)
            found = wanted_objects(contents, self.kinds, References(environ), findings)
        assert [str(finding) for finding in findings.of(ERROR)] == []
        return [{**each.values, "kind": each.kind, "name": each.name} for each in found]


@contextmanager
def cluster(kinds: list[Kind]) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/odb.db")
        try:
            schema.upgrade(database)
            yield Cluster(database, kinds)
        finally:
            database.close()


def check(here: Cluster, there: Cluster, objects: list[dict[str, Any]]) -> None:
    """One cluster has something already, of the example before; the other begins without anything."""
    here.ask("apply", objects, prune=True)
    exported = here.ask("export", [])["objects"]
    for format in FORMATS:
        written, _ = here.file(format, with_variables=False)
        assert here.ask("plan", here.read(written, format, {}), prune=True)["changes"] == []
    written, names = here.file("yaml", with_variables=True)
    secret = objects[-1].get("value", "another-secret")
    # A secret that no file names would stay.
    there.ask("apply", [], prune=True)
    there.ask("apply", there.read(written, "yaml", dict.fromkeys(names, secret)))
    assert there.ask("export", [])["objects"] == exported


Clusters = tuple[Cluster, Cluster]


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    # All kinds of the server's own, and one that another part registered.
    described = OWN["channel-http"].describe()
    described.name = FOREIGN
    kinds = [*OWN.values(), Kind.from_description(described)]
    with cluster(kinds) as here, cluster(kinds) as there:
        yield here, there


@pytest.mark.parametrize("name", [*sorted(OWN), FOREIGN])
def test_a_round_trip_is_the_identity(name: str, clusters: Clusters) -> None:
    here, there = clusters
    kind = here.kinds_by_name[name]

    @settings(deadline=None, max_examples=_COUNT, suppress_health_check=list(HealthCheck))
    @given(made=objects_of(kind, BASES.get(name, BASES["channel-http"] if name == FOREIGN else {})))
    def run(made: dict[str, Any]) -> None:
        check(here, there, [*TARGETS, made])

    run()
