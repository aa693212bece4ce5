"""Sets of objects in a real ODB on SQLite: planned and applied as a whole."""

from typing import Any

import pytest
from sqlalchemy import select

from zato.common.bus import MemoryBus
from zato.common.errors import Conflict
from zato.common.secrets import SecretBox, generate_key
from zato.server.admin.sets import set_actions
from zato.server.control.changes import Author, current_version
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.control.planning import Pruning, WantedObject
from zato.server.control.sets import ObjectSets
from zato.server.kinds import own_kinds
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow, ChangeRow, ObjectRow
from zato.server.services.store import ServiceStore

AUTHOR = Author("ada", "cid1")
# These ask nothing of it.
NO_ADMIN: Any = None
BASIC = WantedObject("security-basic-auth", "b", {"username": "u", "password": "hush"})
CHANNEL = WantedObject("channel-http", "c", {"url_path": "/c", "service": "s", "security": "b"})
ALL = Pruning(is_on=True)
NONE = Pruning()


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/odb.db")
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def nudges():
    return []


@pytest.fixture
def parts(database, nudges):
    bus = MemoryBus()
    bus.subscribe("config", nudges.append)
    return database, Kinds(own_kinds()), SecretBox([generate_key()]), bus, "config"


@pytest.fixture
def sets(parts):
    return ObjectSets(*parts)


@pytest.fixture
def objects(parts):
    return Objects(*parts)


def test_what_refers_to_others_may_come_before_them(sets, objects):
    version, plan = sets.apply([CHANNEL, BASIC], NONE, AUTHOR)
    assert (version, plan.problems) == (2, ())
    assert objects.get("channel-http", {"name": "c"})["security"] == "b"


def test_all_changes_are_one_transaction_with_consecutive_versions_and_one_nudge(sets, database, nudges):
    sets.apply([CHANNEL, BASIC], NONE, AUTHOR)
    with database.reading() as session:
        changes = session.execute(select(ChangeRow).order_by(ChangeRow.version)).scalars().all()
        assert [(change.version, change.action, change.name) for change in changes] == [(1, "create", "c"), (2, "create", "b")]
        rows = {row.name: row for row in session.execute(select(ObjectRow)).scalars()}
        assert {change.name: change.object_id for change in changes} == {name: row.id for name, row in rows.items()}
        assert {name: row.version for name, row in rows.items()} == {"c": 1, "b": 2}
        audited = session.execute(select(AuditRow)).scalars().all()
        assert "hush" not in "".join(str(row.before) + str(row.after) for row in audited)
        assert {row.actor for row in audited} == {"ada"}
    assert nudges == ["", "2"]


def test_a_problem_anywhere_changes_nothing(sets, database, nudges):
    wrong = WantedObject("channel-http", "d", {"url_path": "no slash", "service": "s"})
    _, plan = sets.apply([BASIC, CHANNEL, wrong], NONE, AUTHOR)
    assert [(problem.name, problem.option) for problem in plan.problems] == [("d", "")]
    with database.reading() as session:
        assert current_version(session) == 0
        assert session.execute(select(ObjectRow)).first() is None
    assert nudges == [""]


def test_the_same_set_again_is_no_change(sets, nudges):
    sets.apply([BASIC, CHANNEL], NONE, AUTHOR)
    version, plan = sets.apply([BASIC, CHANNEL], NONE, AUTHOR)
    assert (version, plan.changes, nudges) == (2, (), ["", "2"])


def test_what_a_file_leaves_out_is_at_its_default_but_secrets_stay(sets, objects, database):
    sets.apply([BASIC, CHANNEL], NONE, AUTHOR)
    objects.edit("security-basic-auth", {"name": "b", "realm": "Other"}, AUTHOR)
    _, plan = sets.apply([WantedObject("security-basic-auth", "b", {"username": "u"})], NONE, AUTHOR)
    assert [change.action for change in plan.changes] == ["edit"]
    with database.reading() as session:
        row = session.execute(select(ObjectRow).where(ObjectRow.name == "b")).scalar_one()
        loaded = objects.load(session, [row.id])[row.id].options
    assert (loaded.realm, loaded.password) == ("API", "hush")


def test_a_plan_that_somebody_agreed_to_is_not_applied_to_another_configuration(sets, objects):
    version, _ = sets.plan([BASIC], ALL)
    objects.create("channel-http", {"name": "x", "url_path": "/x", "service": "s"}, AUTHOR)
    with pytest.raises(Conflict, match="from version 0 to 1: look at a new plan"):
        sets.apply([BASIC], ALL, AUTHOR, planned_at=version)


def test_pruning_deletes_users_and_used_alike_and_names_what_it_left(sets, objects):
    sets.apply([BASIC, CHANNEL, WantedObject("channel-http", "ops", {"url_path": "/o", "service": "s"})], NONE, AUTHOR)
    objects.create("channel-http", {"name": "zato.own", "url_path": "/own", "service": "s"}, AUTHOR)
    _, plan = sets.apply([], Pruning(is_on=True, protected=("channel-http/o*",)), AUTHOR)
    assert [(change.action, change.state.name) for change in plan.changes] == [("delete", "c"), ("delete", "b")]
    assert plan.protected == (("channel-http", "ops"), ("channel-http", "zato.own"))
    assert objects.get_list("security-basic-auth") == []


def test_a_reference_can_move_to_a_new_object_while_the_old_one_is_pruned(sets, objects):
    sets.apply([BASIC, CHANNEL], NONE, AUTHOR)
    moved = WantedObject("channel-http", "c", {**CHANNEL.values, "security": "k"})
    sets.apply([moved, WantedObject("security-api-key", "k", {"key": "x"})], ALL, AUTHOR)
    assert objects.get("channel-http", {"name": "c"})["security"] == "k"
    assert objects.get_list("security-basic-auth") == []


def test_two_channels_can_change_their_paths_with_each_other(sets, objects):
    def channels(one: str, two: str) -> list[WantedObject]:
        paths = {"one": one, "two": two}
        return [WantedObject("channel-http", name, {"url_path": path, "service": "s"}) for name, path in paths.items()]

    sets.apply(channels("/1", "/2"), NONE, AUTHOR)
    _, plan = sets.apply(channels("/2", "/1"), NONE, AUTHOR)
    assert plan.problems == ()
    assert objects.get("channel-http", {"name": "one"})["url_path"] == "/2"


def test_a_name_that_two_kinds_have_is_no_reference(sets):
    key = WantedObject("security-api-key", "b", {"key": "x"})
    _, plan = sets.plan([BASIC, key, CHANNEL], NONE)
    assert [(problem.name, problem.option) for problem in plan.problems] == [("c", "security")]
    assert "several are called 'b'" in plan.problems[0].message


def test_the_services_never_show_a_secret(sets):
    actions = set_actions(sets, ServiceStore())
    request = {"objects": [{"kind": "security-basic-auth", "name": "b", "username": "u", "password": "hush"}]}
    answers = [actions[f"zato.enmasse.{name}"].run(NO_ADMIN, request, AUTHOR) for name in ("plan", "apply", "export")]
    assert "hush" not in str(answers)
    assert answers[2]["objects"][0]["secrets"] == ["password"]
