"""The commands for what runs, as a person types them, against a real server."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from zato.common.cli.main import main
from zato.common.errors import ZatoError
from zato.common.testing.waiting import eventually

from .conftest import TOKEN, Server, StartServer

pytestmark = pytest.mark.redis
SERVICES = """
from time import sleep

from zato.server.service import Service


class Get(Service):
    def handle(self):
        if self.request.payload.get("fails"):
            raise ValueError("it broke")
        sleep(0.06)
        self.cache.default.set("customer-1", "Ann")
        self.response.payload = {"is_ok": True}


class Begin(Service):
    def handle(self):
        self.invoke_async("orders.get", {"fails": True})
"""

Zato = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    return start_server(odb_url=new_odb_url(), async_max_attempts=1)


@pytest.fixture
def zato(server: Server, capsys: pytest.CaptureFixture[str]) -> Zato:
    token = server.folder / "token"
    token.write_text(TOKEN)

    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--server", f"127.0.0.1:{server.grpc_port}", "--token-file", str(token)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_an_empty_cluster_says_what_to_do(zato: Zato) -> None:
    for words, said in (
        ("stats", "No service has run in the last 1h"),
        ("stats nothing", "has not run in the last 1h"),
        ("service slow nothing", "slow_threshold=500"),
        ("service samples nothing", "sample_every=100"),
        ("service errors nothing", "Nothing has failed"),
        ("cache list", "All caches are empty"),
        ("cache entries", "no such entries"),
        ("queue show async", "no such messages"),
        ("rate-limit list", "Nothing is limited"),
        ("kvdb GET nothing", "(None)"),
        ("audit list --who nobody", "no such entries"),
    ):
        code, output = zato(*words.split())
        assert (code, said in output) == (0, True), (words, output)


def test_what_runs_is_shown(server: Server, zato: Zato) -> None:
    server.deploy("orders.py", SERVICES)
    code, _ = zato("object", "create", "service", "orders.get", "slow_threshold=50", "sample_every=1")
    assert code == 0
    limit = {"is_rate_limit_active": True, "rate_limit_type": "EXACT", "rate_limit_def": "* = 4/d"}
    server.add_channel("orders", "/orders", "orders.get", **limit)
    server.wait_until_applied()
    assert server.request("POST", "/orders", b"{}").status == 200
    cid = server.invoke("orders.get", {}).cid
    with pytest.raises(ZatoError):
        server.invoke("orders.get", {"fails": True})
    eventually(lambda: "orders.get" in zato("stats")[1], what="the numbers")
    _, output = zato("stats", "--by", "errors", "--last", "12h")
    assert ("1 (33.33 %)" in output, "█" in output) == (True, True)
    _, output = zato("stats", "orders.get")
    assert all(word in output for word in ("p95 over time", "mean", "█"))
    for command in ("slow", "samples"):
        assert cid in zato("service", command, "orders.get")[1]
        assert '"is_ok": true' in zato("service", command, "orders.get", cid)[1]
    _, output = zato("service", "errors", "orders.get")
    assert "ValueError: it broke" in output
    assert "Traceback" in zato("service", "errors", "orders.get", output.split()[-1])[1]
    _, output = zato("rate-limit", "list")
    assert ("1 of 4" in output, "cluster" in output) == (True, True)
    assert zato("rate-limit", "reset", "channel-http", "orders")[0] == 0
    assert "0 of 4" in zato("rate-limit", "list")[1]
    _, output = zato("server", "list")
    assert (server.name in output, "running" in output) == (True, True)


def test_one_service_is_shown_read_switched_off_and_on(server: Server, zato: Zato) -> None:
    server.deploy("orders.py", SERVICES)
    server.add_channel("switched", "/switched", "orders.get")
    server.wait_until_applied()
    code, output = zato("service", "show", "orders.get")
    assert (code, "orders.Get" in output, "orders.py version" in output) == (0, True, True), output
    assert ["channel-http", "switched", "yes"] in [line.split() for line in output.splitlines()]
    assert all(str(pid) in output for pid in server.worker_pids())
    code, output = zato("service", "source", "orders.get")
    assert (code, output) == (0, SERVICES.rstrip("\n") + "\n")
    assert zato("service", "disable", "orders.get", "--wait", "20")[0] == 0
    assert server.request("POST", "/switched", b"{}").status == 404
    assert "zato service enable orders.get" in zato("service", "show", "orders.get")[1]
    assert zato("service", "enable", "orders.get", "--wait", "20")[0] == 0
    assert server.request("POST", "/switched", b"{}").status == 200
    said = "error: There is no service 'orders.gett', did you mean 'orders.get'?\n"
    for word in ("show", "source", "disable", "invoke"):
        assert zato("service", word, "orders.gett") == (1, said)
    assert "is the platform's own" in zato("service", "disable", "zato.ping")[1]


def test_lists_are_searched_sorted_and_shown_by_pages_over_http_and_by_the_command(server: Server, zato: Zato) -> None:
    for number in range(5):
        server.add_channel(f"paged-{number}", f"/paged/{number}", "orders.get")

    def names(output: str) -> list[str]:
        return [line.split()[1] for line in output.splitlines() if line.startswith("channel-http ")]

    code, output = zato(
        "object", "list", "channel-http", "--search", "PAGED", "--sort=-name", "--page", "2", "--page-size", "2"
    )
    assert (code, names(output)) == (0, ["paged-2", "paged-1"])
    assert "Page 2 of 3, 5 in all" in output
    assert names(zato("object", "list", "--search", "/paged/3")[1]) == ["paged-3"]
    assert "Nothing that contains 'no such thing'" in zato("object", "list", "--search", "no such thing")[1]
    assert " zato.ping " not in zato("object", "list")[1]
    assert " zato.ping " in zato("object", "list", "service", "--all")[1]
    code, output = zato("object", "list", "channel-http", "--sort", "nothing")
    assert (code, "'sort' takes the name of what is listed" in output) == (1, True)
    page = {"query": "paged", "sort": "-url_path", "cur_page": 1, "page_size": 2}
    password = "a long enough password"
    server.admin("zato.account.create", name="reader", role="viewer", password=password, must_change_password=False)
    headers = {"Authorization": "Basic " + base64.b64encode(f"reader:{password}".encode()).decode()}
    answer = server.request("POST", "/zato/json/zato.channel-http.get-list", json.dumps(page).encode(), headers)
    (listed,) = (value for name, value in answer.json.items() if name != "zato_env")
    assert [each["name"] for each in listed["data"]] == ["paged-4", "paged-3"]
    assert (listed["_meta"]["total"], listed["_meta"]["next_page"]) == (5, 2)


def test_caches_are_looked_into(server: Server, zato: Zato) -> None:
    server.admin("zato.cache.builtin.entry.set", key=7, value="by number", name="rates")
    assert "rates" in zato("cache", "list")[1]
    assert "7" in zato("cache", "entries", "--cache", "rates")[1]
    assert zato("cache", "get", "7", "--number", "--cache", "rates") == (0, "by number\n")
    assert zato("cache", "get", "7", "--cache", "rates")[0] == 1, "a text is another key"
    assert zato("cache", "get", "x", "--number")[0] == 2
    assert zato("cache", "delete", "7", "--number", "--cache", "rates")[0] == 0
    server.admin("zato.cache.builtin.entry.set", key="a", value="b", name="rates")
    assert zato("cache", "clear", "rates")[0] == 2, "nobody can be asked"
    assert "Deleted 1 entries" in zato("cache", "clear", "rates", "--yes")[1]


def test_dead_letters_are_shown_redriven_and_purged(server: Server, zato: Zato) -> None:
    server.invoke("orders.begin")

    def dead() -> list[Any]:
        found: list[Any] = json.loads(zato("queue", "show", "async", "--json")[1])["data"]
        return found

    (letter,) = eventually(dead, what="the dead letter")
    assert "it broke" in zato("queue", "show", "async")[1]
    assert '"fails":true' in zato("queue", "show", "async", letter["id"])[1]
    assert zato("queue", "redrive", "async")[0] == 2, "which ones?"
    assert zato("queue", "redrive", "async", "--all")[0] == 2, "nobody can be asked"
    assert zato("queue", "redrive", "async", letter["id"]) == (0, "Run again: 1 of the messages\n")
    assert zato("queue", "redrive", "async", letter["id"])[0] == 1, "it is not there any more"
    eventually(dead, what="its failing once more")
    assert "Deleted: 1" in zato("queue", "purge", "async", "--all", "--yes")[1]
    assert "Asynchronous invocations" in zato("queue", "list")[1]


def test_redis_is_given_commands(zato: Zato) -> None:
    assert zato("kvdb", "SET", "my key", "a value") == (0, "OK\n")
    assert zato("kvdb", "GET", "my key") == (0, "a value\n")
    assert zato("kvdb", "FLUSHDB")[0] == 1
    assert "CONFIG GET" in zato("kvdb", "list")[1]
