"""What services find on `self`, on a running server: its folder, its Redis, its answers."""

import json
import threading
from typing import Any

import pytest
import redis

from zato.common.testing.waiting import eventually

pytestmark = pytest.mark.redis

SERVICES = """
from contextlib import closing

from zato.common import BadRequest, HTTPException
from zato.server.service import Service


class Refused(Service):
    def accept(self):
        return False

    def handle(self):
        self.response.payload = "ran"


class Strict(Service):
    schema = "customer.json"

    def handle(self):
        self.response.payload = {"usage": self.usage}


class Raises(Service):
    def handle(self):
        if self.request.input.how == "bad":
            raise BadRequest(self.cid, "There is no such customer")
        raise HTTPException(self.cid, "I am a teapot", 418)


class Knows(Service):
    def handle(self):
        self.cache.get_cache("builtin", "rates").set("key", {"a": 1}, expiry=60)
        self.response.payload = {
            "config": self.user_config.crm.api.limit,
            "own": self.user_config.mine.s.k,
            "lua": self.kvdb.lua_container.run_lua("add", ["n"], [2]),
            "crypto": self.crypto.decrypt(self.crypto.encrypt("x")),
            "remote": self.wsgi_environ["REQUEST_METHOD"],
            "channel": self.channel == "http-soap",
            "time": self.time.utcnow("YYYY"),
        }


class Cached(Service):
    def handle(self):
        self.response.payload = self.cache.get_cache("builtin", "rates").get("key")


class ODB(Service):
    def handle(self):
        from sqlalchemy import text
        with closing(self.odb.session()) as session:
            self.response.payload = {"one": session.execute(text("SELECT 1")).scalar()}


class Shell(Service):
    def handle(self):
        result = self.commands.invoke("sleep 1; echo done")
        self.response.payload = {"stdout": result.stdout}


class Hash(Service):
    def handle(self):
        hashed = self.crypto.hash_secret("x")
        self.response.payload = {"ok": self.crypto.verify_hash("x", hashed)}


class Locked(Service):
    def handle(self):
        with self.lock("stock", timeout=10):
            number = int(self.kvdb.conn.get("stock") or 0)
            self.sleep(0.01)
            self.kvdb.conn.set("stock", number + 1)


class Ping(Service):
    def handle(self):
        self.response.payload = {"pong": True}
"""
NAMES = ("refused", "strict", "raises", "knows", "cached", "odb", "shell", "hash", "locked", "ping")


@pytest.fixture(scope="module")
def server(start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("services")
    for name, text in {
        "schema/json/customer.json": '{"type": "object", "required": ["id"]}',
        "lua/user/add.lua": "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        "user-conf/mine.ini": "[s]\nk = v\n",
        "crm.ini": "[api]\nlimit = 10\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    server = start_server(services_folder=str(folder), user_config=[f"crm={folder}/crm.ini"], workers=2)
    server.deploy("api.py", SERVICES)
    for name in NAMES:
        server.add_channel(name, f"/{name}", f"api.{name}")
    server.wait_until_applied()
    return server


def test_what_is_not_accepted_gets_400_with_nothing_in_it(server: Any) -> None:
    answer = server.request("POST", "/refused", b"{}")
    assert (answer.status, answer.body) == (400, b"")
    assert answer.cid


def test_what_does_not_fit_the_schema_gets_400_that_says_why(server: Any) -> None:
    answer = server.request("POST", "/strict", b'{"name": "x"}')
    assert answer.status == 400
    assert "id" in answer.json["details"]
    assert server.request("POST", "/strict", b'{"id": 1}').status == 200


def test_a_file_whose_schema_is_not_there_is_not_deployed(server: Any) -> None:
    (worker,) = server.deploy("other.py", SERVICES.replace("customer.json", "missing.json")).workers
    assert (worker.is_ok, worker.version_running) == (False, 0)
    assert "class Strict: the schema" in worker.reason
    assert "missing.json cannot be read" in worker.reason


@pytest.mark.parametrize(("how", "status", "text"), [("bad", 400, "There is no such customer"), ("tea", 418, "I am a teapot")])
def test_errors_in_their_published_form_have_their_status(server: Any, how: str, status: int, text: str) -> None:
    answer = server.request("GET", f"/raises?how={how}")
    assert (answer.status, answer.json["details"], answer.json["cid"]) == (status, text, answer.cid)


def test_services_find_their_things(server: Any) -> None:
    known = server.request("POST", "/knows").json
    assert known["config"] == "10"
    assert known["own"] == "v"
    assert known["lua"] >= 2
    assert known["lua"] % 2 == 0
    assert (known["crypto"], known["remote"], known["channel"]) == ("x", "POST", True)
    assert known["time"].isdecimal()


def test_what_one_worker_has_cached_all_have(server: Any) -> None:
    server.request("POST", "/knows")
    for _ in range(20):
        assert server.request("GET", "/cached").json == {"a": 1}


def test_services_may_look_into_the_odb(server: Any) -> None:
    assert server.request("GET", "/odb").json == {"one": 1}


@pytest.mark.parametrize(("path", "answer"), [("/shell", {"stdout": "done\n"}), ("/hash", {"ok": True})])
def test_what_takes_long_keeps_nobody_waiting(server: Any, path: str, answer: Any) -> None:
    """Each of the two workers has several at a time, and answers others meanwhile."""
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(server.request("GET", path).json)) for _ in range(4)]
    for thread in threads:
        thread.start()
    pinged = 0
    while any(thread.is_alive() for thread in threads):
        pinged += server.request("GET", "/ping").status == 200
    assert answers == [answer] * 4
    assert pinged > 10


def test_locks_hold_over_all_workers(server: Any) -> None:
    def work() -> None:
        for _ in range(5):
            assert server.request("POST", "/locked").status == 200

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = dict(line.split(" = ", 1) for line in (server.folder / "settings.toml").read_text().splitlines())
    conn = redis.Redis.from_url(json.loads(settings["redis_url"]))
    assert conn.get("stock") == b"30"


def test_runs_are_counted_over_all_workers(server: Any) -> None:
    before = server.request("POST", "/strict", b'{"id": 1}').json["usage"]
    for _ in range(10):
        server.request("POST", "/strict", b'{"id": 1}')

    def is_counted() -> bool:
        usage: int = server.request("POST", "/strict", b'{"id": 1}').json["usage"]
        return usage >= before + 11

    eventually(is_counted, what="all runs to be counted")
