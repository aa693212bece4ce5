"""Objects, their versions and what followers and watchers make of them, on SQLite and a bus in memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from sqlalchemy import select, text

from zato.common.bus import MemoryBus
from zato.common.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    InvalidOptions,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.common.secrets import MASK, SecretBox, generate_key
from zato.proto.control_plane.v1.control_plane_pb2 import (
    KindDescription,
    ObjectStatus,
    OptionDescription,
    ReportStatusRequest,
    WatchEvent,
    WatchRequest,
)
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployments, older_versions
from zato.server.control.follower import Follower, Update
from zato.server.control.kinds import Kinds, register_kinds
from zato.server.control.objects import Objects
from zato.server.control.package_history import list_packages
from zato.server.control.status import object_statuses, store_status
from zato.server.control.watch import Watch
from zato.server.control.workers import forget_dead_workers, report_worker
from zato.server.kinds import own_kinds
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow, ChangeRow, ConfigVersion, DeploymentStatusRow, ObjectRow, WorkerRow
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer, Outcome
from zato.server.services.store import ServiceStore

TOPIC = "config"
AUTHOR = Author("ann", "the-cid")
PASSWORD = "the-password"


@options
class QueueOptions:
    """A kind of another part's."""

    queue: str = option("Queue")
    prefetch: int = option("Prefetch", default=10, minimum=1)
    password: str = option("Password", default="", secret=True)


QUEUE = Kind("channel-queue", "Queue", QueueOptions).describe()


class Plane:
    """The control plane of one server, without a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "services"
        self.database = Database(f"sqlite:///{folder}/odb.db")
        schema.upgrade(self.database)
        self.bus = MemoryBus()
        self.published: list[str] = []
        self.bus.subscribe(TOPIC, self.published.append)
        self.published.clear()
        self.kinds = Kinds(own_kinds())
        self.box = SecretBox([generate_key()])
        self.objects = Objects(self.database, self.kinds, self.box, self.bus, TOPIC)
        self.deployer = Deployer(ServiceStore(), self.folder)
        self.deployments = Deployments(self.database, self.deployer.check, self.bus, TOPIC, "server1", lambda: 1)

    def follower(self, take_up: Callable[[Update], None] = lambda update: None, poll_interval_s: float = 0.02) -> Follower:
        return Follower(self.database, self.kinds, self.objects, take_up, poll_interval_s=poll_interval_s)

    def create(self, kind: str, name: str, **values: Any) -> dict[str, Any]:
        return self.objects.create(kind, {"name": name, **values}, AUTHOR)

    def channel(self, name: str, path: str = "", **values: Any) -> dict[str, Any]:
        return self.create("channel-http", name, url_path=path or f"/{name}", service="s", **values)

    def edit(self, kind: str, **values: Any) -> dict[str, Any]:
        return self.objects.edit(kind, values, AUTHOR)

    def delete(self, kind: str, name: str) -> dict[str, Any]:
        return self.objects.delete(kind, {"name": name}, AUTHOR)

    def rows(self, table: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.execute(select(table)).scalars())

    def version(self) -> int:
        (row,) = self.rows(ConfigVersion)
        version: int = row.version
        return version

    def raw_database(self) -> str:
        with self.database.engine.connect() as connection:
            tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
            return "".join(str(connection.execute(text(f"SELECT * FROM {table}")).all()) for table in tables)

    def register(self, *descriptions: KindDescription, part: str = "connector-queue") -> None:
        own = [kind.name for kind in own_kinds()]
        register_kinds(self.database, self.bus, TOPIC, part, descriptions, AUTHOR, own)
        with self.database.reading() as session:
            self.kinds.refresh(session)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    made = Plane(tmp_path)
    yield made
    # What is deployed is found by name in the whole process.
    made.deployer.apply([], dict.fromkeys(made.deployer.file_names, 0))
    made.database.close()


# Objects


def test_what_was_created_can_be_read(plane: Plane) -> None:
    created = plane.channel("orders", "/orders/{id}", method="GET")
    assert created == {"id": created["id"], "name": "orders", "version": 1, "config_version": 1, "is_changed": True}
    got = plane.objects.get("channel-http", {"name": "orders"})
    assert (got["url_path"], got["method"], got["is_active"], got["data_format"]) == ("/orders/{id}", "GET", True, "json")
    assert plane.objects.get("channel-http", {"id": created["id"]}) == got
    assert plane.objects.get_list("channel-http") == [got]


def test_a_list_that_is_kept_at_hand_is_never_an_old_one(plane: Plane) -> None:
    another = Objects(plane.database, plane.kinds, plane.box, plane.bus, TOPIC)
    plane.create("security-api-key", "key", key="k")
    plane.channel("a")
    (first,) = plane.objects.get_list("channel-http")
    first["url_path"] = "what whoever asked makes of it"
    assert plane.objects.get_list("channel-http")[0]["url_path"] == "/a"
    another.edit("channel-http", {"name": "a", "security": "key"}, AUTHOR)
    another.edit("security-api-key", {"name": "key", "new_name": "other"}, AUTHOR)
    assert [each["security"] for each in plane.objects.get_list("channel-http")] == ["other"]
    for kind in own_kinds():
        plane.objects.get_list(kind.name)
    another.delete("channel-http", {"name": "a"}, AUTHOR)
    assert plane.objects.get_list("channel-http") == []
    plane.register(QUEUE)
    assert plane.objects.get_list(QUEUE.name) == []


def test_an_edit_changes_what_it_names_and_keeps_the_rest(plane: Plane) -> None:
    plane.channel("orders", method="GET")
    edited = plane.edit("channel-http", name="orders", method="POST", is_active=False)
    assert (edited["version"], edited["is_changed"]) == (2, True)
    got = plane.objects.get("channel-http", {"name": "orders"})
    assert (got["method"], got["url_path"], got["is_active"]) == ("POST", "/orders", False)


def test_an_edit_that_changes_nothing_is_no_version(plane: Plane) -> None:
    plane.channel("orders")
    plane.published.clear()
    assert plane.edit("channel-http", name="orders", url_path="/orders")["is_changed"] is False
    assert (plane.version(), plane.published, len(plane.rows(AuditRow))) == (1, [], 1)


def test_a_rename_keeps_the_object_and_its_references(plane: Plane) -> None:
    user = plane.create("security-basic-auth", "user", username="u", password=PASSWORD)
    plane.channel("orders", security="user")
    assert plane.edit("security-basic-auth", name="user", new_name="client")["id"] == user["id"]
    assert plane.objects.get("channel-http", {"name": "orders"})["security"] == "client"
    with pytest.raises(NotFound):
        plane.objects.get("security-basic-auth", {"name": "user"})


def test_a_name_is_unique_in_its_kind_only(plane: Plane) -> None:
    plane.channel("same")
    plane.create("security-basic-auth", "same", username="u", password="p")
    with pytest.raises(AlreadyExists, match="already a channel-http named 'same'"):
        plane.channel("same", "/other")
    plane.channel("other")
    with pytest.raises(AlreadyExists):
        plane.edit("channel-http", name="other", new_name="same")


def test_two_objects_cannot_share_what_has_to_be_unique(plane: Plane) -> None:
    plane.channel("a", "/x", method="GET")
    plane.channel("b", "/x", method="POST")
    with pytest.raises(AlreadyExists, match="'a' already has url_path='/x', method='GET'"):
        plane.channel("c", "/x", method="GET")
    with pytest.raises(AlreadyExists):
        plane.edit("channel-http", name="b", method="GET")
    assert plane.edit("channel-http", name="a", service="other")["is_changed"], "with itself it may"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"url_path": "/a"}, "service"),
        ({"url_path": "a", "service": "s"}, "url_path"),
        ({"url_path": "/a", "service": "s", "methods": "GET"}, "method"),
        ({"url_path": "/a", "service": "s", "max_body_bytes": -1}, "max_body_bytes"),
        ({"url_path": "/a", "service": "s", "max_body_bytes": "many"}, "max_body_bytes"),
        ({"url_path": "/a", "service": "s", "data_format": "yaml"}, "data_format"),
        ({"url_path": "/a", "service": "s", "security": "nobody"}, "security"),
        ({"url_path": "/a", "service": "s", "is_active": "perhaps"}, "is_active"),
        ({"url_path": 5, "service": "s"}, "url_path"),
        ({"url_path": "/a\0", "service": "s"}, "url_path"),
        ({"url_path": "/a", "service": "s", "name": ""}, "name"),
        ({"url_path": "/a", "service": "s", "name": "a\nb"}, "name"),
        ({"url_path": "/a", "service": "s", "name": "x" * 201}, "name"),
        ({"url_path": "/a", "service": "s", "name": 7}, "name"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_named_and_nothing_is_stored(plane: Plane, values: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        plane.objects.create("channel-http", {"name": "orders", **values}, AUTHOR)
    assert f"'{named}" in raised.value.message
    assert (plane.rows(ObjectRow), plane.rows(ChangeRow), plane.rows(AuditRow), plane.version()) == ([], [], [], 0)
    assert plane.published == []


def test_a_kind_that_nobody_declared_is_not_found(plane: Plane) -> None:
    for act in (plane.objects.create, plane.objects.edit, plane.objects.delete):
        with pytest.raises(NotFound, match="did you mean 'channel-http'"):
            act("channel-smttp", {"name": "a"}, AUTHOR)


@pytest.mark.parametrize(
    "which",
    [{"name": "nothing"}, {"id": 77}, {"id": -1}, {"id": 2**70}, {"name": "a\0b"}, {"name": None}, {}, {"name": ["x"]}],
    ids=str,
)
def test_an_object_that_is_not_there_is_not_found(plane: Plane, which: dict[str, Any]) -> None:
    plane.channel("orders")
    with pytest.raises(NotFound):
        plane.objects.get("channel-http", which)
    for act in (plane.objects.edit, plane.objects.delete):
        with pytest.raises(NotFound):
            act("channel-http", which, AUTHOR)


@pytest.mark.parametrize("object_id", ["1", None, True, [1], {}, 1.0], ids=repr)
def test_an_id_is_a_number(plane: Plane, object_id: Any) -> None:
    plane.channel("orders")
    with pytest.raises(InvalidOptions, match="'id' takes a whole number"):
        plane.objects.get("channel-http", {"id": object_id})


def test_an_id_of_another_kind_is_not_found(plane: Plane) -> None:
    created = plane.channel("orders")
    with pytest.raises(NotFound):
        plane.objects.delete("security-basic-auth", {"id": created["id"]}, AUTHOR)


def test_no_id_is_ever_given_again(plane: Plane) -> None:
    first = plane.channel("a")["id"]
    plane.delete("channel-http", "a")
    assert plane.channel("b")["id"] > first


# References


def test_what_is_used_cannot_be_deleted_and_the_message_says_by_whom(plane: Plane) -> None:
    plane.create("security-api-key", "key", key="k")
    plane.channel("b", security="key")
    plane.channel("a", security="key")
    with pytest.raises(Conflict, match="used by channel-http 'a', channel-http 'b'"):
        plane.delete("security-api-key", "key")
    plane.edit("channel-http", name="a", security="")
    plane.delete("channel-http", "b")
    plane.delete("security-api-key", "key")
    assert plane.objects.get_list("security-api-key") == []


def test_the_database_itself_keeps_what_is_used(plane: Plane) -> None:
    plane.create("security-api-key", "key", key="k")
    plane.channel("a", security="key")
    with pytest.raises(Exception, match="FOREIGN KEY"), plane.database.transaction() as session:
        session.execute(text("DELETE FROM object WHERE name = 'key'"))


def test_a_reference_that_could_mean_two_objects_is_refused(plane: Plane) -> None:
    plane.create("security-api-key", "same", key="k")
    plane.create("security-basic-auth", "same", username="u", password="p")
    with pytest.raises(InvalidOptions, match="'security' takes the name of one object, and several are called 'same'"):
        plane.channel("a", security="same")


def test_a_reference_can_be_changed_and_taken_away(plane: Plane) -> None:
    plane.create("security-api-key", "one", key="k")
    plane.create("security-api-key", "two", key="k")
    plane.channel("a", security="one")
    plane.edit("channel-http", name="a", security="two")
    assert plane.objects.get("channel-http", {"name": "a"})["security"] == "two"
    plane.delete("security-api-key", "one")
    plane.edit("channel-http", name="a", security="")
    plane.delete("security-api-key", "two")


# Secrets


def test_a_secret_is_encrypted_at_rest_and_never_returned(plane: Plane) -> None:
    plane.create("security-basic-auth", "user", username="u", password=PASSWORD)
    plane.edit("security-basic-auth", name="user", realm="Other")
    returned = [
        plane.objects.get("security-basic-auth", {"name": "user"}),
        plane.objects.get_list("security-basic-auth"),
        [(row.before, row.after) for row in plane.rows(AuditRow)],
    ]
    assert PASSWORD not in json.dumps(returned)
    assert PASSWORD not in plane.raw_database()
    (row,) = plane.rows(ObjectRow)
    assert plane.box.decrypt(row.secrets["password"]) == PASSWORD, "an edit of something else keeps it"


def test_the_audit_log_says_that_a_secret_changed_but_not_to_what(plane: Plane) -> None:
    plane.create("security-basic-auth", "user", username="u", password=PASSWORD)
    plane.edit("security-basic-auth", name="user", password="another-password")
    audit = plane.rows(AuditRow)[-1]
    assert (audit.action, audit.after["password"]) == ("edit", MASK)
    assert "another-password" not in plane.raw_database()


def test_a_follower_has_the_secrets_in_clear(plane: Plane) -> None:
    plane.create("security-basic-auth", "user", username="u", password=PASSWORD)
    follower = plane.follower()
    follower.load()
    (user,) = follower.configuration.objects.values()
    assert user.options.password == PASSWORD
    assert PASSWORD not in repr(user)


# Versions and the audit log


def test_versions_have_no_gaps_and_are_told_to_the_bus(plane: Plane) -> None:
    plane.channel("a")
    for _ in range(3):
        with pytest.raises(AlreadyExists):
            plane.channel("a")
        with pytest.raises(NotFound):
            plane.delete("channel-http", "nothing")
    plane.edit("channel-http", name="a", method="GET")
    plane.delete("channel-http", "a")
    assert [(row.version, row.action) for row in plane.rows(ChangeRow)] == [(1, "create"), (2, "edit"), (3, "delete")]
    assert plane.published == ["1", "2", "3"]


def test_every_change_is_audited_with_who_what_and_before_and_after(plane: Plane) -> None:
    plane.channel("a")
    plane.edit("channel-http", name="a", method="GET")
    plane.delete("channel-http", "a")
    created, edited, deleted = plane.rows(AuditRow)
    assert {(row.actor, row.cid, row.kind, row.name) for row in (created, edited, deleted)} == {
        ("ann", "the-cid", "channel-http", "a")
    }
    assert (created.before, created.after["method"]) == (None, "")
    assert (edited.before["method"], edited.after["method"]) == ("", "GET")
    assert (deleted.before["method"], deleted.after) == ("GET", None)


def test_a_change_that_cannot_be_audited_is_none(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr("zato.server.control.objects.record", fail)
    with pytest.raises(RuntimeError):
        plane.channel("a")
    assert (plane.rows(ObjectRow), plane.version(), plane.published) == ([], 0, [])


# Following


def wait_for(condition: Callable[[], Any]) -> Any:
    with gevent.Timeout(5):
        while not (result := condition()):
            gevent.sleep(0.005)
        return result


def test_a_follower_takes_up_each_change_in_order(plane: Plane) -> None:
    updates: list[Update] = []
    follower = plane.follower(updates.append)
    follower.load()
    follower.listen(plane.bus, TOPIC)
    plane.channel("a")
    wait_for(lambda: follower.configuration.version == 1)
    plane.edit("channel-http", name="a", method="GET")
    plane.channel("b")
    plane.delete("channel-http", "a")
    wait_for(lambda: follower.configuration.version == 4)
    assert [each.name for each in follower.configuration.objects.values()] == ["b"]
    versions = [update.configuration.version for update in updates]
    assert versions == sorted(versions)
    assert updates[0].is_whole


def test_without_any_nudge_the_poll_finds_the_change(plane: Plane) -> None:
    follower = plane.follower()
    follower.load()
    follower.listen(MemoryBus(), TOPIC)
    plane.channel("a")
    wait_for(lambda: follower.configuration.version == 1)


def test_a_nudge_is_faster_than_the_poll(plane: Plane) -> None:
    follower = plane.follower(poll_interval_s=3600)
    follower.load()
    follower.listen(plane.bus, TOPIC)
    gevent.sleep(0)
    plane.channel("a")
    wait_for(lambda: follower.configuration.version == 1)


def test_who_needs_a_version_does_not_wait_for_the_poll(plane: Plane) -> None:
    follower = plane.follower(poll_interval_s=3600)
    follower.load()
    follower.listen(MemoryBus(), TOPIC)
    plane.channel("a")
    follower.catch_up_with(plane.version())
    assert [each.name for each in follower.configuration.objects.values()] == ["a"]


def test_a_configuration_never_changes_under_who_holds_it(plane: Plane) -> None:
    follower = plane.follower()
    follower.load()
    before = follower.configuration
    plane.channel("a")
    follower.load()
    assert (before.version, dict(before.objects)) == (0, {})


def test_an_object_that_cannot_be_read_keeps_no_other_from_loading(plane: Plane) -> None:
    plane.channel("good")
    plane.create("security-basic-auth", "user", username="u", password="p")
    with plane.database.transaction() as session:
        session.execute(text("UPDATE object SET secrets = '{\"password\": \"broken\"}' WHERE name = 'user'"))
        session.execute(
            text(
                "INSERT INTO object SELECT 99, 'old-kind', 'old', 1, 1, '{}', '{}', created_at, updated_at FROM object LIMIT 1"
            )
        )
    follower = plane.follower()
    follower.load()
    assert [each.name for each in follower.configuration.objects.values()] == ["good"]


def test_what_the_log_does_not_reach_back_to_is_read_whole(plane: Plane) -> None:
    updates: list[Update] = []
    follower = plane.follower(updates.append)
    plane.channel("a")
    follower.load()
    plane.delete("channel-http", "a")
    plane.channel("b")
    plane.channel("c")
    with plane.database.transaction() as session:
        session.execute(text("DELETE FROM change WHERE version < 4"))
    follower.listen(plane.bus, TOPIC)
    wait_for(lambda: follower.configuration.version == 4)
    assert sorted(each.name for each in follower.configuration.objects.values()) == ["b", "c"]
    assert updates[-1].is_whole


def test_an_odb_that_went_back_to_a_backup_is_followed(plane: Plane) -> None:
    follower = plane.follower()
    plane.channel("a")
    plane.channel("b")
    follower.load()
    with plane.database.transaction() as session:
        session.execute(text("DELETE FROM change WHERE version = 2"))
        session.execute(text("DELETE FROM object WHERE name = 'b'"))
        session.execute(text("UPDATE config_version SET version = 1"))
    follower.listen(plane.bus, TOPIC)
    wait_for(lambda: follower.configuration.version == 1)
    assert [each.name for each in follower.configuration.objects.values()] == ["a"]


def test_a_take_up_that_fails_is_tried_again(plane: Plane) -> None:
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def take_up(update: Update) -> None:
        if failures and update.configuration.version:
            raise failures.pop()

    follower = plane.follower(take_up)
    follower.load()
    follower.listen(plane.bus, TOPIC)
    plane.channel("a")
    wait_for(lambda: follower.configuration.version == 1)
    assert failures == []


# Watching


@pytest.fixture
def follower(plane: Plane) -> Follower:
    plane.register(QUEUE)
    plane.create("channel-queue", "first", queue="q1", password=PASSWORD)
    made = plane.follower()
    made.load()
    return made


@pytest.fixture
def ask(plane: Plane, follower: Follower) -> Callable[..., WatchEvent]:
    watch = Watch(plane.database, follower)
    return lambda version, *kinds, wait_s=0.0: watch.next_event(WatchRequest(from_version=version, kinds=kinds), wait_s)


def test_a_new_watcher_gets_a_snapshot_with_secrets(ask: Callable[..., WatchEvent]) -> None:
    event = ask(0)
    assert (event.version, event.is_snapshot, list(event.deleted_ids)) == (2, True, [])
    (sent,) = event.objects
    assert (sent.kind, sent.name, sent.is_active, sent.version) == ("channel-queue", "first", True, 2)
    assert json.loads(sent.options_json) == {"queue": "q1", "prefetch": 10, "password": PASSWORD}


def test_a_watcher_that_comes_back_gets_what_it_missed(
    plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]
) -> None:
    first = plane.objects.get("channel-queue", {"name": "first"})["id"]
    plane.delete("channel-queue", "first")
    plane.create("channel-queue", "second", queue="q2")
    plane.edit("channel-queue", name="second", prefetch=5)
    follower.load()
    event = ask(2)
    assert (event.version, event.is_snapshot) == (5, False)
    assert [each.name for each in event.objects] == ["second"]
    assert list(event.deleted_ids) == [first]


def test_a_watcher_hears_of_the_kinds_it_asked_for_only(
    plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]
) -> None:
    plane.channel("http")
    plane.create("channel-queue", "second", queue="q2")
    follower.load()
    assert [each.name for each in ask(2, "channel-queue").objects] == ["second"]
    assert [each.name for each in ask(0, "channel-http").objects] == ["http"]
    assert sorted(each.name for each in ask(0).objects) == ["first", "http", "second"]


def test_a_version_that_concerns_nobody_is_told_all_the_same(
    plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]
) -> None:
    plane.channel("http")
    follower.load()
    event = ask(2, "channel-queue")
    assert (event.version, list(event.objects), event.is_snapshot) == (3, [], False)


def test_nothing_new_is_the_watchers_own_version(ask: Callable[..., WatchEvent]) -> None:
    event = ask(2)
    assert (event.version, event.is_snapshot, list(event.objects)) == (2, False, [])


def test_a_watcher_that_waits_is_woken(plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]) -> None:
    follower.listen(plane.bus, TOPIC)
    waiting = gevent.spawn(ask, 2, wait_s=60)
    gevent.sleep(0.01)
    plane.create("channel-queue", "second", queue="q2")
    event = waiting.get(timeout=5)
    assert [each.name for each in event.objects] == ["second"]


def test_what_the_log_does_not_reach_back_to_is_a_snapshot(
    plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]
) -> None:
    plane.create("channel-queue", "second", queue="q2")
    plane.create("channel-queue", "third", queue="q3")
    with plane.database.transaction() as session:
        session.execute(text("DELETE FROM change WHERE version < 4"))
    follower.load()
    assert not ask(3).is_snapshot
    event = ask(2)
    assert event.is_snapshot
    assert len(event.objects) == 3


def test_a_watcher_that_is_ahead_of_this_worker_does_not_go_back(
    plane: Plane, follower: Follower, ask: Callable[..., WatchEvent]
) -> None:
    plane.create("channel-queue", "second", queue="q2")
    waiting = gevent.spawn(ask, 3, wait_s=5)
    gevent.sleep(0.01)
    assert not waiting.ready(), "another worker told it of version 3, this one has 2"
    follower.listen(plane.bus, TOPIC)
    plane.create("channel-queue", "third", queue="q3")
    event = waiting.get(timeout=5)
    assert (event.version, event.is_snapshot) == (4, False)
    assert [each.name for each in event.objects] == ["third"]


def test_a_watcher_of_an_odb_that_went_back_starts_over(ask: Callable[..., WatchEvent]) -> None:
    event = ask(99, wait_s=0.01)
    assert (event.version, event.is_snapshot) == (2, True)


# Kinds of other parts


def test_a_registered_kind_is_like_one_of_our_own(plane: Plane) -> None:
    plane.register(QUEUE)
    plane.create("channel-queue", "a", queue="q", password=PASSWORD)
    assert plane.objects.get("channel-queue", {"name": "a"})["prefetch"] == 10
    with pytest.raises(InvalidOptions, match="'prefetch' takes a whole number of at least 1"):
        plane.create("channel-queue", "b", queue="q", prefetch=0)
    assert PASSWORD not in plane.raw_database()


def test_registering_the_same_again_changes_nothing(plane: Plane) -> None:
    for _ in range(3):
        plane.register(QUEUE)
    assert plane.version() == 1


def test_objects_are_read_anew_when_their_kind_changes(plane: Plane) -> None:
    plane.register(QUEUE)
    plane.create("channel-queue", "a", queue="q")
    follower = plane.follower()
    follower.load()
    follower.listen(plane.bus, TOPIC)
    newer = KindDescription()
    newer.CopyFrom(QUEUE)
    newer.options.append(OptionDescription(name="mode", type="str", default_json='"fast"'))
    plane.register(newer)
    wait_for(lambda: follower.configuration.version == 3)
    (a,) = follower.configuration.objects.values()
    assert a.options.mode == "fast"


def bad(**changes: Any) -> KindDescription:
    return KindDescription(**{"name": "channel-x", "label": "X", **changes})


@pytest.mark.parametrize(
    "description",
    [
        bad(name=""),
        bad(name="Channel X"),
        bad(name="x" * 101),
        bad(name="channel-http"),
        bad(options=[OptionDescription(name="a", type="duration", required=True)]),
        bad(options=[OptionDescription(name="a b", type="str", required=True)]),
        bad(options=[OptionDescription(name="class", type="str", required=True)]),
        bad(options=[OptionDescription(name="name", type="str", required=True)]),
        bad(options=[OptionDescription(name="a", type="str")]),
        bad(options=[OptionDescription(name="a", type="str", default_json="{")]),
        bad(options=[OptionDescription(name="a", type="int", default_json='"many"')]),
        bad(options=[OptionDescription(name="a", type="str", required=True)] * 2),
    ],
    ids=lambda description: str(description).replace("\n", " ")[:60],
)
def test_a_description_that_no_form_can_be_made_of_is_refused_whole(plane: Plane, description: KindDescription) -> None:
    with pytest.raises(BadRequest):
        plane.register(QUEUE, description)
    assert "channel-queue" not in plane.kinds.registry
    assert plane.version() == 0


def test_a_stored_kind_that_this_release_cannot_read_keeps_no_other_from_being_known(plane: Plane) -> None:
    plane.register(QUEUE)
    newer = bad(options=[OptionDescription(name="a", type="duration", required=True)]).SerializeToString()
    with plane.database.transaction() as session:
        statement = text("INSERT INTO kind SELECT 'channel-x', part, :description, registered_at FROM kind")
        session.execute(statement, {"description": newer})
    with plane.database.reading() as session:
        plane.kinds.refresh(session)
    assert "channel-queue" in plane.kinds.registry
    assert "channel-x" not in plane.kinds.registry


# Status


def test_since_moves_only_when_the_state_does(plane: Plane) -> None:
    created = plane.channel("a")

    def report(*, is_connected: bool, error: str = "") -> dict[str, Any]:
        status = ObjectStatus(object_id=created["id"], version_applied=1, is_connected=is_connected, error=error)
        store_status(plane.database, ReportStatusRequest(reporter="connector/1", objects=[status]))
        (found,) = object_statuses(plane.database, "channel-http")
        return found

    first = report(is_connected=False, error="refused\0")
    assert (first["error"], first["is_connected"], first["reporter"]) == ("refused", False, "connector/1")
    assert report(is_connected=False, error="refused\0")["since"] == first["since"]
    assert report(is_connected=True)["since"] > first["since"]


def test_a_report_of_what_is_gone_is_passed_over(plane: Plane) -> None:
    status = ObjectStatus(object_id=99, version_applied=1, is_connected=True)
    store_status(plane.database, ReportStatusRequest(reporter="connector/1", objects=[status]))
    assert object_statuses(plane.database, "channel-http") == []


@pytest.mark.parametrize("reporter", ["", "x" * 201, "a\0b"])
def test_a_report_says_whose_it_is(plane: Plane, reporter: str) -> None:
    with pytest.raises(BadRequest):
        store_status(plane.database, ReportStatusRequest(reporter=reporter))


# Deployments

GOOD = b"from zato.server.service import Service\nclass A(Service):\n    def handle(self): pass\n"


def deploy(plane: Plane, source: bytes, name: str = "a.py") -> tuple[int, bool]:
    deployed = plane.deployments.deploy(name, source, AUTHOR)
    return deployed.version, deployed.is_ok


def test_each_source_is_a_version_and_the_same_one_is_the_same(plane: Plane) -> None:
    assert [deploy(plane, source)[0] for source in (GOOD, GOOD, GOOD + b"#", GOOD)] == [1, 1, 2, 3]
    assert plane.version() == 3


def test_a_rejected_file_is_kept_with_its_reason_and_shown_to_nobody(plane: Plane) -> None:
    deploy(plane, GOOD)
    assert deploy(plane, b"def f(:\n") == (2, False)
    assert plane.version() == 1
    (listed,) = list_packages(plane.database)
    assert (listed["version"], listed["action"], listed["reason"]) == (2, "reject", "a.py, line 1: invalid syntax")
    assert deploy(plane, GOOD)[0] == 3, "the rejection is over"
    assert list_packages(plane.database)[0]["reason"] == ""


def test_a_file_can_be_undeployed_after_a_rejected_upload(plane: Plane) -> None:
    deploy(plane, GOOD)
    deploy(plane, b"def f(:\n")
    assert plane.deployments.undeploy("a.py", AUTHOR).version == 3
    with pytest.raises(NotFound):
        plane.deployments.undeploy("a.py", AUTHOR)


def test_a_file_that_waits_for_a_sibling_is_accepted(plane: Plane) -> None:
    version, _ = deploy(plane, b"import models\n" + GOOD)
    assert (version, plane.version()) == (1, 1)


def test_a_file_is_tried_beside_what_other_workers_took_before(plane: Plane) -> None:
    """Another worker has taken models.py, and this one hears of it only when it asks."""
    other = Deployments(plane.database, Deployer(ServiceStore(), plane.folder).check, MemoryBus(), TOPIC, "server1", lambda: 2)
    take_up = lambda update: plane.deployer.apply(update.changed_files, update.removed_files)  # noqa: E731
    follower = plane.follower(take_up, poll_interval_s=3600)
    follower.load()
    follower.listen(MemoryBus(), TOPIC)
    mine = Deployments(plane.database, plane.deployer.check, MemoryBus(), TOPIC, "server1", lambda: 1, follower.catch_up_with)
    other.deploy("models.py", b"OLD = 1", AUTHOR)
    mine.deploy("a.py", b"from models import OLD\n" + GOOD, AUTHOR)
    other.deploy("models.py", b"NEW = 1\nOLD = 1", AUTHOR)
    assert mine.deploy("a.py", b"from models import NEW\n" + GOOD, AUTHOR).is_ok


def test_a_file_that_is_refused_again_for_the_same_reason_is_one_version(plane: Plane) -> None:
    assert deploy(plane, b"def f(:\n") == deploy(plane, b"def f(:\n") == (1, False)
    assert deploy(plane, b"def g(:\n") == (2, False)


def test_what_a_worker_reported_before_the_newest_configuration_is_not_the_last_word(plane: Plane) -> None:
    waits = "a.py, line 1: ModuleNotFoundError: No module named 'models'"

    def report(outcome: Outcome) -> None:
        with plane.database.transaction() as session:
            report_worker(session, "server2", 2, plane.version(), [outcome])

    deploy(plane, b"import models\n" + GOOD)
    report(Outcome("a.py", 1, 0, waits, "models"))
    deploy(plane, b"", "models.py")
    asked = plane.deployments.deploy("a.py", b"import models\n" + GOOD, AUTHOR)
    assert (asked.version, asked.workers, asked.missing) == (1, (), ("server2/2",))
    report(Outcome("a.py", 1, 1))
    asked = plane.deployments.deploy("a.py", b"import models\n" + GOOD, AUTHOR)
    assert [(each.pid, each.version_running, each.is_ok) for each in asked.workers] == [(2, 1, True)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a.txt",
        "../a.py",
        "/etc/a.py",
        "a b.py",
        "a-b.py",
        "1a.py",
        "a.b.py",
        "x" * 200 + ".py",
        "a\0.py",
        "ż.py",
        "a.py\n",
    ],
)
def test_a_name_that_is_no_module_is_refused(plane: Plane, name: str) -> None:
    with pytest.raises((BadRequest, UnsupportedMediaType)):
        plane.deployments.deploy(name, GOOD, AUTHOR)
    with pytest.raises((BadRequest, NotFound)):
        plane.deployments.undeploy(name, AUTHOR)


def test_a_file_that_is_too_large_is_refused(plane: Plane) -> None:
    with pytest.raises(PayloadTooLarge, match="at most"):
        plane.deployments.deploy("a.py", b"#" * 6_000_000, AUTHOR)


def test_who_reads_everything_learns_what_was_undeployed_and_by_which_version(plane: Plane) -> None:
    updates: list[Update] = []
    deploy(plane, GOOD)
    plane.deployments.undeploy("a.py", AUTHOR)
    deploy(plane, GOOD, "b.py")
    deploy(plane, GOOD, "c.py")
    plane.deployments.undeploy("c.py", AUTHOR)
    deploy(plane, GOOD + b"#", "c.py")
    plane.follower(updates.append).load()
    assert updates[0].removed_files == {"a.py": 2}
    assert [(file.name, file.version) for file in updates[0].changed_files] == [("b.py", 1), ("c.py", 3)]


def test_older_versions_go_back_to_where_the_file_was_undeployed(plane: Plane) -> None:
    for number in range(3):
        deploy(plane, GOOD + b"#%d" % number)
    plane.deployments.undeploy("a.py", AUTHOR)
    for number in range(3):
        deploy(plane, GOOD + b"##%d" % number)
    assert [file.version for file in older_versions(plane.database, Package("a.py", 7, b""))] == [6, 5]


def test_workers_of_this_server_that_run_no_more_are_forgotten(plane: Plane) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with plane.database.transaction() as session:
        for server, pid in (("server1", os.getpid()), ("server1", dead.pid), ("elsewhere", dead.pid)):
            report_worker(session, server, pid, 1, [Outcome("a.py", 1, 1)])
        forget_dead_workers(session, "server1")
    assert {(row.server, row.pid) for row in plane.rows(WorkerRow)} == {("server1", os.getpid()), ("elsewhere", dead.pid)}
    assert len(plane.rows(DeploymentStatusRow)) == 2
