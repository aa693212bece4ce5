"""`zato object import`: objects from TOML files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import InvalidOptions, NotFound
from zato.server.commands.imports import Imported, import_objects, read_objects


def option(name: str, type: str = "str", *, secret: bool = False, references: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "type": type, "secret": secret, "references": list(references)}


KINDS: list[dict[str, Any]] = [
    {
        "name": "channel-http",
        "options": [option("path"), option("limit", "int"), option("security", references=("auth", "key"))],
    },
    {"name": "key", "options": [option("key", secret=True)]},
    {
        "name": "auth",
        "options": [option("password", secret=True), option("tags", "list"), option("issuer", references=("key",))],
    },
]


class Server:
    """Keeps objects, and makes a new version only when an edit changes something, as the real one does."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []

    def invoke(self, service: str, payload: Mapping[str, Any], *, is_idempotent: bool = False) -> Any:
        kind, _, action = service.removeprefix("zato.").rpartition(".")
        key = f"{kind}/{payload['name']}"
        assert is_idempotent == (action == "get")
        if action != "get":
            self.writes.append(f"{action} {key}")
        if action == "create":
            self.objects[key] = {"version": 1, **payload}
        if key not in self.objects:
            raise NotFound(f"There is no {key}")
        present = self.objects[key]
        if action == "edit" and {**present, **payload} != present:
            present.update(payload, version=present["version"] + 1)
        return {name: value for name, value in present.items() if name not in ("password", "key")}


@pytest.fixture
def server() -> Server:
    return Server()


def run(server: Server, tmp_path: Path, text: str, *, is_dry_run: bool = False, **environ: str) -> list[Imported]:
    file = tmp_path / "objects.toml"
    file.write_text(text)
    return import_objects(read_objects([file], environ), server, KINDS, is_dry_run=is_dry_run)  # type: ignore[arg-type]


FILE = """
[[channel-http]]
name = "orders"
path = "/orders"
limit = "5"
security = "crm"

[[auth]]
name = "crm"
password = "${CRM_PASSWORD}!"
tags = ["a", "b"]
issuer = "main"

[[key]]
name = "main"
key = "k"
"""


def test_objects_are_created_in_the_order_of_what_refers_to_what(server: Server, tmp_path: Path) -> None:
    results = run(server, tmp_path, FILE, CRM_PASSWORD="secret")
    assert server.writes == ["create key/main", "create auth/crm", "create channel-http/orders"]
    assert server.objects["auth/crm"]["password"] == "secret!"
    assert {result.outcome for result in results} == {"created"}


def test_a_second_import_changes_nothing(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, FILE, CRM_PASSWORD="secret")
    assert {result.outcome for result in run(server, tmp_path, FILE, CRM_PASSWORD="secret")} == {"unchanged"}
    assert server.objects["auth/crm"]["version"] == 1


def test_only_what_differs_is_sent_and_reported(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, FILE, CRM_PASSWORD="secret")
    server.writes.clear()
    results = run(server, tmp_path, FILE.replace('"/orders"', '"/v2"'), CRM_PASSWORD="secret")
    assert results[-1] == Imported("channel-http", "orders", "changed", ("path",))
    assert "edit channel-http/orders" in server.writes
    assert server.objects["channel-http/orders"]["limit"] == "5"


def test_a_changed_secret_is_noticed_though_nobody_is_shown_it(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, FILE, CRM_PASSWORD="secret")
    results = run(server, tmp_path, FILE, CRM_PASSWORD="other")
    assert [(result.name, result.outcome) for result in results] == [
        ("main", "unchanged"),
        ("crm", "changed"),
        ("orders", "unchanged"),
    ]


@pytest.mark.parametrize(
    ("kind", "there", "wanted"),
    [("channel-http", {"limit": 5}, 'limit = "5"'), ("auth", {"tags": ["a", "b"]}, 'tags = "a, b"')],
)
def test_values_are_compared_as_the_kind_reads_them(
    server: Server, tmp_path: Path, kind: str, there: dict[str, Any], wanted: str
) -> None:
    server.objects[f"{kind}/x"] = {"name": "x", "version": 1, **there}
    (result,) = run(server, tmp_path, f'[[{kind}]]\nname = "x"\n{wanted}\n')
    assert result.outcome == "unchanged"


def test_a_dry_run_changes_nothing(server: Server, tmp_path: Path) -> None:
    results = run(server, tmp_path, FILE, is_dry_run=True, CRM_PASSWORD="secret")
    assert {result.outcome for result in results} == {"created"}
    assert server.writes == []


def test_an_object_can_be_switched_off(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, '[[key]]\nname = "main"\nis_active = "no"\n')
    assert server.objects["key/main"]["is_active"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[auth]\n", "is not valid TOML"),
        ("[auth]\nname = 'x'\n", r"write \[\[auth\]\] above each object"),
        ("auth = 1\n", r"write \[\[auth\]\] above each object"),
        ("[[auth]]\npassword = 'x'\n", r"a \[\[auth\]\] has no name"),
        ("[[auth]]\nname = 'x'\n[[auth]]\nname = 'x'\n", "auth 'x' is there twice"),
        ("[[auth]]\nname = 'x'\npassword = '${NOT_SET}'\n", r"auth 'x', 'password' uses \$\{NOT_SET\}, which is not set"),
    ],
)
def test_a_file_that_is_not_right_is_named_before_anything_is_sent(
    server: Server, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        run(server, tmp_path, text)
    assert server.writes == []


def test_an_unknown_kind_is_named_before_anything_is_sent(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no kind 'chanel'; there are: auth, channel-http, key"):
        run(server, tmp_path, FILE + "[[chanel]]\nname = 'x'\n", CRM_PASSWORD="secret")
    assert server.writes == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"nowhere\.toml cannot be read: No such file"):
        read_objects([tmp_path / "nowhere.toml"], {})
