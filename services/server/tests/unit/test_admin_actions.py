"""Every admin service says what it takes, what it answers, and which role it asks for."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from zato.common.bus import MemoryBus
from zato.common.secrets import generate_key
from zato.server.accounts.roles import Role
from zato.server.admin.noting import only_looks
from zato.server.admin.services import AdminService, least_role
from zato.server.app import WorkerApp
from zato.server.config import ServerSettings
from zato.server.describe.admin import AdminOperation
from zato.server.describe.schemas import Schema
from zato.server.metrics import Metrics
from zato.server.odb.database import Database
from zato.server.odb.schema import upgrade

# What anybody does with their own account, and what is carried out elsewhere than in the cluster's state.
_OWN = "zato.account."
_FEWEST_WORDS = 2


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> WorkerApp:
    folder: Path = tmp_path_factory.mktemp("app")
    settings = ServerSettings(
        odb_url=f"sqlite:///{folder}/odb.db", token="none", secret_key=generate_key(), work_folder=folder, log_level="ERROR"
    )
    database = Database(settings.odb_url)
    upgrade(database)
    made = WorkerApp(settings, Metrics(), MemoryBus(), database)
    made.load()
    return made


@pytest.fixture(scope="module")
def operations(app: WorkerApp) -> list[AdminOperation]:
    return list(app.documents.operations())


def test_every_admin_service_is_described_with_typed_input_and_output(operations: list[AdminOperation]) -> None:
    assert len(operations) > 250
    vague = [
        each.service
        for each in operations
        if len(each.description.help.split()) < _FEWEST_WORDS
        or not each.description.tag
        or each.description.takes.get("type") != "object"
        or not _is_typed(each.description.returns)
    ]
    assert vague == []


def _is_typed(schema: Schema) -> bool:
    if "anyOf" in schema and "properties" not in schema:
        return all(_is_typed(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return _is_typed(schema["items"])
    return bool(schema.get("type"))


def test_every_schema_is_one_and_tells_what_each_field_means(operations: list[AdminOperation]) -> None:
    silent = []
    for each in operations:
        for schema in (each.description.takes, each.description.returns):
            Draft202012Validator.check_schema(schema)
            fields = schema.get("items", schema).get("properties", {})
            silent += [f"{each.service}: {name}" for name, field in fields.items() if not _tells(field)]
    assert silent == []


def _tells(field: Schema) -> bool:
    # Of lists and of what has a shape of its own, the parts tell.
    return bool(field.get("description")) or field.get("type") in ("array", "object") or "items" in field or "anyOf" in field


def test_whatever_changes_something_asks_for_more_than_looking_does(operations: list[AdminOperation]) -> None:
    too_little = [
        each.service
        for each in operations
        if each.role is Role.VIEWER and not only_looks(each.service) and not each.service.startswith(_OWN)
    ]
    assert too_little == []


def test_accounts_of_others_are_for_administrators_only(operations: list[AdminOperation]) -> None:
    roles = {each.service: each.role for each in operations if each.service.startswith(_OWN)}
    own = {
        "begin-second-factor",
        "change-own-password",
        "confirm-second-factor",
        "create-token",
        "delete-token",
        "get-own",
        "get-token-list",
        "remove-second-factor",
    }
    assert {name.removeprefix(_OWN) for name, role in roles.items() if role is Role.VIEWER} == own
    assert {role for name, role in roles.items() if name.removeprefix(_OWN) not in own} == {Role.ADMIN}


def test_a_published_name_asks_for_the_role_of_what_it_stands_for(app: WorkerApp) -> None:
    entries = {each.name: each.cls for each in app.documents.store.entries() if issubclass(each.cls, AdminService)}
    aliases = {name: cls.action for name, cls in entries.items() if entries.keys() & set(cls.action.alias_of)}
    assert len(aliases) > 100
    for name, action in aliases.items():
        for target in action.alias_of:
            assert action.role is least_role(target, entries[target]), name
            assert not entries[target].action.alias_of


# What grows without an end comes from its table a page at a time, in the order of time; nothing else is a list that cannot be
# sorted.
_IN_ORDER_OF_TIME = {
    "zato.audit-log.get-list",
    "zato.cache.builtin.entry.get-list",
    "zato.service.error.get-list",
    "zato.service.sample.get-list",
    "zato.service.slow-response.get-list",
}


def test_every_list_can_be_searched_sorted_and_asked_for_by_pages(operations: list[AdminOperation]) -> None:
    lists = [each for each in operations if each.service.endswith(".get-list")]
    assert len(lists) > 40
    wanted = {"query", "cur_page", "page_size", "sort"}
    lacking = {each.service: wanted - each.description.takes["properties"].keys() for each in lists}
    assert {name: names for name, names in lacking.items() if names} == {name: {"sort"} for name in _IN_ORDER_OF_TIME}
