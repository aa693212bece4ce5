"""A change that is waited for: it is answered when all workers have it, or with who has not."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest
from zato.server.control.workers import forget_worker, report_worker
from zato.server.odb.database import Database

from .conftest import TOKEN, Answer, Server, StartServer

pytestmark = pytest.mark.redis

ZATO = str(Path(sys.executable).parent / "zato")
PASSWORD = "correct horse battery"
WORKERS = 2
GHOST = ("ghost", 1)


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    server = start_server(odb_url=new_odb_url(), workers=WORKERS)
    server.wait_until_grpc_serves()
    server.admin("zato.account.create", name="ann", role="admin", password=PASSWORD, must_change_password=False)
    return server


@pytest.fixture
def ghost(server: Server) -> Iterator[str]:
    """A worker that lives, as it said a moment ago, and takes nothing up."""
    database = Database(server.odb_url)
    with database.transaction() as session:
        report_worker(session, *GHOST, 0, [])
    yield "ghost/1"
    with database.transaction() as session:
        forget_worker(session, *GHOST)
    database.close()


def post(server: Server, service: str, /, **values: Any) -> Answer:
    basic = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    body = json.dumps(values).encode()
    answer: Answer = server.request("POST", f"/zato/json/{service}", body, {"Authorization": f"Basic {basic}"})
    return answer


def made(answer: Answer) -> Any:
    (response,) = (value for name, value in answer.json.items() if name != "zato_env")
    return response


def test_what_was_waited_for_is_live_on_every_worker(server: Server) -> None:
    answer = post(server, "zato.channel-http.create", name="w", url_path="/w", service="zato.ping", wait_s=20)
    assert answer.status == 200 and (made(answer)["is_live"], made(answer)["missing"]) == (True, [])
    # Each request is a connection of its own, so both workers are asked.
    assert {server.request("GET", "/w").status for _ in range(20 * WORKERS)} == {200}
    answer = post(server, "zato.channel-http.edit", name="w", url_path="/v", wait_s=20)
    assert made(answer)["is_live"]
    assert {server.request("GET", "/w").status for _ in range(20 * WORKERS)} == {404}
    answer = post(server, "zato.http-soap.delete", id=made(answer)["id"], wait_s=20)
    assert made(answer) == {"is_live": True, "missing": []}
    assert {server.request("GET", "/v").status for _ in range(20 * WORKERS)} == {404}


def test_who_has_not_got_it_in_time_is_named_and_the_change_is_there(server: Server, ghost: str) -> None:
    answer = post(server, "zato.channel-http.create", name="g", url_path="/g", service="zato.ping", wait_s=0.3)
    assert answer.status == 202 and answer.json["zato_env"]["result"] == "ZATO_OK"
    # On a busy machine others may be late as well.
    assert made(answer)["is_live"] is False and ghost in made(answer)["missing"]
    assert server.admin("zato.channel-http.get", name="g")["url_path"] == "/g"
    answer = post(server, "zato.enmasse.apply", objects=[], wait_s=0.1)
    assert answer.status == 202 and ghost in made(answer)["missing"]
    answer = post(server, "zato.channel-http.edit", name="g", url_path="/gg")
    assert answer.status == 200 and "is_live" not in made(answer), "nobody asked to wait"


def test_deployments_are_waited_for_in_the_same_way(server: Server, ghost: str) -> None:
    source = base64.b64encode(b"from zato.server.service import Service\n").decode()
    deploy = ("zato.service.upload-package", {"payload": source, "payload_name": "late.py"})
    for name in ("wait_s", "wait"):
        answer = post(server, deploy[0], **deploy[1], **{name: 0.3})
        assert answer.status == 202 and ghost in made(answer)["missing"]
    assert post(server, deploy[0], **deploy[1]).status == 200


def test_it_is_the_same_over_grpc_and_by_the_command(server: Server, ghost: str, tmp_path: Path) -> None:
    response = server.invoke("zato.security-basic-auth.create", {"name": "b", "username": "b", "wait_s": 0.1})
    assert response.status == 202 and ghost in json.loads(response.payload)["missing"]
    (tmp_path / "token").write_text(TOKEN)
    payload = json.dumps({"name": "b", "realm": "R", "wait_s": 0.1})
    command = [ZATO, "--json", "service", "invoke", "zato.security-basic-auth.edit", "--payload", payload]
    command += ["--server", f"127.0.0.1:{server.grpc_port}", "--token-file", "token"]
    environ = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert ghost in json.loads(done.stdout)["missing"]


@pytest.mark.parametrize("wait_s", ["long", -1, 61, True, [1]])
def test_what_is_no_time_is_refused_before_anything_is_changed(server: Server, wait_s: Any) -> None:
    with pytest.raises(BadRequest, match="'wait_s' takes a number of seconds up to 60"):
        server.admin("zato.security-basic-auth.create", name="never", username="never", wait_s=wait_s)
    names = {each["name"] for each in server.admin("zato.security-basic-auth.get-list")}
    assert "never" not in names
