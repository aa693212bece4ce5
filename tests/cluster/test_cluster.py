"""The whole system, as `zato quickstart` starts it: nothing that a client repeats without harm may fail."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

from zato.common.testing.load import Load
from zato.common.testing.waiting import eventually

ZATO = [str(Path(sys.executable).parent / "zato")]
SERVICE = """
from zato.server.service import Service
class Version(Service):
    name = "version"
    def handle(self):
        self.response.payload = {{"first": {0}, "second": {0}}}
"""


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        done = subprocess.run([*ZATO, *arguments], env=self.environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def address(self) -> str:
        parts = tomllib.loads((self.folder / "cluster.toml").read_text())["parts"]
        return "http://" + next(part["frontend_address"] for part in parts if part["name"] == "lb-agent")

    def deploy(self, version: int) -> None:
        file = self.folder / "version.py"
        file.write_text(SERVICE.format(version))
        self.zato("service", "deploy", str(file), "--wait", "20")

    def master_of(self, name: str) -> int:
        text = (self.folder / name / "run" / "server.pid").read_text()
        return int(re.search(r"\d+", text)[0])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, haproxy_program):
    made = Cluster(tmp_path_factory.mktemp("cluster") / "c")
    made.zato("quickstart", "create", str(made.folder))
    try:
        made.zato("quickstart", "start", str(made.folder))
        made.deploy(0)
        made.zato("object", "create", "channel-http", "version", "url_path=/version", "service=version", "method=GET")
        made.zato("wait", "--timeout", "20")
        yield made
    finally:
        made.zato("quickstart", "stop", str(made.folder))


def test_a_killed_server_costs_no_request_and_comes_back(cluster):
    with Load(f"{cluster.address}/version") as load:
        eventually(lambda: len(load.answers) > 50)
        os.kill(cluster.master_of("server1"), signal.SIGKILL)
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 100)
        cluster.zato("quickstart", "start", str(cluster.folder))
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 100)
    assert load.failures == []


def test_twenty_deployments_under_load_answer_wholly_old_or_wholly_new(cluster):
    with Load(f"{cluster.address}/version") as load:
        for version in range(1, 21):
            cluster.deploy(version)
    assert load.failures == []
    answers = [json.loads(answer) for answer in load.answers]
    assert all(answer["first"] == answer["second"] for answer in answers)
    assert answers[-1]["first"] == 20


def test_reloads_of_the_load_balancer_cost_no_request(cluster):
    with Load(f"{cluster.address}/version") as load:
        for _ in range(5):
            cluster.zato("lb", "reload")
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 20)
    assert load.failures == []


def test_a_change_is_live_on_every_worker_of_both_servers(cluster):
    cluster.zato("object", "create", "channel-http", "other", "url_path=/other", "service=version")

    def is_live_everywhere() -> bool:
        status = json.loads(cluster.zato("--json", "service", "invoke", "zato.cluster.get-status"))
        versions = {worker["config_version"] for worker in status["workers"]}
        return len({worker["server"] for worker in status["workers"]}) == 2 and versions == {status["config_version"]}

    # Workers of the server that was killed above are listed until they have been silent for a while.
    eventually(is_live_everywhere, timeout_s=40)
    with urllib.request.urlopen(f"{cluster.address}/other", timeout=5) as response:
        assert response.status == 200
        assert len(response.headers["X-Zato-CID"]) == 24
