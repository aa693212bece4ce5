"""The data dictionary and commands for Redis: on a real one, then through a server."""

import base64
import bz2
import json
import threading
from typing import Any

import pytest
import redis

from zato.common.errors import AlreadyExists, BadRequest, Forbidden, NotFound, Unavailable, ZatoError
from zato.server.services.data_dictionary import ITEMS, DataDictionary
from zato.server.services.kvdb import KeyValueDB
from zato.server.services.remote_commands import COMMANDS, NOTHING, execute

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis
POLAND = ("CRM", "country", "PL")
POLSKA = ("Billing", "land", "Polska")


@pytest.fixture
def conn(redis_url: str) -> "redis.Redis":
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def dictionary(conn: "redis.Redis") -> DataDictionary:
    return DataDictionary(conn)


@pytest.fixture
def translated(dictionary: DataDictionary) -> tuple[int, int, int]:
    """Ids of two entries and of the translation of one to the other."""
    return dictionary.create_item(*POLAND), dictionary.create_item(*POLSKA), dictionary.create_translation(POLAND, POLSKA)


def meaning(redis_url: str, value: str = "PL") -> str:
    return str(KeyValueDB(redis_url).translate("CRM", "country", value, "Billing", "land"))


# The data dictionary


def test_what_is_put_into_the_dictionary_is_what_services_translate_by(
    redis_url: str, translated: Any, conn: "redis.Redis"
) -> None:
    assert (translated, meaning(redis_url)) == ((1, 2, 1), "Polska")
    assert conn.hget(ITEMS, "1") == b"CRM:::country:::PL"
    key = "zato:kvdb:data-dict:translation:::CRM:::country:::PL:::Billing:::land"
    assert conn.hgetall(key) == {b"id": b"1", b"id1": b"1", b"id2": b"2", b"value2": b"Polska"}


def test_an_entry_that_is_edited_keeps_its_translations(redis_url: str, dictionary: DataDictionary, translated: Any) -> None:
    source, target, _ = translated
    dictionary.edit_item(target, "Billing", "land", "Rzeczpospolita")
    dictionary.edit_item(source, "CRM", "country", "POL")
    assert (meaning(redis_url), meaning(redis_url, "POL")) == ("", "Rzeczpospolita")
    assert len(dictionary.translations()) == 1


@pytest.mark.parametrize("index", [0, 1])
def test_an_entry_that_is_deleted_takes_its_translations_along(
    redis_url: str, dictionary: DataDictionary, translated: Any, index: int
) -> None:
    dictionary.delete_item(translated[index])
    assert (meaning(redis_url), dictionary.translations(), len(dictionary.items())) == ("", [], 1)


def test_a_translation_is_edited_and_deleted(redis_url: str, dictionary: DataDictionary, translated: Any) -> None:
    dictionary.create_item("CRM", "country", "DE")
    dictionary.edit_translation(translated[2], ("CRM", "country", "DE"), POLSKA)
    assert (meaning(redis_url), meaning(redis_url, "DE")) == ("", "Polska")
    dictionary.delete_translation(translated[2])
    assert meaning(redis_url, "DE") == ""
    assert dictionary.last_ids() == (3, 1)


def test_what_makes_no_sense_is_refused_and_changes_nothing(dictionary: DataDictionary, translated: Any) -> None:
    before = dictionary.export()
    for error, work in (
        (AlreadyExists, lambda: dictionary.create_item(*POLAND)),
        (AlreadyExists, lambda: dictionary.create_translation(POLAND, POLSKA)),
        (AlreadyExists, lambda: dictionary.edit_item(translated[1], *POLAND)),
        (NotFound, lambda: dictionary.create_translation(POLAND, ("Billing", "land", "Nowhere"))),
        (NotFound, lambda: dictionary.edit_item(77, "a", "b", "c")),
        (NotFound, lambda: dictionary.delete_item(77)),
        (NotFound, lambda: dictionary.edit_translation(77, POLAND, POLSKA)),
        (NotFound, lambda: dictionary.delete_translation(77)),
        (BadRequest, lambda: dictionary.create_item("a b", "c", "d")),
        (BadRequest, lambda: dictionary.create_item("a", "", "d")),
        (BadRequest, lambda: dictionary.create_item("a", "b", "c:::d")),
        (BadRequest, lambda: dictionary.create_item("a", "b", "x" * 2001)),
    ):
        with pytest.raises(error):
            work()
    assert dictionary.export() == before


def test_people_at_the_same_time_make_no_entry_twice(dictionary: DataDictionary) -> None:
    made: list[Any] = []

    def create(number: int) -> None:
        try:
            made.append(dictionary.create_item("CRM", "country", f"C{number % 5}"))
        except AlreadyExists as exc:
            made.append(exc)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each for each in made if isinstance(each, int)) == [1, 2, 3, 4, 5]
    assert len(dictionary.items()) == 5


def test_what_was_exported_replaces_everything(redis_url: str, dictionary: DataDictionary, translated: Any) -> None:
    exported = dictionary.export()
    dictionary.delete_item(translated[0])
    dictionary.create_item("CRM", "country", "DE")
    assert dictionary.replace(exported) == (2, 1)
    assert (dictionary.export(), meaning(redis_url)) == (exported, "Polska")
    assert dictionary.create_item("CRM", "country", "FR") == 4, "no id is given twice"


@pytest.mark.parametrize(
    "exported",
    [
        b"",
        b"no bz2",
        bz2.compress(b"no JSON"),
        bz2.compress(b"[]"),
        bz2.compress(b'{"items": []}'),
        bz2.compress(b'{"items": [[1, "a", "b", "c"]], "translations": [[1, 1, 2]]}'),
        bz2.compress(b'{"items": [[1, "a", "b", "c"], [2, "a", "b", "c"]], "translations": []}'),
        bz2.compress(b'{"items": [[1, "a", "b", ":::"]], "translations": []}'),
        bz2.compress(b'{"items": [[-1, "a", "b", "c"]], "translations": []}'),
        bz2.compress(b"\0" * 200_000_000),
        bz2.compress(b'{"items": [], "translations": []}')[:-4],
    ],
    ids=range(11),
)
def test_what_was_never_exported_replaces_nothing(dictionary: DataDictionary, translated: Any, exported: bytes) -> None:
    before = dictionary.export()
    with pytest.raises(BadRequest, match="no exported data dictionary"):
        dictionary.replace(exported)
    assert dictionary.export() == before


# Commands


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("PING", "OK"),
        ('SET "my key" "a value"', "OK"),
        ("get 'my key'", "a value"),
        ("GET nothing", NOTHING),
        ("INCRBY n 5", "5"),
        ("RPUSH", None),
        ("LPUSH l b a", "2"),
        ("LRANGE l 0 -1", "a\nb"),
        ("HSET h f v", "1"),
        ("HGETALL h", "f: v"),
        ("MGET n nothing", "5\n(None)"),
        ("KEYS *", "h\nl\nmy key\nn"),
        ("DBSIZE", "4"),
        ("OBJECT ENCODING n", "int"),
        ("TYPE l", "list"),
        ("DEL n l", "2"),
        ("ECHO \u017b", "\u017b"),
    ],
)
def test_commands_are_run_as_typed(conn: "redis.Redis", line: str, answer: str | None) -> None:
    for setup in ('SET "my key" "a value"', "SET n 5", "LPUSH l b a", "HSET h f v"):
        if not line.startswith(setup.split()[0]) and not line.startswith(("INCR",)):
            execute(conn, setup)
    if answer is None:
        with pytest.raises(BadRequest, match="is not among"):
            execute(conn, line)
    else:
        assert execute(conn, line) == answer


@pytest.mark.parametrize(
    "line",
    [
        "FLUSHDB",
        "FLUSHALL",
        "SHUTDOWN",
        "EVAL 'return 1' 0",
        "CONFIG SET dir /tmp",
        "CONFIG GET",
        "SLAVEOF a 1",
        "SCRIPT FLUSH",
        "OBJECT HELP",
        "MODULE LOAD x",
        "GET",
        "",
        "'",
        "LPUSH only-a-key",
        "KEYS CHANGELOG.md LICENSE",
    ],
)
def test_what_is_not_on_the_list_is_refused(conn: "redis.Redis", line: str) -> None:
    conn.set("kept", "1")
    with pytest.raises(BadRequest):
        execute(conn, line)
    assert conn.get("kept") == b"1"


@pytest.mark.parametrize(
    "line",
    [
        "DEL zato:x:async:stream",
        "DEL mine zato:x",
        "SET zato:x 1",
        "RENAME mine zato:x",
        "RENAME zato:x mine",
        "MSET mine 1 zato:x 2",
        "EXPIRE zato:x 0",
        "LTRIM zato:x 0 0",
    ],
)
def test_what_belongs_to_the_platform_is_not_changed_by_hand(conn: "redis.Redis", line: str) -> None:
    with pytest.raises(Forbidden, match="zato:x"):
        execute(conn, line)
    assert conn.dbsize() == 0


def test_commands_that_write_are_known_to_and_those_that_do_not_too(conn: "redis.Redis") -> None:
    told: Any = conn.command()
    for name, command in COMMANDS.items():
        assert command.writes == ("write" in told[name.lower()]["flags"]), name


def test_passwords_of_redis_are_masked(conn: "redis.Redis") -> None:
    conn.config_set("masterauth", "hush")
    try:
        assert execute(conn, "CONFIG GET masterauth") == "masterauth: ******"
        assert "hush" not in execute(conn, "CONFIG GET *")
    finally:
        conn.config_set("masterauth", "")


def test_a_redis_that_is_away_is_said_to_be(redis_server: Any) -> None:
    conn = redis.Redis.from_url(redis_server.url, retry=None)
    redis_server.stop()
    with pytest.raises(Unavailable):
        execute(conn, "PING")
    with pytest.raises(Unavailable):
        DataDictionary(conn).items()


# A server

SERVICES = """
from zato.server.service import Service


class Translate(Service):
    def handle(self):
        self.response.payload = {"means": self.translate("CRM", "country", self.request.payload, "Billing", "land")}
"""
_ITEM, _TRANSLATION = "zato.kvdb.data-dict.dictionary", "zato.kvdb.data-dict.translation"


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    return start_server()


def test_a_service_translates_what_was_put_there_through_the_admin_api(server: Server) -> None:
    server.deploy("means.py", SERVICES)
    ids = [
        server.admin(f"{_ITEM}.create", system=system, key=key, value=value)["id"] for system, key, value in (POLAND, POLSKA)
    ]
    ends = dict(zip(("system1", "key1", "value1", "system2", "key2", "value2"), (*POLAND, *POLSKA), strict=True))
    made = server.admin(f"{_TRANSLATION}.create", **ends)
    assert json.loads(server.invoke("means.translate", "PL").payload) == {"means": "Polska"}
    assert server.admin(f"{_TRANSLATION}.get-list") == [{**made, **ends, "id1": ids[0], "id2": ids[1]}]
    translated = server.admin(f"{_TRANSLATION}.translate", **{name: ends[name] for name in ends if name != "value2"})
    assert (translated["value2"], translated["hex"]) == ("Polska", b"Polska".hex())
    assert server.admin(f"{_ITEM}.get-system-list") == [{"name": "Billing"}, {"name": "CRM"}]
    assert server.admin(f"{_ITEM}.get-key-list", system="CRM") == [{"name": "country"}]
    assert server.admin(f"{_ITEM}.get-value-list", system="CRM", key="country") == [{"name": "PL"}]
    page = server.admin(f"{_ITEM}.get-list", cur_page=1, page_size=1, query="p")
    assert (len(page["data"]), page["_meta"]["total"]) == (1, 2)
    exported = server.admin("zato.kvdb.data-dict.impexp.export")["data"]
    server.admin(f"{_ITEM}.delete", id=ids[0])
    assert json.loads(server.invoke("means.translate", "PL").payload) == {"means": ""}
    assert server.admin("zato.kvdb.data-dict.impexp.import", data=exported) == {"items": 2, "translations": 1}
    assert base64.b64decode(exported).startswith(b"BZh")
    actions = [each["action"] for each in server.admin("zato.audit-log.get-list", query="data-dict")["data"]]
    assert actions == ["import", "delete", "create", "create", "create"]


def test_commands_are_noted_without_their_values_before_they_run(server: Server) -> None:
    assert server.admin("zato.kvdb.remote-command.execute", command="SET mine hush") == {"result": "OK"}
    with pytest.raises(ZatoError):
        server.admin("zato.kvdb.remote-command.execute", command="DEL zato:mine")
    entries = server.admin("zato.audit-log.get-list", kind="kvdb.remote-command")["data"]
    assert [(each["name"], each["result"]) for each in entries] == [
        ("", "refused"),
        ("DEL zato:mine", "begun"),
        ("SET mine", "begun"),
    ]
    assert "hush" not in json.dumps(entries)
