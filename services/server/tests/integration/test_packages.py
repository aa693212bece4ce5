"""Packages of several modules and data on real servers: over HTTP from outside, by the command, by the pickup folder."""

import base64
import io
import json
import random
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zato.common.cli.main import main
from zato.common.testing.waiting import eventually

from .conftest import TOKEN, Answer, Server, StartServer

pytestmark = pytest.mark.redis

_PASSWORD = "a long enough password"
_CLUSTER = "packages"
_TRIES = 10
Zato = Callable[..., tuple[int, str, str]]


def orders(number: int | str, *, before: str = "", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """A package whose service answers with what each of its modules and data files has, which is always `number`."""
    api = (
        "import os\nfrom importlib import resources\nfrom pathlib import Path\nfrom zato.server.service import Service\n"
        "from orders.models import NUMBER\nfrom .rules import deep\n\n\n"
        "class Get(Service):\n    name = 'orders.get'\n\n    def handle(self):\n"
        f"        {before or 'pass'}\n"
        "        from . import late\n"
        "        by_path = (Path(__file__).parent / 'data' / 'number.txt').read_text()\n"
        "        found = [NUMBER, deep.NUMBER, late.NUMBER, by_path]\n"
        "        self.response.payload = {'found': found, 'pid': os.getpid(), 'resource': RESOURCE}\n\n\n"
        "RESOURCE = resources.files(__package__).joinpath('data/number.txt').read_text()\n"
    )
    return {
        "orders/__init__.py": "",
        "orders/api.py": api,
        "orders/models.py": f"NUMBER = '{number}'\n",
        "orders/late.py": f"NUMBER = '{number}'\n",
        "orders/rules/__init__.py": "",
        "orders/rules/deep.py": "from ..models import NUMBER\n",
        "orders/data/number.txt": str(number),
        **(more or {}),
    }


def zipped(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return made.getvalue()


def write(folder: Path, files: Mapping[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class Client:
    """Somebody outside, with an account."""

    def __init__(self, server: Server, name: str, role: str) -> None:
        server.admin("zato.account.create", name=name, role=role, password=_PASSWORD, must_change_password=False)
        self._authorization = "Basic " + base64.b64encode(f"{name}:{_PASSWORD}".encode()).decode()
        self._server = server

    def post(self, service: str, /, **values: Any) -> Answer:
        headers = {"Authorization": self._authorization}
        return self._server.request("POST", f"/zato/json/{service}", json.dumps(values).encode(), headers, timeout_s=60.0)

    def call(self, service: str, /, **values: Any) -> Any:
        answer = self.post(service, **values)
        assert answer.status == 200, answer.body
        (payload,) = (value for name, value in answer.json.items() if name != "zato_env")
        return payload

    def upload(self, files: Mapping[str, str] | bytes, name: str = "orders.zip", wait: float = 20.0) -> Answer:
        data = files if isinstance(files, bytes) else zipped(files)
        return self.post("zato.service.upload-package", payload=base64.b64encode(data).decode(), payload_name=name, wait=wait)

    def deploy(self, files: Mapping[str, str] | bytes, name: str = "orders.zip") -> dict[str, Any]:
        answer = self.upload(files, name)
        assert answer.status == 200, answer.body
        deployed: dict[str, Any] = answer.json["zato_service_upload_package_response"]
        return deployed


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str], new_redis_url: Callable[[], str]) -> Server:
    server = start_server(
        odb_url=new_odb_url(),
        redis_url=new_redis_url(),
        cluster=_CLUSTER,
        workers=2,
        package_check_timeout_s=10.0,
        package_check_memory_mb=256,
        package_max_files=50,
        package_max_unpacked_bytes=20_000_000,
    )
    server.add_channel("orders", "/orders", "orders.get")
    server.wait_until_applied()
    return server


@pytest.fixture(scope="module")
def deployer(server: Server) -> Client:
    return Client(server, "dora", "deployer")


@pytest.fixture(autouse=True)
def _nothing_stays(server: Server) -> Iterator[None]:
    yield
    for package in server.admin("zato.package.get-list"):
        if package["action"] != "undeploy":
            server.deploy(package["name"], undeploy=True)


@pytest.fixture
def zato(server: Server, capsys: pytest.CaptureFixture[str]) -> Zato:
    token = server.folder / "token"
    token.write_text(TOKEN)

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*map(str, words), "--server", f"127.0.0.1:{server.grpc_port}", "--token-file", str(token)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def found(server: Server) -> list[Any]:
    """What the service answers now, on whichever worker; its status where it is no 200."""
    given = [server.request("GET", "/orders") for _ in range(_TRIES)]
    answers = [each.json["found"] if each.status == 200 else each.status for each in given]
    return [each for number, each in enumerate(answers) if each not in answers[:number]]


def audit(server: Server, action: str) -> list[tuple[str, str, str]]:
    entries = server.admin("zato.audit-log.get-list", action=action)["data"]
    return [(each["who"], each["name"], each["result"]) for each in entries]


# Over HTTP from outside


def test_a_package_is_live_on_all_workers_with_its_sub_packages_and_data(server: Server, deployer: Client) -> None:
    deployed = deployer.deploy(orders(1))
    assert (deployed["name"], deployed["is_ok"], deployed["is_accepted"], deployed["missing"]) == ("orders", True, True, [])
    assert {worker["pid"] for worker in deployed["workers"]} == server.worker_pids()
    assert {worker["version_running"] for worker in deployed["workers"]} == {deployed["version"]}
    answer = server.request("GET", "/orders").json
    assert (answer["found"], answer["resource"]) == (["1"] * 4, "1")
    assert {server.request("GET", "/orders").json["pid"] for _ in range(50)} == server.worker_pids()
    source = server.admin("zato.service.get-source-info", name="orders.get")
    assert (source["source_path"], "class Get(Service)" in source["source"]) == ("orders/api.py", True)
    assert ("dora", "orders", "ok") in audit(server, "deploy")


def test_a_history_tells_who_when_from_where_and_what_the_workers_run(server: Server, deployer: Client) -> None:
    first, second = deployer.deploy(orders(1)), deployer.deploy(orders(2))
    refused = deployer.deploy(orders(3, more={"orders/broken.py": "def f():\n    1 / 0\nf()\n"}))
    latest, live, replaced, *_ = deployer.call("zato.package.get-history", name="orders")
    assert [latest["version"], live["version"], replaced["version"]] == [
        refused["version"],
        second["version"],
        first["version"],
    ]
    assert [latest["is_live"], live["is_live"], replaced["is_live"]] == [False, True, False]
    assert (live["created_by"], live["address"], live["upload_name"]) == ("dora", "127.0.0.1", "orders.zip")
    assert (live["file_count"], len(live["digest"])) == (7, 64)
    assert {(worker["pid"], worker["is_ok"]) for worker in live["workers"]} == {(pid, True) for pid in server.worker_pids()}
    assert (latest["action"], replaced["workers"]) == ("reject", [])
    assert (latest["reason"], "ZeroDivisionError" in latest["traceback"]) == (
        "orders/broken.py, line 2: ZeroDivisionError: division by zero",
        True,
    )
    details = deployer.call("zato.package.get", name="orders", version=second["version"])
    assert {"path": "orders/data/number.txt", "size": 1} in details["files"]


def test_versions_are_compared_restored_and_undeployed(server: Server, deployer: Client) -> None:
    first = deployer.deploy(orders(1))
    second = deployer.deploy(orders(2, more={"orders/data/new.bin": "\0"}))
    versions = {"from_version": first["version"], "to_version": second["version"]}
    diff = deployer.call("zato.package.diff", name="orders", **versions)
    assert [(each["path"], each["change"], each["is_text"]) for each in diff["files"]] == [
        ("orders/data/new.bin", "added", False),
        ("orders/data/number.txt", "changed", True),
        ("orders/late.py", "changed", True),
        ("orders/models.py", "changed", True),
    ]
    assert "-NUMBER = '1'\n+NUMBER = '2'\n" in diff["files"][-1]["diff"]

    restored = deployer.call("zato.package.roll-back", name="orders", wait=20)
    assert (restored["version"], restored["is_ok"], found(server)) == (second["version"] + 1, True, [["1"] * 4])
    history = deployer.call("zato.package.get-history", name="orders")
    assert history[0]["restored_version"] == first["version"]
    assert history[0]["digest"] == history[2]["digest"]
    again = deployer.call("zato.hot-deploy.create", package_id=second["id"], wait=20)
    assert (again["version"], found(server)) == (second["version"] + 2, [["2"] * 4])

    undeployed = deployer.call("zato.package.undeploy", name="orders", wait=20)
    assert (undeployed["is_ok"], found(server)) == (True, [404])
    assert deployer.post("zato.package.undeploy", name="orders").status == 404
    deployer.call("zato.package.roll-back", name="orders", wait=20)
    assert found(server) == [["2"] * 4]
    assert {("dora", "orders", "ok")} == set(audit(server, "roll-back"))
    assert ("dora", "orders", "refused") in audit(server, "undeploy")
    payload = deployer.call("zato.package.get-source", name="orders", version=first["version"])
    assert deployer.deploy(base64.b64decode(payload["payload"]), payload["payload_name"])["is_ok"]
    assert found(server) == [["1"] * 4]


@pytest.mark.any_odb
@pytest.mark.parametrize(
    ("name", "data", "status", "says"),
    [
        ("orders.zip", zipped({"../evil.py": "x = 1"}), 400, "leaves the package's folder"),
        ("orders.zip", zipped({"/etc/evil.py": "x = 1"}), 400, "is absolute"),
        ("orders.zip", b"no archive", 400, "no zip archive"),
        ("orders.zip", zipped({"readme.txt": "x"}), 400, "no Python module"),
        ("orders.zip", zipped({f"orders/m{number}.py": "" for number in range(51)}), 413, "package_max_files"),
        ("orders.zip", zipped({"orders/a.py": "", "zeros": "0" * 10_000_000}), 413, "taken for a trap"),
        ("orders.zip", zipped({"orders/a.py": "", "zeros": "0" * 21_000_000}), 413, "package_max_unpacked_bytes"),
        ("orders.tar.gz", b"x", 415, "has to be a Python file"),
        ("1.zip", zipped(orders(1)), 400, "no name for a package"),
        ("orders-1.0-py3-none-any.whl", zipped(orders(1)), 400, ".dist-info"),
        ("orders-1.0-cp311-cp311-linux_x86_64.whl", zipped(orders(1)), 400, "compiled code"),
    ],
)
def test_a_bad_upload_is_refused_with_the_reason_and_changes_nothing(
    server: Server, deployer: Client, name: str, data: bytes, status: int, says: str
) -> None:
    deployer.deploy(orders("good"))
    answer = deployer.upload(data, name)
    assert (answer.status, says in answer.json["zato_env"]["details"]) == (status, True), answer.body
    assert found(server) == [["good"] * 4]
    assert ("dora", name, "refused") in audit(server, "upload-package")


@pytest.mark.parametrize(
    "values",
    [
        {"payload": "!!!", "payload_name": "a.py"},
        {"payload": 7, "payload_name": "a.py"},
        {"payload": "eA==", "payload_name": ""},
        {"payload": "eA==", "payload_name": "a.py", "wait": "long"},
        {"payload": "eA==", "payload_name": "a.py", "wait": 1e9},
        {},
    ],
    ids=str,
)
def test_an_upload_that_makes_no_sense_is_refused(deployer: Client, values: dict[str, Any]) -> None:
    assert deployer.post("zato.service.upload-package", **values).status == 400


@pytest.mark.any_odb
def test_who_may_not_deploy_does_not(server: Server, deployer: Client) -> None:
    deployer.deploy(orders(1))
    developer, viewer = Client(server, "dev", "developer"), Client(server, "vic", "viewer")
    assert developer.upload(orders(2)).status == 403
    assert developer.post("zato.package.roll-back", name="orders").status == 403
    assert developer.post("zato.package.undeploy", name="orders").status == 403
    assert developer.post("zato.hot-deploy.create", package_id=1).status == 403
    assert developer.call("zato.package.diff", name="orders")["name"] == "orders"
    assert viewer.post("zato.package.diff", name="orders").status == 403
    assert viewer.post("zato.package.get-source", name="orders").status == 403
    assert viewer.call("zato.package.get-history", name="orders")[0]["is_live"]
    assert found(server) == [["1"] * 4]


# What new code could do to a server


@pytest.mark.any_odb
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\nos._exit(3)", "ended with exit code 3"),
        ("while True: pass", "did not end within 10 s"),
        ("x = []\nwhile True: x.append(bytearray(10_000_000))", "MemoryError"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
    ids=["exit", "loop", "memory", "kill"],
)
def test_code_that_ends_hangs_or_eats_memory_while_it_is_imported_harms_nobody(
    server: Server, deployer: Client, code: str, reason: str
) -> None:
    deployer.deploy(orders("good"))
    pids = server.live_worker_pids()
    answers: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            answers.append(server.request("GET", "/orders").status)

    asking = threading.Thread(target=ask)
    asking.start()
    deployed = deployer.deploy(orders("bad", more={"orders/harmful.py": code}))
    is_over.set()
    asking.join()
    assert (deployed["is_accepted"], reason in deployed["reason"]) == (False, True), deployed
    assert (set(answers), server.live_worker_pids(), found(server)) == ({200}, pids, [["good"] * 4])


def test_no_request_sees_half_of_a_package_while_versions_come(server: Server, deployer: Client) -> None:
    deployer.deploy(orders(0))
    answers: list[Answer] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            answers.append(server.request("GET", "/orders"))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for number in range(1, 6):
        assert deployer.deploy(orders(number))["is_ok"]
        assert found(server) == [[str(number)] * 4]
    is_over.set()
    for thread in asking:
        thread.join()
    assert {answer.status for answer in answers} == {200}
    assert all(len(set(answer.json["found"])) == 1 for answer in answers)
    assert {answer.json["found"][0] for answer in answers} == {"0", "1", "2", "3", "4", "5"}


@pytest.mark.any_odb
def test_a_running_request_ends_with_the_package_that_it_began_with(server: Server, deployer: Client) -> None:
    has_begun = server.folder / "has-begun"
    wait = f"p = Path({str(has_begun)!r}); p.touch(); import time; [time.sleep(0.01) for _ in iter(p.exists, False)]"
    deployer.deploy(orders("old", before=wait))
    with server.connect() as connection:
        connection.send(b"GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(has_begun.exists, what="the request to begin")
        deployer.deploy(orders("new"))
        assert found(server) == [["new"] * 4]
        has_begun.unlink()
        answer = connection.read_answer()
    assert answer is not None and answer.json["found"] == ["old"] * 4


def test_a_server_that_joins_later_has_the_package_too(server: Server, deployer: Client, start_server: StartServer) -> None:
    deployer.deploy(orders(1))
    deployed = deployer.deploy(orders(2))
    late = start_server(odb_url=server.odb_url, redis_url=server.redis_url, cluster=_CLUSTER)
    assert found(late) == [["2"] * 4]
    live = deployer.call("zato.package.get-history", name="orders")[0]
    assert {worker["server"] for worker in live["workers"]} == {server.name, late.name}
    assert {worker["version_running"] for worker in live["workers"]} == {deployed["version"]}
    late.stop()
    deployer.deploy(orders(3))
    late.start()
    assert found(late) == [["3"] * 4]
    late.stop()


# The command


def test_a_folder_is_deployed_compared_and_restored_by_the_command(server: Server, zato: Zato) -> None:
    folder = server.folder / "project"
    # So large that it is sent in pieces, and nothing that could be made much smaller.
    large = {"orders/data/large.txt": random.Random(1).randbytes(300_000).hex()}
    write(folder, {"pyproject.toml": "", **{f"src/{path}": text for path, text in orders(1, more=large).items()}})
    code, out, err = zato("service", "deploy", folder, "--name", "orders")
    assert (code, err, "live on 2 workers" in out) == (0, "", True), out
    write(folder, {"pyproject.toml": "", **{f"src/{path}": text for path, text in orders(2).items()}})
    assert zato("service", "deploy", folder, "--name", "orders")[0] == 0
    assert found(server) == [["2"] * 4]
    code, out, err = zato("package", "diff", "orders")
    assert (code, "3 changed, 1 removed" in out, "-NUMBER = '1'\n+NUMBER = '2'" in out) == (0, True, True), out
    code, out, err = zato("package", "rollback", "orders")
    assert (code, "live on 2 workers" in out, found(server)) == (0, True, [["1"] * 4]), out
    code, out, err = zato("package", "history", "orders")
    assert (code, " again" in out.splitlines()[1], "live" in out.splitlines()[1]) == (0, True, True), out
    code, out, err = zato("package", "list")
    assert (code, "orders" in out, "on 2 workers" in out) == (0, True, True), out
    code, out, err = zato("package", "show", "orders")
    assert (code, "orders/data/number.txt" in out) == (0, True), out
    kept = server.folder / "kept.zip"
    assert zato("package", "download", "orders", "--out", kept)[0] == 0
    assert zato("package", "undeploy", "orders")[0] == 0
    assert found(server) == [404]
    assert zato("service", "deploy", kept, "--name", "orders")[0] == 0
    assert found(server) == [["1"] * 4]


@pytest.mark.any_odb
def test_what_is_refused_says_why_with_the_traceback_and_is_an_exit_code(server: Server, zato: Zato) -> None:
    good, bad = server.folder / "good" / "orders", server.folder / "bad" / "orders"
    write(good.parent, orders("good"))
    write(bad.parent, orders("bad", more={"orders/broken.py": "import os\nos.environ['NO_SUCH']\n"}))
    assert zato("service", "deploy", good)[0] == 0
    code, out, err = zato("service", "deploy", bad)
    assert (code, "refused" in out) == (1, True)
    assert "error: orders: orders/broken.py, line 2: KeyError: 'NO_SUCH'" in err
    assert '  │   File "orders/broken.py", line 2, in <module>' in err
    assert found(server) == [["good"] * 4]
    (server.folder / "evil.zip").write_bytes(zipped({"../evil.py": ""}))
    code, out, err = zato("service", "deploy", server.folder / "evil.zip")
    assert (code, "leaves the package's folder" in err) == (1, True)
    assert ("cluster", "evil.zip", "refused") in audit(server, "deploy")


# The pickup folder


@pytest.mark.any_odb
def test_archives_and_folders_in_the_pickup_folder_are_deployed_replaced_and_undeployed(server: Server) -> None:
    partial = server.folder / "orders.zip"
    partial.write_bytes(zipped(orders(1)))
    partial.rename(server.pickup / "orders.zip")
    eventually(lambda: found(server) == [["1"] * 4], what="the archive to be live")
    write(server.folder / "new", {path.removeprefix("orders/"): text for path, text in orders(2).items()})
    (server.folder / "new").rename(server.pickup / "orders")
    eventually(lambda: found(server) == [["2"] * 4], what="the folder to be live")
    (server.pickup / "orders.zip").unlink()
    (server.pickup / "orders" / "models.py").write_text("NUMBER = '3'\n")
    eventually(lambda: found(server) == [["3", "3", "2", "2"]], what="the changed folder to be live")
    shutil.rmtree(server.pickup / "orders")
    eventually(lambda: found(server) == [404], what="the package to be gone")
    assert (f"pickup/{server.name}", "orders", "ok") in audit(server, "undeploy")


# Old versions


def test_old_versions_are_forgotten_and_the_live_one_never(start_server: StartServer, new_odb_url: Callable[[], str]) -> None:
    server = start_server(odb_url=new_odb_url(), package_keep_versions=3)
    dora = Client(server, "dora", "deployer")
    server.add_channel("orders", "/orders", "orders.get")
    for number in range(1, 6):
        dora.deploy(orders(number))
    assert [each["version"] for each in dora.call("zato.package.get-history", name="orders")] == [5, 4, 3]
    for number in range(4):
        assert not dora.deploy(orders(number, more={"orders/bad.py": f"{number} / 0"}))["is_accepted"]
    assert [each["version"] for each in dora.call("zato.package.get-history", name="orders")] == [9, 8, 7, 5]
    answer = dora.post("zato.package.roll-back", name="orders", version=2)
    assert (answer.status, "There is no version 2 of 'orders': there are 5 to 9" in answer.json["zato_env"]["details"]) == (
        404,
        True,
    )
    assert dora.post("zato.package.roll-back", name="orders", version=8).status == 409
    server.stop()
    server.start()
    assert found(server) == [["5"] * 4]
    assert len(list((server.folder / "work" / "services").iterdir())) == 1, "sources of what runs, and no others"
