"""Deploying, replacing and removing files of services while the server runs, by gRPC and through the pickup folder."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest, NotFound, UnsupportedMediaType
from zato.common.testing.waiting import eventually

from .conftest import TOKEN, Server, StartServer

pytestmark = pytest.mark.redis

_TRIES = 12


def source(answer: str, *, before: str = "", name: str = "made") -> str:
    """A file with one service that answers what the expression `answer` gives, and whose `handle` begins with `before`."""
    lines = "\n        ".join((before or "pass").splitlines())
    return (
        "import os\nfrom zato.server.service import Service\n"
        f"class Made(Service):\n    name = '{name}'\n    def handle(self):\n        {lines}\n"
        f"        self.response.payload = {{'answer': {answer}}}\n"
    )


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(workers=2)
    server.add_channel("made", "/made", "made")
    server.wait_until_applied()
    return server


@pytest.fixture(autouse=True)
def _nothing_stays(server: Server) -> Iterator[None]:
    """Each test begins with nothing deployed; what it deploys in several ways is one cluster's."""
    yield
    for file in server.pickup.iterdir():
        file.unlink()
    eventually(lambda: not picked_up_still(server), what="the pickup folder's files to be undeployed")
    for name in deployed(server):
        server.deploy(name, undeploy=True)


def picked_up_still(server: Server) -> list[str]:
    return [each["file_name"] for each in deployments(server) if is_deployed(each) and each["created_by"].startswith("pickup")]


def is_deployed(deployment: dict[str, Any]) -> bool:
    # A file whose newest upload was refused still runs in the version before it.
    return deployment["action"] == "deploy" or any(worker["version_running"] for worker in deployment["workers"])


def deployments(server: Server) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = server.admin("zato.deployment.get-list")
    return listed


def deployment(server: Server, name: str) -> dict[str, Any]:
    return next((each for each in deployments(server) if each["file_name"] == name), {})


def deployed(server: Server) -> list[str]:
    return [each["file_name"] for each in deployments(server) if is_deployed(each)]


def answers(server: Server) -> set[Any]:
    """What the service answers now; its status where it is no 200. Asked often enough to reach each worker."""
    given = [server.request("GET", "/made") for _ in range(_TRIES)]
    return {each.json["answer"] if each.status == 200 else each.status for each in given}


def pick_up(server: Server, name: str, text: str) -> None:
    (server.pickup / name).write_text(text)


# Through gRPC


def test_a_deployment_is_live_on_all_workers_when_it_returns_and_each_reports_its_version(server: Server) -> None:
    for version in (1, 2, 3):
        response = server.deploy("versions.py", source(str(version)))
        assert answers(server) == {version}
        assert {each.pid for each in response.workers} == server.worker_pids()
        assert {(each.version_running, each.is_ok) for each in response.workers} == {(response.version, True)}
        assert not response.missing


def test_an_undeployment_is_done_on_all_workers_when_it_returns(server: Server) -> None:
    server.deploy("gone.py", source("1"))
    assert answers(server) == {1}
    response = server.deploy("gone.py", undeploy=True)
    assert {(each.version_running, each.is_ok, each.reason) for each in response.workers} == {(0, True, "")}
    assert not response.missing
    assert answers(server) == {404}
    with pytest.raises(NotFound):
        server.deploy("gone.py", undeploy=True)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("x = 1\ndef broken(:\n", "broken.py, line 2: "),
        ("import os\n\nraise ValueError('the reason')\n", "broken.py, line 3: ValueError: the reason"),
        ("import sys\nsys.exit(1)\n", "broken.py, line 2: SystemExit: 1"),
    ],
    ids=["syntax", "exception", "exit"],
)
def test_a_broken_file_keeps_the_old_one_and_says_file_line_and_reason(server: Server, broken: str, reason: str) -> None:
    running = server.deploy("broken.py", source("'old'")).version
    response = server.deploy("broken.py", broken)
    assert [each.version_running for each in response.workers] == [running]
    assert [reason in each.reason for each in response.workers] == [True], response
    assert answers(server) == {"old"}
    listed = deployment(server, "broken.py")
    assert (listed["action"], reason in listed["reason"]) == ("reject", True)
    assert {worker["version_running"] for worker in listed["workers"]} == {running}


@pytest.mark.parametrize("name", ["../evil.py", "a b.py", "a.txt", "a.b.py", "/tmp/a.py", ""])
def test_a_name_that_is_no_module_is_refused(server: Server, name: str) -> None:
    with pytest.raises((BadRequest, UnsupportedMediaType)):
        server.deploy(name, source("1"))


def test_siblings_import_each_other_and_their_order_does_not_matter(server: Server) -> None:
    server.deploy("a_uses.py", source("b_used.VALUE", before="import b_used"))  # inside a function: not missed yet
    server.deploy("c_uses.py", "import b_used\n" + source("b_used.VALUE", name="other"))
    assert "b_used" in deployment(server, "c_uses.py")["workers"][0]["reason"]
    server.deploy("b_used.py", "VALUE = 'from the sibling'\n")
    assert answers(server) == {"from the sibling"}
    assert server.admin("other") == {"answer": "from the sibling"}
    server.deploy("b_used.py", "VALUE = 'changed'\n")
    assert answers(server) == {"changed"}
    assert {server.admin("other")["answer"] for _ in range(_TRIES)} == {"changed"}
    assert {worker["is_ok"] for worker in deployment(server, "c_uses.py")["workers"]} == {True}


def test_a_set_of_files_that_import_each_other_is_deployed_by_one_command_in_any_order(server: Server) -> None:
    token_file = server.folder / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    files = {"a_uses.py": f"from b_used import VALUE\n{source('VALUE')}", "b_used.py": "VALUE = 1\n"}

    def deploy_by_command() -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (server.folder / name).write_text(text)
        zato = [str(Path(sys.executable).parent / "zato"), "service", "deploy", "a_uses.py", "b_used.py"]
        address = ["--server", f"127.0.0.1:{server.grpc_port}", "--token-file", str(token_file)]
        return subprocess.run([*zato, *address], cwd=server.folder, capture_output=True, text=True, timeout=60)

    done = deploy_by_command()
    assert done.returncode == 0, done.stdout + done.stderr
    assert answers(server) == {1}
    # The first one does not fit the second one's old version: only both together are right.
    files = {"a_uses.py": f"from b_used import OTHER\n{source('OTHER')}", "b_used.py": "VALUE = 1\nOTHER = 2\n"}
    done = deploy_by_command()
    assert done.returncode == 0, done.stdout + done.stderr
    assert answers(server) == {2}


def test_a_running_request_ends_with_the_code_that_it_began_with(server: Server) -> None:
    wait = "import time, pathlib\npathlib.Path({file!r}).touch()\nwhile pathlib.Path({file!r}).exists():\n    time.sleep(0.01)"
    has_begun = server.folder / "has-begun"
    server.deploy("long.py", source("'the old code'", before=wait.format(file=str(has_begun))))
    with server.connect() as connection:
        connection.send(b"GET /made HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(has_begun.exists, what="the request to begin")
        server.deploy("long.py", source("'the new code'"))
        assert answers(server) == {"the new code"}
        has_begun.unlink()
        answer = connection.read_answer()
        assert answer is not None and answer.json == {"answer": "the old code"}


# Through the pickup folder


def test_a_file_that_is_put_changed_and_deleted_is_deployed_replaced_and_undeployed(server: Server) -> None:
    pick_up(server, "picked.py", source("1"))
    eventually(lambda: answers(server) == {1}, what="the file to be live")
    pick_up(server, "picked.py", source("'a new version'"))
    eventually(lambda: answers(server) == {"a new version"}, what="the new version to be live")
    (server.pickup / "picked.py").unlink()
    eventually(lambda: answers(server) == {404}, what="the service to be gone")
    assert deployment(server, "picked.py")["action"] == "undeploy"


def test_a_broken_file_in_the_folder_keeps_the_old_one_and_says_why(server: Server) -> None:
    pick_up(server, "picked.py", source("1"))
    eventually(lambda: answers(server) == {1}, what="the file to be live")
    since = server.log_file.stat().st_size
    pick_up(server, "picked.py", "x = 1\nx +\n")
    eventually(lambda: deployment(server, "picked.py")["action"] == "reject", what="the file to be refused")
    assert "picked.py, line 2: " in deployment(server, "picked.py")["reason"]
    assert answers(server) == {1}
    refused = eventually(lambda: server.log_lines("pickup_refused", since), what="the log to say so")
    assert "picked.py, line 2: " in refused[0]["reason"]
    pick_up(server, "picked.py", source("'mended'"))
    eventually(lambda: answers(server) == {"mended"}, what="the mended file to be live")


@pytest.mark.parametrize("names", [("a_first", "z_last"), ("z_last", "a_first")], ids=["before", "after"])
def test_files_of_the_folder_import_each_other_whatever_they_are_called(server: Server, names: tuple[str, str]) -> None:
    used, user = names
    pick_up(server, f"{user}.py", f"from {used} import VALUE\n{source('VALUE')}")
    pick_up(server, f"{used}.py", "VALUE = 'from the sibling'\n")
    eventually(lambda: answers(server) == {"from the sibling"}, what="both files to be live")


def test_files_that_fit_one_another_only_when_all_are_changed_are_all_taken_up(server: Server) -> None:
    pick_up(server, "z_used.py", "OLD = 'old'\n")
    pick_up(server, "a_uses.py", f"from z_used import OLD\n{source('OLD')}")
    eventually(lambda: answers(server) == {"old"}, what="both files to be live")
    # Each of them is refused beside the other's old version: one is taken up first, and then the other is tried again.
    pick_up(server, "a_uses.py", f"from z_used import NEW\n{source('NEW')}")
    pick_up(server, "z_used.py", "OLD = NEW = 'new'\n")
    eventually(lambda: answers(server) == {"new"}, what="both new versions to be live")


def test_a_restart_has_everything_again_and_notices_what_was_deleted_meanwhile(start_server: StartServer) -> None:
    server = start_server(workers=2)
    server.add_channel("made", "/made", "made")
    pick_up(server, "stays.py", source("'it stays'"))
    pick_up(server, "goes.py", source("'it goes'", name="goes"))
    eventually(lambda: sorted(picked_up_still(server)) == ["goes.py", "stays.py"], what="both files to be deployed")
    server.deploy("by_grpc.py", source("'it stays too'", name="by-grpc"))
    server.stop()
    (server.pickup / "goes.py").unlink()
    server.start()
    server.wait_until_grpc_serves()
    assert answers(server) == {"it stays"}
    assert server.admin("by-grpc") == {"answer": "it stays too"}
    eventually(lambda: deployment(server, "goes.py")["action"] == "undeploy", what="the deleted file to be undeployed")
