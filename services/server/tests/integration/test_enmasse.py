"""`zato enmasse` against a server."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zato.common.cli.main import main
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.proto.control_plane.v1.control_plane_pb2 import RegisterKindsRequest
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub

from .conftest import TOKEN, Server, StartServer

HERE = Path(__file__).parent / "enmasse"
SECRETS = {
    "Staff_API_Password": "staff-password",
    "Invoices_Token": "invoices-secret",
    "Contacts_Token": "contacts-secret",
    "Windows_Password": "windows-secret",
    "Staff_DB_Password": "db-secret",
    "Directory_Password": "directory-secret",
}
STAFF = """
from zato.server.service import Service

class Find(Service):
    name = "api.staff.find"

    def handle(self):
        self.response.payload = {"found": "nobody"}
"""


@dataclass(frozen=True)
class Printed:
    stdout: str
    stderr: str


class Enmasse:
    """The command, for one server, in a folder of its own; in our own process, which spares starting one each time."""

    def __init__(
        self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.server = server
        self.folder = folder
        self.environ: dict[str, str] = {}
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        (folder / "token").write_text(TOKEN)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *arguments: object, code: int = 0) -> Printed:
        words = [*map(str, arguments), "--server", f"127.0.0.1:{self.server.grpc_port}", "--token-file", "token"]
        self._capsys.readouterr()
        with self._monkeypatch.context() as patched:
            patched.chdir(self.folder)
            for name, value in {"NO_COLOR": "1", **self.environ}.items():
                patched.setenv(name, value)
            ended = main(words)
        captured = self._capsys.readouterr()
        assert ended == code, f"{captured.out}\n{captured.err}"
        return Printed(captured.out, captured.err)

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def clear(self) -> None:
        """Delete everything there is."""
        empty = self.write("empty.yaml", "")
        self.run("enmasse", "apply", empty, "--prune", "--yes")

    def version(self) -> int:
        version: int = self.server.admin("zato.cluster.get-status")["config_version"]
        return version


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    return start_server(odb_url=new_odb_url())


@pytest.fixture
def enmasse_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Server], Enmasse]:
    return lambda server: Enmasse(server, tmp_path, monkeypatch, capsys)


@pytest.fixture
def enmasse(server: Server, enmasse_of: Callable[[Server], Enmasse]) -> Enmasse:
    made = enmasse_of(server)
    made.clear()
    return made


BASE = """
security-basic-auth:
  - name: crm
    username: crm
    password: env:CRM_PASSWORD
channel-http:
  - name: orders
    url_path: /orders
    service: orders.get
    security: crm
"""


def test_a_published_file_imports_and_its_channel_asks_for_the_password(enmasse: Enmasse) -> None:
    enmasse.environ = SECRETS
    enmasse.server.deploy("staff.py", STAFF)
    answer = enmasse.json("enmasse", "apply", HERE / "my_project.yaml")
    made = {(change["kind"], change["name"]) for change in answer["changes"]}
    assert made == {
        ("security-basic-auth", "Staff API Key"),
        ("security-bearer-token", "Token for Invoices"),
        ("security-bearer-token", "Token for Contacts"),
        ("security-ntlm", "Windows Account"),
        ("channel-http", "Find Staff"),
        ("channel-http", "Open Channel"),
        ("outgoing-http", "Invoices"),
        ("outgoing-sql", "Staff DB"),
        ("outgoing-ldap", "Directory"),
        ("outgoing-soap", "Prices"),
    }
    skipped = [finding["message"] for finding in answer["findings"] if finding["severity"] == "skipped"]
    assert len(skipped) == 4
    assert "scheduler 'Ping Every Three Seconds': no part of this cluster has registered the kind scheduler-job" in skipped
    assert any("Old DB" in text and "no connections to mssql" in text for text in skipped)
    enmasse.server.wait_until_applied()
    path = "/api/staff/find"
    refused = enmasse.server.request("GET", path)
    assert (refused.status, refused.headers["www-authenticate"].startswith('Basic realm="OurProject"')) == (401, True)
    assert enmasse.server.request("GET", path, headers=basic("staff", "wrong")).status == 401
    found = enmasse.server.request("POST", path, b'{"any": 1}', headers=basic("staff", "staff-password"))
    assert (found.status, found.json) == (200, {"found": "nobody"})
    assert enmasse.server.request("GET", "/api/open").status == 404
    assert enmasse.server.admin("zato.outgoing-soap.get", name="Prices")["soap_version"] == "1.2"
    assert enmasse.server.admin("zato.outgoing-ldap.get", name="Directory")["server_list"] == "ldap://10.0.0.1:389"
    again = enmasse.json("enmasse", "apply", HERE / "my_project.yaml")
    assert (again["changes"], again["is_applied"]) == ([], False)


@options
class JobOptions:
    """Runs a service when it is time: as much of it as the file has."""

    job_type: str = option("What decides when it runs")
    service: str = option("Service that it runs", reference="service")
    start_date: str = option("Time of the first run", default="")
    seconds: int | None = option("Seconds between runs", default=None, minimum=0)


def test_jobs_are_made_once_a_part_has_registered_their_kind(
    start_server: StartServer, enmasse_of: Callable[[Server], Enmasse]
) -> None:
    enmasse = enmasse_of(start_server())
    client = enmasse.server.client
    job = Kind("scheduler-job", "Scheduled job", JobOptions)
    request = RegisterKindsRequest(part="scheduler", kinds=[job.describe()])
    client.call(ControlPlaneStub(client.channel).RegisterKinds, request, timeout_s=20)
    enmasse.server.wait_until_applied()
    enmasse.environ = SECRETS
    enmasse.run("enmasse", "apply", HERE / "my_project.yaml")
    made = enmasse.server.admin("zato.scheduler-job.get", name="Ping Every Three Seconds")
    assert (made["job_type"], made["seconds"], made["start_date"]) == ("interval_based", 3, "2025-01-02 03:04:05")


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.mark.any_odb
def test_empty_sections_are_nothing_and_unknown_ones_a_warning(enmasse: Enmasse) -> None:
    made = enmasse.run("enmasse", "apply", HERE / "sensors.yaml")
    assert "2 created, 0 unchanged" in made.stdout
    assert "sensors.yaml:14: there is no kind 'external_scheduler'" in made.stderr


def test_a_plan_shows_what_apply_then_does_and_changes_nothing(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    enmasse.write("base.yaml", BASE)
    version = enmasse.version()
    plan = enmasse.json("enmasse", "plan", "base.yaml")
    assert enmasse.version() == version
    applied = enmasse.json("enmasse", "apply", "base.yaml")
    assert plan["changes"] == applied["changes"]
    assert [change["action"] for change in plan["changes"]] == ["create", "create"]
    assert "hush" not in json.dumps(plan)
    text = enmasse.run("enmasse", "plan", enmasse.write("v2.yaml", BASE.replace("/orders", "/v2"))).stdout
    assert '~ channel-http orders\n    ~ url_path: "/orders" → "/v2"\n1 to change, 1 unchanged' in text


def test_a_changed_secret_is_noticed_and_not_shown(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    enmasse.write("base.yaml", BASE)
    enmasse.run("enmasse", "apply", "base.yaml")
    enmasse.environ = {"CRM_PASSWORD": "louder"}
    shown = enmasse.run("enmasse", "plan", "base.yaml").stdout
    assert "~ password: another secret" in shown
    assert "louder" not in shown


def test_one_wrong_object_keeps_all_others_out(enmasse: Enmasse) -> None:
    bad = "  - name: bad\n    url_path: no-slash\n    service: s\n"
    enmasse.write("bad.yaml", BASE.replace("env:CRM_PASSWORD", "secret") + bad)
    version = enmasse.version()
    made = enmasse.run("enmasse", "apply", "bad.yaml", code=1)
    assert "bad.yaml:11: channel-http 'bad': 'url_path' takes a path" in made.stderr
    assert enmasse.version() == version


@pytest.mark.any_odb
def test_all_problems_are_told_at_once_each_with_its_line(enmasse: Enmasse) -> None:
    text = """
channel-http:
  - name: one
    url_pth: /one
    service: s
  - name: two
    url_path: /two
    service: s
    security: nobody
    merge_url_params_req: perhaps
  - name: three
    url_path: /same
    service: s
  - name: four
    url_path: /same
    service: s
"""
    enmasse.write("bad.yaml", text)
    said = enmasse.run("enmasse", "plan", "bad.yaml", code=1).stderr
    assert "bad.yaml:4: channel-http 'one': 'url_pth' there is no such option, did you mean 'url_path'?" in said
    assert "bad.yaml:3: channel-http 'one': 'url_path' is required" in said
    assert "bad.yaml:10: channel-http 'two': 'merge_url_params_req' takes true or false, not 'perhaps'" in said
    assert "bad.yaml:15: channel-http 'four': 'url_path' 'three' already has url_path='/same'" in said
    said = enmasse.run("enmasse", "plan", enmasse.write("b.yaml", text.replace("perhaps", "true")), code=1).stderr
    assert "b.yaml:9: channel-http 'two': 'security' takes the name of a security-basic-auth, " in said


def test_a_service_that_nobody_has_deployed_is_a_warning_with_its_line(enmasse: Enmasse) -> None:
    text = "channel-http:\n- name: a\n  url_path: /a\n  service: zato.pinf\n- name: b\n  url_path: /b\n  service: zato.ping\n"
    enmasse.write("f.yaml", text)
    planned, applied = enmasse.run("enmasse", "plan", "f.yaml"), enmasse.run("enmasse", "apply", "f.yaml")
    warning = "f.yaml:4: channel-http 'a': 'service' there is no service 'zato.pinf' yet, did you mean 'zato.ping'?"
    assert warning in planned.stderr
    assert warning in applied.stderr
    assert "'b'" not in planned.stderr
    assert "2 created" in applied.stdout


def test_a_kind_or_a_flag_that_is_misspelt_is_no_warning_but_an_error(enmasse: Enmasse) -> None:
    text = "chanel-http:\n- name: one\n  url_path: /x\n"
    text += "channel-http:\n- name: two\n  url_path: /y\n  service: s\n  is_active: perhaps\n"
    said = enmasse.run("enmasse", "apply", enmasse.write("misspelt.yaml", text), code=1).stderr
    assert "misspelt.yaml:1: there is no kind 'chanel-http', did you mean 'channel-http'?" in said
    assert "misspelt.yaml:8: channel-http 'two', 'is_active': takes true or false, not 'perhaps'" in said


@pytest.mark.any_odb
def test_a_missing_variable_is_told_before_anything_is_sent(enmasse: Enmasse) -> None:
    enmasse.write("base.yaml", BASE)
    said = enmasse.run("enmasse", "apply", "base.yaml", code=1).stderr
    assert "base.yaml:5: security-basic-auth 'crm', 'password': the variable CRM_PASSWORD is not set" in said


def test_pruning_deletes_what_no_file_has_and_leaves_what_is_protected(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    more = "  - {name: ops.health, url_path: /ops, service: s}\n  - {name: old, url_path: /old, service: s}\n"
    waited = enmasse.run("enmasse", "apply", enmasse.write("more.yaml", BASE + more), "--wait", "20").stdout
    assert re.search(r"Version \d+ is live on \d worker", waited), waited
    enmasse.server.admin("zato.channel-http.create", name="zato.own", url_path="/own", service="zato.ping")
    base = enmasse.write("base.yaml", "protect: ['channel-http/ops.*']\n" + BASE.replace("    security: crm\n", ""))
    said = enmasse.run("enmasse", "apply", base, "--prune", code=2).stderr
    assert "--prune would delete 1 objects" in said
    made = enmasse.run("enmasse", "apply", base, "--prune", "--yes").stdout
    assert "- channel-http old" in made
    assert "protected, and left as it is: channel-http ops.health" in made
    names = {each["name"] for each in enmasse.server.admin("zato.channel-http.get-list")}
    assert names == {"orders", "ops.health", "zato.own"}
    enmasse.server.admin("zato.channel-http.delete", name="zato.own")


def test_a_definition_and_the_channel_that_used_it_are_pruned_together(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    enmasse.run("enmasse", "apply", enmasse.write("base.yaml", BASE))
    enmasse.run("enmasse", "apply", enmasse.write("less.yaml", "{}"), "--prune", "--yes")
    assert enmasse.server.admin("zato.security-basic-auth.get-list") == []


def test_what_a_protected_object_uses_is_protected_too(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    enmasse.run("enmasse", "apply", enmasse.write("base.yaml", BASE))
    less = enmasse.write("less.yaml", "protect: [orders]\n")
    made = enmasse.run("enmasse", "apply", less, "--prune", "--yes").stdout
    assert "protected, and left as it is: security-basic-auth crm" in made


def test_what_the_platform_made_for_itself_is_not_exported(enmasse: Enmasse) -> None:
    enmasse.server.admin("zato.channel-http.create", name="zato.own", url_path="/own", service="zato.ping")
    assert "zato.own" not in enmasse.run("enmasse", "export").stdout
    enmasse.server.admin("zato.channel-http.delete", name="zato.own")


def test_drift_is_exit_code_2_and_the_difference(enmasse: Enmasse) -> None:
    enmasse.environ = {"CRM_PASSWORD": "hush"}
    base = enmasse.write("base.yaml", BASE)
    enmasse.run("enmasse", "apply", base)
    assert "2 unchanged" in enmasse.run("enmasse", "drift", base).stdout
    enmasse.server.admin("zato.channel-http.edit", name="orders", method="GET")
    assert '~ method: "GET" → ""' in enmasse.run("enmasse", "drift", base, code=2).stdout


def test_what_was_exported_changes_nothing_where_it_is_from_and_makes_the_same_elsewhere(enmasse: Enmasse) -> None:
    enmasse.environ = SECRETS
    enmasse.run("enmasse", "apply", HERE / "my_project.yaml")
    for name, format in (("all.yaml", "yaml"), ("all.json", "json")):
        enmasse.run("enmasse", "export", "--output", name, "--format", format)
        text = (enmasse.folder / name).read_text()
        assert not any(secret in text for secret in SECRETS.values())
        assert enmasse.json("enmasse", "plan", name, "--prune")["changes"] == []
    said = enmasse.run("enmasse", "export", "--output", "env.yaml", "--secrets", "env").stderr
    assert "SECURITY_BASIC_AUTH_STAFF_API_KEY_PASSWORD" in said
    before = enmasse.server.admin("zato.enmasse.export")["objects"]
    enmasse.clear()
    names = said.rpartition("variables: ")[2].strip().split(", ")
    enmasse.write("secrets.env", "".join(f"{name}=value-of-{name}\n" for name in names))
    enmasse.run("enmasse", "apply", "env.yaml", "--env-file", "secrets.env")
    assert enmasse.server.admin("zato.enmasse.export")["objects"] == before


@pytest.mark.any_odb
def test_files_include_others_and_may_be_toml(enmasse: Enmasse) -> None:
    enmasse.write("parts/channels.toml", '[[channel-http]]\nname = "a"\nurl_path = "/a"\nservice = "${SERVICE}"\n')
    enmasse.write("parts/more.json", '{"channel-http": [\n{"name": "b",\n"url_path": "b", "service": "s"}]}')
    enmasse.write("main.yaml", "include:\n  - parts/*.toml\n  - parts/more.json\n")
    enmasse.environ = {"SERVICE": "a.service"}
    said = enmasse.run("enmasse", "apply", "main.yaml", code=1).stderr
    assert "parts/more.json:2: channel-http 'b': 'url_path' takes a path" in said
    enmasse.write("parts/more.json", '{"channel-http": [{"name": "b", "url_path": "/b", "service": "s"}]}')
    enmasse.run("enmasse", "apply", "main.yaml")
    assert enmasse.server.admin("zato.channel-http.get", name="a")["service"] == "a.service"


def test_a_set_is_live_as_a_whole(enmasse: Enmasse) -> None:
    enmasse.server.deploy("staff.py", STAFF)
    rows = "".join(f"  - {{name: c{n}, url_path: /c/{n}, service: api.staff.find}}\n" for n in range(50))
    enmasse.run("enmasse", "apply", enmasse.write("many.yaml", "channel-http:\n" + rows))
    enmasse.server.wait_until_applied()
    assert {enmasse.server.request("GET", f"/c/{n}").status for n in range(50)} == {200}
