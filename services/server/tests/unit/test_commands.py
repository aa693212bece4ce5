"""The server's commands, run against gRPC servers that answer as the real ones do."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from zato.common.cli import main as frame
from zato.common.cli.commands import ExitCode
from zato.common.cli.main import main
from zato.common.errors import AlreadyExists, InvalidOptions, NotFound, Unavailable
from zato.common.rpc.server import ThreadedServer
from zato.common.secrets import SecretBox
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, DeployResponse, WorkerDeployment
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerServicer, add_InvokerServicer_to_server
from zato.server.commands import COMMANDS
from zato.server.packages.archives import unpack

TOKEN = "open sesame"
_CONTROL_PLANE = "zato.proto.control_plane.v1.ControlPlane"


def option(name: str, type: str = "str", **more: Any) -> dict[str, Any]:
    plain = {
        "help": f"Help of {name}",
        "required": False,
        "default_json": '""',
        "choices": [],
        "secret": False,
        "references": [],
    }
    return {"name": name, "type": type, **plain, **more}


KINDS = [
    {
        "name": "channel-http",
        "label": "HTTP channel",
        "help": "A path, and the service that answers under it.\nMore about it.",
        "options": [
            option("url_path", required=True, default_json=""),
            option("service", required=True, default_json="", references=["service"]),
            option("security", references=["security-basic-auth"]),
            option("max_body_bytes", "int", default_json="0"),
        ],
    },
    {
        "name": "security-basic-auth",
        "label": "HTTP Basic Auth",
        "help": "",
        "options": [option("username", required=True, default_json=""), option("password", secret=True)],
    },
]


@dataclass
class Deployments:
    """The one call of the control plane that commands make."""

    sent: list[DeployRequest] = field(default_factory=list)
    pieces: list[DeployRequest] = field(default_factory=list)
    answer: DeployResponse = field(default_factory=DeployResponse)

    def deploy(self, request: DeployRequest, context: grpc.ServicerContext) -> DeployResponse:
        self.sent.append(request)
        answer = DeployResponse()
        answer.CopyFrom(self.answer)
        answer.file_name = request.file_name
        return answer

    def upload(self, pieces: Iterator[DeployRequest], context: grpc.ServicerContext) -> DeployResponse:
        self.pieces = list(pieces)
        self.pieces[0].source = b"".join(piece.source for piece in self.pieces)
        return self.deploy(self.pieces[0], context)

    def add_to(self, server: grpc.Server) -> None:
        reads, writes = DeployRequest.FromString, DeployResponse.SerializeToString
        handlers = {
            "Deploy": grpc.unary_unary_rpc_method_handler(self.deploy, reads, writes),
            "Upload": grpc.stream_unary_rpc_method_handler(self.upload, reads, writes),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_CONTROL_PLANE, handlers),))


@dataclass
class Cluster(InvokerServicer):
    """A server's Invoker, with objects in memory. `answers` has what fixed services return."""

    answers: dict[str, Any] = field(default_factory=dict)
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    deployments: "Deployments" = field(default_factory=lambda: Deployments())
    version: int = 0

    def Invoke(self, request: InvokeRequest, context: grpc.ServicerContext) -> InvokeResponse:
        self.calls.append(request.service)
        self.payloads.append(request.payload)
        answer = self._answer(request.service, request.payload)
        return InvokeResponse(payload=answer if isinstance(answer, bytes) else json.dumps(answer).encode(), status=200)

    def _answer(self, service: str, payload: bytes) -> Any:
        if service in self.answers:
            answer = self.answers[service]
            if isinstance(answer, Exception):
                raise answer
            return answer
        if service == "zato.ping":
            return {"pong": "zato"}
        if service == "zato.kind.get-list":
            return KINDS
        kind, _, action = service.removeprefix("zato.").rpartition(".")
        if kind not in {each["name"] for each in KINDS}:
            raise NotFound(f"There is no service '{service}'")
        return self._object(kind, action, json.loads(payload or b"{}"))

    def _object(self, kind: str, action: str, values: dict[str, Any]) -> Any:
        if action == "get-list":
            return [self._public(each) for (of_kind, _), each in self.objects.items() if of_kind == kind]
        key = kind, values["name"]
        if action == "create":
            if key in self.objects:
                raise AlreadyExists(f"There is already a {kind} named '{values['name']}'")
            if "colour" in values:
                raise InvalidOptions(f"{kind}: 'colour' there is no such option")
            self.version += 1
            self.objects[key] = {"is_active": True, **values, "id": len(self.objects) + 1, "version": self.version}
        if key not in self.objects:
            raise NotFound(f"There is no {kind} named '{values['name']}'")
        if action == "edit" and any(self.objects[key].get(name) != value for name, value in values.items()):
            self.version += 1
            self.objects[key].update(values, version=self.version)
        if action == "delete":
            return self._public(self.objects.pop(key))
        return self._public(self.objects[key])

    @staticmethod
    def _public(each: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in each.items() if name != "password"}


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Zato = Callable[..., Result]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def zato(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Zato]:
    """Run a command in a folder whose cluster is the one above."""

    def add(server: grpc.Server) -> None:
        add_InvokerServicer_to_server(cluster, server)
        cluster.deployments.add_to(server)

    server = ThreadedServer("127.0.0.1:0", token=TOKEN, services=[], add=add)
    server.start()
    (tmp_path / "cluster.toml").write_text(
        f'name = "x"\n[[parts]]\nname = "server1"\npart = "server"\ngrpc_address = "127.0.0.1:{server.port}"\n'
    )
    (tmp_path / "secrets.toml").write_text(f'token = "{TOKEN}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZATO_CLUSTER", raising=False)
    # Whatever else is installed here is not what is tested.
    monkeypatch.setattr(frame, "load_commands", lambda: (COMMANDS, ()))

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    yield run
    server.stop(0)


def worker(pid: int, *, version: int = 1, is_ok: bool = True, reason: str = "") -> WorkerDeployment:
    return WorkerDeployment(server="server1", pid=pid, version_running=version, is_ok=is_ok, reason=reason)


# Services


def test_a_service_is_invoked_and_its_answer_printed(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["orders.get"] = {"id": 1}
    result = zato("service", "invoke", "orders.get", "--payload", '{"id": 1}')
    assert (result.code, result.out) == (0, '{\n  "id": 1\n}\n')
    assert cluster.payloads[-1] == b'{"id": 1}'
    assert zato("service", "invoke", "orders.get", "--json").json == {"id": 1}


def test_the_payload_may_come_from_a_file(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    cluster.answers["orders.get"] = b"plain text"
    (tmp_path / "in.json").write_text("[1, 2]")
    assert zato("service", "invoke", "orders.get", "--payload-file", "in.json").out == "plain text\n"
    assert cluster.payloads[-1] == b"[1, 2]"
    assert zato("service", "invoke", "orders.get", "--json").json == {"answer": "plain text"}


def test_a_payload_that_is_no_json_is_not_sent(zato: Zato, cluster: Cluster) -> None:
    result = zato("service", "invoke", "orders.get", "--payload", "{id: 1}")
    assert result.code == 1
    assert result.err.startswith("error: The payload is not valid JSON")
    assert cluster.calls == []


def test_a_service_without_an_answer_is_no_error(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["quiet"] = b""
    result = zato("service", "invoke", "quiet")
    assert (result.code, result.out) == (0, "The service answered nothing.\n")


def test_an_invocation_is_never_repeated(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["pay"] = Unavailable("The bank is away", bank="x")
    result = zato("service", "invoke", "pay")
    assert (result.code, result.err) == (1, "error: The bank is away\n")
    assert cluster.calls.count("pay") == 1


def test_services_are_listed_and_built_in_ones_when_asked_for(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["zato.service.get-list"] = [
        {"name": "zato.ping", "impl_name": "x.Ping", "file_name": "", "version": 0, "is_internal": True}
    ]
    assert "zato service deploy FILE" in zato("service", "list").out
    assert "zato.ping" in zato("service", "list", "--all").out
    assert zato("service", "list", "--json").json == []


# Deployments


def test_a_file_that_all_workers_take_is_live(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("code")
    cluster.deployments.answer = DeployResponse(version=3, workers=[worker(11, version=3), worker(12, version=3)])
    result = zato("service", "deploy", "orders.py", "--wait", "5")
    assert result.code == 0
    assert "✓ orders.py" in result.out
    assert "version 3 live on 2 workers" in result.out
    (sent,) = cluster.deployments.sent
    assert (sent.file_name, sent.source, sent.wait_s, sent.undeploy) == ("orders.py", b"code", 5.0, False)


def test_a_file_that_is_refused_says_file_line_and_reason_and_exits_with_1(
    zato: Zato, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "orders.py").write_text("code")
    refused = worker(12, version=1, is_ok=False, reason="orders.py, line 3: NameError: no 'x'")
    cluster.deployments.answer = DeployResponse(version=2, workers=[worker(11, version=2), refused])
    result = zato("service", "deploy", "orders.py")
    assert result.code == 1
    assert "✗ orders.py" in result.out
    assert result.err == "error: orders.py: orders.py, line 3: NameError: no 'x'\n"
    assert zato("service", "deploy", "orders.py", "--json").json[0]["workers"][1]["is_ok"] is False


def test_workers_that_say_nothing_in_time_make_another_exit_code(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("code")
    cluster.deployments.answer = DeployResponse(version=2, workers=[worker(11)], missing=["server2/13"])
    result = zato("service", "deploy", "orders.py", "--wait", "1")
    assert result.code == 4
    assert "not heard from server2/13" in result.out


def test_several_files_are_all_sent_before_it_is_asked_what_became_of_them(
    zato: Zato, cluster: Cluster, tmp_path: Path
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("code")
    cluster.deployments.answer = DeployResponse(version=1, workers=[worker(11, version=1)])
    assert zato("service", "deploy", "a.py", "b.py", "--wait", "5").code == 0
    assert [(sent.file_name, sent.wait_s) for sent in cluster.deployments.sent] == [
        ("a.py", 0),
        ("b.py", 0),
        ("a.py", 5),
        ("b.py", 5),
    ]


def test_nothing_is_deployed_when_one_of_the_files_is_missing(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("code")
    result = zato("service", "deploy", "orders.py", "nowhere.py")
    assert (result.code, result.err) == (1, "error: nowhere.py cannot be read: No such file or directory\n")
    assert cluster.deployments.sent == []


def test_two_files_of_one_name_are_refused(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "orders.py").write_text("code")
    assert zato("service", "deploy", "a/orders.py", "b/orders.py").code == 2
    assert cluster.deployments.sent == []


def test_a_file_is_undeployed_by_its_name_wherever_it_lies(zato: Zato, cluster: Cluster) -> None:
    cluster.deployments.answer = DeployResponse(version=4, workers=[worker(11, version=0)])
    result = zato("service", "undeploy", "src/orders.py")
    assert result.code == 0
    assert "gone from 1 worker" in result.out
    assert (cluster.deployments.sent[0].file_name, cluster.deployments.sent[0].undeploy) == ("orders.py", True)


def test_what_the_check_refused_went_to_no_worker_and_shows_the_traceback(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("code")
    refused = worker(12, version=1, is_ok=False, reason="orders.py, line 1: NameError: no 'code'")
    refused.traceback = 'Traceback:\n  File "orders.py", line 1'
    cluster.deployments.answer = DeployResponse(version=2, workers=[refused], is_rejected=True)
    result = zato("service", "deploy", "orders.py")
    assert result.code == 1
    assert result.err.splitlines()[1:] == ["  │ Traceback:", '  │   File "orders.py", line 1']
    assert "sent to no worker. Version 1 goes on." in result.out
    assert "Runs version" not in result.out


def test_a_folder_is_sent_as_an_archive_under_its_name_or_another(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "src" / "orders").mkdir(parents=True)
    (tmp_path / "src" / "orders" / "__init__.py").write_text("x = 1")
    cluster.deployments.answer = DeployResponse(version=1, workers=[worker(11)])
    assert "✓ orders" in zato("service", "deploy", "src/orders/").out
    assert zato("service", "deploy", "src/orders", "--name", "others").code == 0
    assert [sent.file_name for sent in cluster.deployments.sent] == ["orders.zip", "others.zip"]
    assert unpack(cluster.deployments.sent[0].source) == {"__init__.py": b"x = 1"}
    assert zato("service", "deploy", "a.py", "--name", "b").code == 2


def test_a_large_package_is_sent_in_pieces(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    content = bytes(range(256)) * 2500
    (tmp_path / "orders.zip").write_bytes(content)
    cluster.deployments.answer = DeployResponse(version=1, workers=[worker(11)])
    assert zato("service", "deploy", "orders.zip", "--wait", "5").code == 0
    (sent,) = cluster.deployments.sent
    assert (sent.file_name, sent.wait_s, sent.source == content) == ("orders.zip", 5.0, True)
    assert len(cluster.deployments.pieces) == 3


def test_a_package_is_undeployed_by_whatever_it_was_deployed_from(zato: Zato, cluster: Cluster) -> None:
    for name in ("orders", "src/orders/", "orders.zip", "dist/orders-1.2.0-py3-none-any.whl"):
        assert zato("package", "undeploy", name).code == 0
    assert {(sent.file_name, sent.undeploy) for sent in cluster.deployments.sent} == {("orders", True)}


_VERSION = {
    "id": 7,
    "name": "orders",
    "file_name": "orders",
    "version": 2,
    "action": "deploy",
    "is_live": True,
    "digest": "abcdef0123456789",
    "size": 2048,
    "file_count": 3,
    "upload_name": "orders.zip",
    "restored_version": 0,
    "reason": "",
    "traceback": "",
    "created_at": "2026-11-24T04:54:50.123456+00:00",
    "created_by": "ada",
    "address": "10.0.0.7",
    "workers": [
        {"server": "server1", "pid": 11, "version": 2, "version_running": 2, "is_ok": True, "reason": "", "traceback": ""},
        {"server": "server1", "pid": 12, "version": 2, "version_running": 1, "is_ok": False, "reason": "no", "traceback": ""},
    ],
}


def test_packages_are_listed_with_which_version_the_workers_run(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["zato.package.get-list"] = []
    assert "zato service deploy" in zato("package", "list").out
    cluster.answers["zato.package.get-list"] = [_VERSION]
    result = zato("package", "list")
    row = " ".join(result.out.splitlines()[1].split())
    assert row == "orders 2 live 2 on 1 worker, 1 on 1 worker 2026-11-24 04:54:50 ada"
    assert result.err == "warning: orders version 2: no\n"
    assert zato("package", "list", "--json").json == [_VERSION]


def test_a_history_says_of_each_version_who_when_from_where_and_what_became_of_it(zato: Zato, cluster: Cluster) -> None:
    refused = {
        **_VERSION,
        "version": 3,
        "action": "reject",
        "is_live": False,
        "reason": "orders/a.py, line 1: no",
        "workers": [],
    }
    again = {**_VERSION, "version": 4, "is_live": False, "restored_version": 1, "address": "", "workers": []}
    gone = {**_VERSION, "version": 5, "action": "undeploy", "is_live": False, "file_count": 0, "upload_name": "", "workers": []}
    cluster.answers["zato.package.get-history"] = [gone, again, refused, _VERSION]
    result = zato("package", "history", "orders")
    rows = [" ".join(line.split()) for line in result.out.splitlines()[1:]]
    when = "2026-11-24 04:54:50 ada"
    assert rows == [
        f"5 undeployed {when} 10.0.0.7 – – – – –",
        f"4 replaced {when} – version 1 again 3 2.0 kB abcdef012345 –",
        f"3 refused {when} 10.0.0.7 orders.zip 3 2.0 kB abcdef012345 –",
        f"2 live {when} 10.0.0.7 orders.zip 3 2.0 kB abcdef012345 1 run it, 1 refused",
    ]
    assert result.err == "warning: version 3: orders/a.py, line 1: no\nwarning: version 2: no\n"
    assert json.loads(cluster.payloads[-1]) == {"name": "orders"}


def test_a_diff_shows_each_file_and_says_when_there_is_none(zato: Zato, cluster: Cluster) -> None:
    diff = "--- a/orders/a.py\tversion 1\n+++ b/orders/a.py\tversion 2\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    changed = {"path": "orders/a.py", "change": "changed", "diff": diff, "is_text": True, "bytes_before": 6, "bytes_after": 6}
    added = {"path": "orders/b.bin", "change": "added", "diff": "", "is_text": False, "bytes_before": 0, "bytes_after": 2048}
    answer = {"name": "orders", "from_version": 1, "to_version": 2, "files": [changed, added]}
    cluster.answers["zato.package.diff"] = answer
    out = zato("package", "diff", "orders", 1, 2).out
    assert out.startswith("orders: version 1 → version 2: 1 added, 1 changed\n")
    assert diff in out
    assert "orders/b.bin: added, 0 bytes → 2.0 kB; no text, or too long to compare" in out
    assert json.loads(cluster.payloads[-1]) == {"name": "orders", "from_version": 1, "to_version": 2}
    cluster.answers["zato.package.diff"] = {**answer, "files": []}
    assert zato("package", "diff", "orders").out == "orders: version 1 → version 2: the same files\n"


def test_a_rollback_ends_as_a_deployment_does(zato: Zato, cluster: Cluster) -> None:
    status = {**_VERSION["workers"][0], "version_running": 3}  # type: ignore[index]
    answer = {"name": "orders", "version": 3, "is_accepted": True, "workers": [status], "missing": []}
    cluster.answers["zato.package.roll-back"] = answer
    result = zato("package", "rollback", "orders", "1", "--wait", "5")
    assert result.code == 0
    assert "version 3 live on 1 worker" in result.out
    assert json.loads(cluster.payloads[-1]) == {"name": "orders", "version": 1, "wait": 5.0}
    cluster.answers["zato.package.roll-back"] = {**answer, "missing": ["server2/1"]}
    assert zato("package", "rollback", "orders").code == 4
    cluster.answers["zato.package.roll-back"] = {**answer, "workers": [{**status, "is_ok": False, "reason": "no"}]}
    assert zato("package", "rollback", "orders").code == 1


def test_a_download_overwrites_nothing(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    answer = {"name": "orders.py", "version": 2, "payload_name": "orders.py", "payload": "eCA9IDE="}
    cluster.answers["zato.package.get-source"] = answer
    assert zato("package", "download", "orders.py").out == "orders.py version 2 is in orders.py (5 bytes)\n"
    assert (tmp_path / "orders.py").read_text() == "x = 1"
    assert "orders.py is there already" in zato("package", "download", "orders.py").err
    assert zato("package", "download", "orders.py", "--version", "1", "--out", "other.py").code == 0
    assert json.loads(cluster.payloads[-1]) == {"name": "orders.py", "version": 1}


# Objects and kinds


@pytest.mark.parametrize(
    "change",
    [("create", "new", "url_path=/n"), ("edit", "old", "url_path=/o"), ("delete", "old")],
    ids=lambda change: change[0],
)
def test_who_waits_hears_which_workers_have_a_change_and_which_have_not(
    zato: Zato, cluster: Cluster, change: tuple[str, ...]
) -> None:
    def report(*versions: int) -> None:
        now = datetime.now(UTC).isoformat()
        workers = [
            {"server": f"server{n}", "pid": 40 + n, "config_version": v, "reported_at": now} for n, v in enumerate(versions)
        ]
        cluster.answers["zato.cluster.get-status"] = {"config_version": 7, "workers": workers}

    cluster.objects["channel-http", "old"] = {"name": "old", "id": 1, "version": 1, "is_active": True}
    action, name, *options = change
    report(7, 6)
    behind = zato("object", action, "channel-http", name, *options, "--wait", "0.2")
    assert behind.code == ExitCode.TIMEOUT
    assert "Saved, but version 7 is not live after 0.2 s on server1/41 (runs 6)" in behind.err
    cluster.objects["channel-http", "old"] = {"name": "old", "id": 1, "version": 1, "is_active": True}
    cluster.objects.pop(("channel-http", "new"), None)
    report(7, 8)
    live = zato("object", action, "channel-http", name, *options, "--wait", "5")
    assert live.code == ExitCode.OK and "Version 7 is live on 2 workers" in live.out, live


def test_an_object_is_created_read_changed_listed_and_deleted(zato: Zato, cluster: Cluster) -> None:
    created = zato("object", "create", "channel-http", "orders", "url_path=/orders?a=b", "service=orders.get", "is_active=no")
    assert created.out == "Created channel-http 'orders', version 1\n"
    assert cluster.objects["channel-http", "orders"]["url_path"] == "/orders?a=b"
    assert cluster.objects["channel-http", "orders"]["is_active"] is False

    changed = zato("object", "edit", "channel-http", "orders", "url_path=/v2")
    assert changed.out == "Changed channel-http 'orders', version 2\n"
    assert zato("object", "get", "channel-http", "orders", "--json").json["url_path"] == "/v2"
    listed = zato("object", "list")
    assert "url_path=/v2  service=orders.get" in listed.out
    assert zato("object", "list", "channel-http", "--json").json[0]["kind"] == "channel-http"

    assert zato("object", "delete", "channel-http", "orders").code == 0
    assert "zato object create" in zato("object", "list").out


def test_a_connection_is_pinged_and_what_is_wrong_with_it_said(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["zato.outgoing-sql.ping"] = {"is_ok": True, "error": "", "duration_ms": 12.5}
    answered = zato("object", "ping", "outgoing-sql", "crm")
    assert (answered.code, answered.out) == (0, "outgoing-sql 'crm' answers, after 12.5 ms\n")
    assert json.loads(cluster.payloads[-1]) == {"name": "crm"}
    cluster.answers["zato.outgoing-sql.ping"] = {"is_ok": False, "error": "Connection 'crm' failed", "duration_ms": 1}
    failed = zato("object", "ping", "outgoing-sql", "crm")
    assert (failed.code, failed.err) == (1, "error: Connection 'crm' failed\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "channel-http", "nobody"), "error: There is no channel-http named 'nobody'\n"),
        (("list", "chanel"), "error: There is no kind 'chanel', did you mean 'channel-http'?\n"),
        (("list", "zzz"), "error: There is no kind 'zzz'; there are: channel-http, security-basic-auth\n"),
        (("create", "channel-http", "a", "/orders"), "error: '/orders' is not OPTION=VALUE, e.g. url_path=/orders\n"),
        (("create", "channel-http", "a", "colour=1"), "error: channel-http: 'colour' there is no such option\n"),
        (("create", "channel-http", "a", "is_active=x"), "error: 'is_active' takes true or false, not 'x'\n"),
        (("edit", "channel-http", "a"), "error: Nothing to change: give at least one OPTION=VALUE\n"),
    ],
)
def test_what_is_wrong_with_an_object_is_said(zato: Zato, arguments: tuple[str, ...], said: str) -> None:
    result = zato("object", *arguments)
    assert (result.code, result.err) == (1, said)


def test_what_only_one_kind_can_be_asked_for_takes_a_kind(zato: Zato) -> None:
    result = zato("object", "list", "--page", "2")
    assert (result.code, result.err.startswith("error: --sort, --page and --page-size go with a KIND")) == (2, True)


def test_secrets_come_from_files_and_whoever_types_them_is_warned(zato: Zato, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    assert zato("object", "create", "security-basic-auth", "a", "username=a", "password=@password").err == ""
    assert cluster.objects["security-basic-auth", "a"]["password"] == "hunter2"
    typed = zato("object", "create", "security-basic-auth", "b", "username=b", "password=@@x")
    assert cluster.objects["security-basic-auth", "b"]["password"] == "@x"
    assert "password=@FILE" in typed.err
    missing = zato("object", "create", "security-basic-auth", "c", "password=@nowhere")
    assert missing.err == "error: The value of 'password' cannot be read from nowhere: No such file or directory\n"


def test_kinds_are_listed_and_their_options_explained(zato: Zato) -> None:
    listed = zato("kind", "list").out
    assert "A path, and the service that answers under it." in listed
    assert "More about it" not in listed
    explained = zato("kind", "get", "channel-http")
    assert "required" in explained.out
    assert "Name of a: 'service'" in explained.out
    assert zato("kind", "get", "channel-http", "--json").json["options"][3]["default"] == 0
    assert zato("kind", "get", "x").err == "error: There is no kind 'x'; there are: channel-http, security-basic-auth\n"


# The cluster


def status_of(*versions: int, newest: int, age_s: float = 0.0) -> dict[str, Any]:
    now = datetime.now(UTC)
    workers = [
        {
            "server": "server1",
            "pid": pid,
            "config_version": version,
            "reported_at": (now - timedelta(seconds=age_s if pid else 0)).isoformat(),
        }
        for pid, version in enumerate(versions)
    ]
    return {"config_version": newest, "workers": workers}


def test_the_status_shows_who_is_behind_and_who_is_gone(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["zato.cluster.get-status"] = status_of(5, 4, newest=5)
    result = zato("cluster", "status").out
    assert "up to date" in result
    assert "behind" in result
    cluster.answers["zato.cluster.get-status"] = status_of(5, 4, newest=5, age_s=60)
    assert "silent" in zato("cluster", "status").out


def test_waiting_ends_when_all_living_workers_run_the_newest_configuration(zato: Zato, cluster: Cluster) -> None:
    cluster.answers["zato.cluster.get-status"] = status_of(5, 5, newest=5)
    assert zato("wait", "--timeout", "1").code == 0
    # The second one is gone; what it ran last does not matter.
    cluster.answers["zato.cluster.get-status"] = status_of(5, 3, newest=5, age_s=60)
    assert zato("wait", "--timeout", "1", "--json").json["is_ready"] is True


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (status_of(5, 4, newest=5), "configuration 5 is not live yet on server1/1"),
        (status_of(newest=5), "workers of 0 of 1 servers have reported"),
        (Unavailable("The ODB is away", odb="x"), "The ODB is away"),
    ],
)
def test_waiting_in_vain_says_for_what(zato: Zato, cluster: Cluster, status: Any, said: str) -> None:
    cluster.answers["zato.cluster.get-status"] = status
    result = zato("wait", "--timeout", "0.2")
    assert result.code == 4
    assert result.err == f"error: The cluster is not ready after 0.2 s: {said}\n"


def test_a_secret_key_is_one_that_encrypts(zato: Zato) -> None:
    key = zato("create", "secret-key").out.strip()
    assert SecretBox([key]).decrypt(SecretBox([key]).encrypt("x")) == "x"
    assert zato("create", "secret-key", "--json").json["secret_key"] != key
