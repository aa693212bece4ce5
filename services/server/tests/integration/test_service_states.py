"""What operators say of services on running servers: off and on, limits, patterns, messages; and broadcasts to all workers."""

import json
import secrets
from typing import Any

import pytest
import redis

from zato.common.errors import BadRequest, Conflict, InvalidOptions, NotFound
from zato.common.testing.waiting import eventually

pytestmark = pytest.mark.redis

SERVICES = """
import os

from zato.common import Inactive
from zato.common.broker_message import SERVICE
from zato.server.service import Service


class Target(Service):
    name = "target"

    def handle(self):
        self.response.payload = {"ran": True}


class Forbidden(Service):
    name = "forbidden.it"

    def handle(self):
        pass


class Caller(Service):
    name = "caller"
    invokes = ["target"]

    def handle(self):
        try:
            self.response.payload = self.invoke(self.request.input.service)
        except Inactive as e:
            self.response.payload = {"inactive": e.msg}


class Note(Service):
    name = "note"

    def handle(self):
        key = self.request.payload["key"]
        self.kvdb.conn.rpush(key, "%s %s" % (os.getpid(), self.cid))


class Send(Service):
    name = "send"
    invokes = ["note"]

    def handle(self):
        given = self.request.payload
        msg = {"action": SERVICE.PUBLISH.value, "service": given["service"], "payload": {"key": given["key"]}}
        how = getattr(self.broker_client, given["how"])
        self.response.payload = {"cid": how(msg)}


class Names(Service):
    name = "names"

    def handle(self):
        document = self.msg.json_pointer(self.request.payload)
        self.response.payload = {
            "name": document.get("CustomerName"),
            "user": self.security.basic_auth["crm"].username,
            "terms": self.static_config["terms.txt"],
        }


class Conf(Service):
    name = "conf"
    input = "pin"
    output = "pin"

    def handle(self):
        assert isinstance(self.request.input.pin, int)
        self.response.payload.pin = self.request.input.pin
"""


def start(start_server: Any, **settings: Any) -> Any:
    server = start_server(**settings)
    server.deploy("published.py", SERVICES)
    for name in ("target", "caller", "send", "names", "conf"):
        server.add_channel(name, f"/{name}", name)
    server.wait_until_applied()
    return server


@pytest.fixture(scope="module")
def running(start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("services")
    (folder / "static").mkdir()
    (folder / "static" / "terms.txt").write_text("terms")
    (folder / "simple-io.conf").write_text("[int]\nexact = id, pin\n")
    return start(
        start_server,
        workers=2,
        services_folder=str(folder),
        deploy_patterns_allowed=["**=True", "forbidden.*=False"],
        invoke_patterns_allowed=["order=true_false", "**=True", "names=False"],
        invoke_target_patterns_allowed=["east=True"],
        enforce_service_invokes=True,
    )


def call(server: Any, path: str, **values: Any) -> tuple[int, Any]:
    answer = server.request("POST", path, json.dumps(values).encode())
    return answer.status, json.loads(answer.body)


def test_a_service_is_switched_off_and_on_everywhere(running: Any) -> None:
    described = running.admin("zato.service.get-by-name", name="target")
    assert described["is_active"] and described["slow_threshold"] == 99999
    edited = running.admin("zato.service.edit", id=described["id"], is_active=False, slow_threshold=50)
    assert (edited["id"], edited["name"], edited["impl_name"]) == (described["id"], "target", "published.Target")
    running.wait_until_applied()
    for _ in range(6):  # whichever worker takes it
        assert call(running, "/target")[0] == 404
        assert call(running, "/caller", service="target") == (200, {"inactive": "Service 'target' is switched off"})
    listed = {each["name"]: each for each in running.admin("zato.service.get-list")}
    assert (listed["target"]["is_active"], listed["target"]["slow_threshold"]) == (False, 50)
    assert running.admin("zato.service.is-deployed", name="target") == {"is_deployed": True}
    with pytest.raises(NotFound, match="is switched off"):
        running.invoke("target")
    running.deploy("published.py", SERVICES + "\n# a new version\n")
    assert call(running, "/target")[0] == 404
    assert running.admin("zato.service.edit", name="target", is_active=True)["is_changed"]
    running.wait_until_applied()
    assert call(running, "/target") == (200, {"ran": True})
    assert running.admin("zato.service.get-by-name", name="target")["slow_threshold"] == 50


def test_what_can_not_be_said_of_a_service_is_refused(running: Any) -> None:
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (NotFound, {"name": "nothing", "is_active": False}),
        (NotFound, {"id": 1}),
        (BadRequest, {"id": "x"}),
        (Conflict, {"name": "zato.service.edit", "is_active": False}),
        (Conflict, {"name": "zato.ping", "is_active": False}),
        (BadRequest, {"name": "target", "new_name": "other"}),
        (InvalidOptions, {"name": "target", "is_active": "perhaps"}),
        (InvalidOptions, {"name": "target", "color": "red"}),
    ]
    for error, values in wrong:
        with pytest.raises(error):
            running.admin("zato.service.edit", **values)


def test_a_service_has_a_limit_for_all_of_its_channels(running: Any) -> None:
    running.add_channel("target-2", "/target-2", "target")
    limit = {"is_rate_limit_active": True, "rate_limit_type": "EXACT", "rate_limit_def": "* = 2/d"}
    running.admin("zato.service.edit", name="target", **limit)
    running.wait_until_applied()
    statuses = [call(running, path)[0] for path in ("/target", "/target-2", "/target", "/target-2")]
    assert statuses == [200, 200, 429, 429]
    assert call(running, "/caller", service="target")[0] == 200
    running.admin("zato.service.edit", name="target", is_rate_limit_active=False)
    running.wait_until_applied()
    assert call(running, "/target")[0] == 200


def test_settings_say_what_is_deployed_and_invoked(running: Any) -> None:
    assert running.admin("zato.service.is-deployed", name="forbidden.it") == {"is_deployed": False}
    for service in ("names", "note", "target@west"):
        assert call(running, "/caller", service=service)[0] == 500, service
    assert call(running, "/caller", service="target@east")[0] == 200
    assert "may not invoke 'note'" in running.log_text()


def received(server: Any, key: str) -> list[str]:
    return [line.decode() for line in redis.Redis.from_url(server.redis_url).lrange(key, 0, -1)]  # type: ignore[union-attr]


def test_a_broadcast_reaches_all_workers_of_all_servers_and_a_task_one(
    start_server: Any, new_odb_url: Any, new_redis_url: Any
) -> None:
    name = f"broadcast-{secrets.token_hex(4)}"
    cluster = {"odb_url": new_odb_url(), "redis_url": new_redis_url(), "cluster": name, "workers": 2}
    servers = [start(start_server, **cluster), start_server(**cluster)]
    servers[0].wait_until_applied()
    pids = {str(pid) for server in servers for pid in server.worker_pids()}
    assert len(pids) == 4
    topic, conn = f"zato:{name}:async:broadcast", redis.Redis.from_url(servers[0].redis_url)
    eventually(lambda: conn.pubsub_numsub(topic) == [(topic.encode(), 4)], what="all workers to listen")
    for how, count in [("publish", 4), ("invoke_async", 1)]:
        _, answer = call(servers[0], "/send", how=how, service="note", key=how)
        eventually(lambda how=how, count=count: len(received(servers[0], how)) == count, what="the workers to run it")
        lines = [line.split() for line in received(servers[0], how)]
        assert {cid for _, cid in lines} == {answer["cid"]}
        ran = {pid for pid, _ in lines}
        assert len(ran) == count and ran <= pids


def test_a_target_is_reached_where_it_is(running: Any) -> None:
    call(running, "/send", how="publish", service="note@west", key="west")
    call(running, "/send", how="invoke_async", service="note@east", key="east")
    eventually(lambda: len(received(running, "east")) == 2, what="the workers to run it")
    assert received(running, "west") == []


def test_configured_names_definitions_and_files_reach_services(running: Any) -> None:
    running.admin("zato.message-json-pointer.create", name="CustomerName", value="/customer/name")
    running.admin("zato.security-basic-auth.create", name="crm", username="jane", password="p")
    running.wait_until_applied()
    assert call(running, "/names", customer={"name": "Jane"}) == (200, {"name": "Jane", "user": "jane", "terms": "terms"})
    running.admin("zato.message-json-pointer.edit", name="CustomerName", value="/who")
    running.wait_until_applied()
    assert call(running, "/names", who="Joe")[1]["name"] == "Joe"


def test_names_of_elements_are_those_of_the_servers_file(running: Any) -> None:
    assert call(running, "/conf", pin="7") == (200, {"pin": 7})
    assert call(running, "/conf", pin="seven")[0] == 400


def test_a_server_with_a_bad_file_does_not_start(start_server: Any, tmp_path: Any) -> None:
    (tmp_path / "simple-io.conf").write_text("[numbers]\n")
    server = start_server(is_awaited=False, services_folder=str(tmp_path))
    server.launch()
    assert server.wait_for_end(30) != 0
    assert "there is no section [numbers]" in server.log_text()
