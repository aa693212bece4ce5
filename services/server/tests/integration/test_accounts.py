"""Accounts on SQLite and PostgreSQL: over gRPC, over HTTP, and with the command as a person types it."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zato.common.cli.main import main
from zato.common.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests, Unauthorized, ZatoError
from zato.common.rpc.client import Client
from zato.proto.accounts.v1.accounts_pb2 import SignInRequest, SignInResponse, SignOutRequest
from zato.proto.accounts.v1.accounts_pb2_grpc import AccountsStub
from zato.proto.control_plane.v1 import control_plane_pb2 as control_plane
from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.proto.jobs.v1 import jobs_pb2 as jobs
from zato.proto.jobs.v1.jobs_pb2_grpc import JobsStub
from zato.server.accounts.roles import Role, role_named
from zato.server.accounts.second_factor import code_at

from .conftest import TOKEN, Server, StartServer

pytestmark = pytest.mark.redis

PASSWORD = "correct horse battery"
SERVICES = """
from zato.server.service import Service

class Hello(Service):
    name = "users.hello"

    def handle(self):
        self.response.payload = {"hello": "you"}
"""


class Person:
    """Somebody with a token, or nobody with none."""

    def __init__(self, server: Server, token: str = "") -> None:
        self._server = server
        self.token = token
        self.client = Client(f"127.0.0.1:{server.grpc_port}", token=token)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.client.close()

    def admin(self, service: str, /, **values: Any) -> Any:
        request = InvokeRequest(service=service, payload=json.dumps(values).encode())
        answer = self.client.call(InvokerStub(self.client.channel).Invoke, request, timeout_s=20)
        return json.loads(answer.payload) if answer.payload else None

    def sign_in(self, name: str, password: str, code: str = "", address: str = "") -> SignInResponse:
        request = SignInRequest(name=name, password=password, code=code, address=address)
        response: SignInResponse = self.client.call(AccountsStub(self.client.channel).SignIn, request, timeout_s=20)
        return response

    def sign_out(self) -> None:
        self.client.call(AccountsStub(self.client.channel).SignOut, SignOutRequest(), timeout_s=20)


@pytest.fixture(scope="module")
def running(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    server = start_server(odb_url=new_odb_url())
    server.wait_until_grpc_serves()
    server.deploy("users.py", SERVICES)
    return server


def make(server: Server, name: str, role: str = "viewer") -> str:
    """Return a session's token of a new account."""
    server.admin("zato.account.create", name=name, role=role, password=PASSWORD, must_change_password=False)
    with Person(server) as nobody:
        return nobody.sign_in(name, PASSWORD).token


def refusal(person: Person, name: str) -> type[ZatoError]:
    with pytest.raises(ZatoError) as raised:
        person.sign_in(name, "wrong", address="192.0.2.7")
    return type(raised.value)


def post(server: Server, service: str, values: Any = None, authorization: str = "") -> Any:
    headers = {"Authorization": authorization} if authorization else {}
    return server.request("POST", f"/zato/json/{service}", json.dumps(values or {}).encode(), headers)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


# Signing in


def test_who_signs_in_acts_as_themselves_until_they_sign_out(running: Server) -> None:
    with Person(running, make(running, "sue", "deployer")) as sue:
        assert sue.admin("zato.account.get-own")["name"] == "sue"
        sue.admin("zato.channel-http.create", name="sues", url_path="/sues", service="zato.ping")
        entries = running.admin("zato.audit-log.get-list", name="sues")
        assert [(each["who"], each["action"]) for each in entries["data"]] == [("sue", "create")]
        sue.sign_out()
        with pytest.raises(Unauthorized, match="not valid any more"):
            sue.admin("zato.account.get-own")


def test_a_made_password_is_shown_once_and_good_for_changing_it_only(running: Server) -> None:
    made = running.admin("zato.account.create", name="new", role="admin")
    assert "password" not in running.admin("zato.account.get", name="new")
    with Person(running) as nobody:
        response = nobody.sign_in("new", made["password"])
    assert response.must_change_password
    with Person(running, response.token) as new:
        for service in ("zato.account.get-list", "zato.account.create-token", "users.hello"):
            with pytest.raises(Forbidden, match="password has to be changed"):
                new.admin(service)
        deploy = control_plane.DeployRequest(file_name="x.py")
        with pytest.raises(Forbidden, match="password has to be changed"):
            new.client.call(ControlPlaneStub(new.client.channel).Deploy, deploy, timeout_s=20)
        for bad in ("short", "a new password, too", made["password"]):
            with pytest.raises(BadRequest):
                new.admin("zato.account.change-own-password", old_password=made["password"], new_password=bad)
        with pytest.raises(Unauthorized):
            new.admin("zato.account.change-own-password", old_password="wrong", new_password=PASSWORD)
        new.admin("zato.account.change-own-password", old_password=made["password"], new_password=PASSWORD)
        assert new.admin("zato.account.get-list")


def test_who_guesses_learns_nothing_and_is_slowed_down_but_others_are_not(running: Server) -> None:
    make(running, "guessed")
    running.admin("zato.account.create", name="off", role="viewer", password=PASSWORD)
    running.admin("zato.account.edit", name="off", is_active=False)
    with Person(running, TOKEN) as part:
        texts = set()
        for name, password in [("guessed", "wrong"), ("nobody-of-this-name", PASSWORD), ("off", PASSWORD)]:
            with pytest.raises(Unauthorized) as raised:
                part.sign_in(name, password, address="192.0.2.7")
            texts.add(raised.value.message)
        assert len(texts) == 1
        errors = [refusal(part, "guessed") for _ in range(15)]
        assert errors[0] is Unauthorized and errors[-1] is TooManyRequests
        assert part.sign_in("guessed", PASSWORD, address="192.0.2.8").token, "the right person is locked out"
    refused = running.admin("zato.audit-log.get-list", result="refused", kind="account")["data"]
    assert {"guessed", "", "off"} <= {each["name"] for each in refused}
    assert "nobody-of-this-name" not in json.dumps(refused), "people type their password in the place of their name"


def test_an_address_is_believed_from_parts_only(running: Server) -> None:
    make(running, "far")
    with Person(running) as nobody:
        nobody.sign_in("far", PASSWORD, address="198.51.100.1")
    (newest,) = running.admin("zato.audit-log.get-list", name="far", action="sign-in", page_size=1)["data"][:1]
    assert newest["address"] == "127.0.0.1"


def test_a_second_factor_is_asked_for_and_each_code_is_good_once(running: Server) -> None:
    with Person(running, make(running, "tom")) as tom, Person(running) as nobody:
        key = tom.admin("zato.account.begin-second-factor")["key"]
        assert nobody.sign_in("tom", PASSWORD).token, "it counts before it is confirmed"
        with pytest.raises(Unauthorized, match="code is wrong"):
            tom.admin("zato.account.confirm-second-factor", code="000000")
        tom.admin("zato.account.confirm-second-factor", code=code_at(key, time.time()))
        assert nobody.sign_in("tom", PASSWORD).needs_code
        with pytest.raises(Unauthorized):
            nobody.sign_in("tom", PASSWORD, "000000")
        with pytest.raises(Unauthorized):
            nobody.sign_in("tom", PASSWORD, code_at(key, time.time()))  # it was used to confirm
        code = code_at(key, time.time() + 30)
        assert nobody.sign_in("tom", PASSWORD, code).token
        with pytest.raises(Unauthorized):
            nobody.sign_in("tom", PASSWORD, code)
        assert post(running, "zato.ping", authorization=basic("tom", PASSWORD)).status == 401
        with pytest.raises(Unauthorized):
            tom.admin("zato.account.remove-second-factor", password="wrong")
        tom.admin("zato.account.remove-second-factor", password=PASSWORD)
        assert nobody.sign_in("tom", PASSWORD).token


def test_a_new_password_from_an_administrator_ends_all_that_there_was(running: Server) -> None:
    with Person(running, make(running, "lost")) as lost:
        token = lost.admin("zato.account.create-token", name="program")["token"]
        password = running.admin("zato.account.reset-password", name="lost")["password"]
        for each in (lost.token, token):
            with Person(running, each) as old, pytest.raises(Unauthorized):
                old.admin("zato.account.get-own")
    with Person(running) as nobody:
        assert nobody.sign_in("lost", password).must_change_password


# Tokens


def test_a_token_may_be_less_than_its_account_but_never_more(running: Server) -> None:
    with Person(running, make(running, "dora", "deployer")) as dora:
        made = dora.admin("zato.account.create-token", name="looks only", role="viewer")
        with pytest.raises(Forbidden, match="yours is deployer"):
            dora.admin("zato.account.create-token", name="more", role="admin")
        with Person(running, made["token"]) as program:
            assert program.admin("zato.channel-http.get-list") is not None
            with pytest.raises(Forbidden, match="takes the role deployer; yours is viewer"):
                program.admin("zato.channel-http.create", name="no", url_path="/no", service="zato.ping")
            with pytest.raises(Forbidden):
                program.admin("zato.account.create-token", name="more", role="deployer")
            derived = program.admin("zato.account.create-token", name="derived")
            assert derived["role"] == "viewer"
        tokens = {each["name"]: each for each in dora.admin("zato.account.get-token-list")}
        assert tokens["looks only"]["used_at"] and "token" not in tokens["looks only"]
        dora.admin("zato.account.delete-token", id=made["id"])
        with Person(running, made["token"]) as program, pytest.raises(Unauthorized):
            program.admin("zato.account.get-own")
        with pytest.raises(NotFound):
            dora.admin("zato.account.delete-token", id=made["id"])


def test_an_account_that_is_switched_off_or_deleted_is_out_at_once(running: Server) -> None:
    with Person(running, make(running, "gone")) as gone:
        token = gone.admin("zato.account.create-token", name="program")["token"]
        running.admin("zato.account.edit", name="gone", is_active=False)
        for each in (gone.token, token):
            with Person(running, each) as old, pytest.raises(Unauthorized):
                old.admin("zato.account.get-own")
        running.admin("zato.account.edit", name="gone", is_active=True)
        with Person(running, token) as program:
            assert program.admin("zato.account.get-own")
        running.admin("zato.account.delete", name="gone")
        with Person(running, token) as program, pytest.raises(Unauthorized):
            program.admin("zato.account.get-own")


def test_the_last_administrator_stays(start_server: StartServer) -> None:
    server = start_server()
    server.wait_until_grpc_serves()
    make(server, "only", "admin")
    make(server, "other", "viewer")
    for service, values in {
        "zato.account.delete": {},
        "zato.account.edit": {"is_active": False},
        "zato.account.edit ": {"role": "deployer"},
    }.items():
        with pytest.raises(Conflict, match="Nobody would be left"):
            server.admin(service.strip(), name="only", **values)
    server.admin("zato.account.edit", name="other", role="admin")
    server.admin("zato.account.delete", name="only")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"role": "viewer"}, "name"),
        ({"name": "Ann", "role": "viewer"}, "name"),
        ({"name": "a" * 101, "role": "viewer"}, "name"),
        ({"name": "ann", "role": "root"}, "role"),
        ({"name": "ann", "role": "viewer", "password": "short"}, "password"),
        ({"name": "ann", "role": "viewer", "colour": "red"}, "colour"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_the_field_s_name(
    running: Server, values: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        running.admin("zato.account.create", **values)


# Who may what


@pytest.fixture(scope="module")
def tokens(running: Server) -> dict[Role, str]:
    return {role: make(running, f"a-{role.label}", role.label) for role in Role}


def is_refused(person: Person, service: str) -> bool:
    """Whether a service is kept from somebody; without any input most do nothing but say what is missing."""
    try:
        person.admin(service)
    except Forbidden as exc:
        return "takes the role" in exc.message
    except (ZatoError, ValueError):
        pass
    return False


def test_every_service_is_refused_to_every_role_that_is_too_little_and_to_nobody_else(
    running: Server, tokens: dict[Role, str]
) -> None:
    declared = roles_of_services(running)
    assert len(declared) > 250
    wrong = []
    for role, token in tokens.items():
        with Person(running, token) as person:
            wrong += [(name, role.label) for name, least in declared.items() if is_refused(person, name) != (role < least)]
    assert wrong == []


# What the document of the admin API does not tell: services that are no administration, and jobs while no scheduler has come.
OTHERS = {
    "zato.ping": Role.VIEWER,
    "zato.ping2": Role.VIEWER,
    "zato.security.jwt.log-in": Role.VIEWER,
    "zato.security.jwt.log-out": Role.VIEWER,
    "zato.scheduler.job.get-list": Role.VIEWER,
    "zato.api.invoke": Role.DEVELOPER,
    "zato.helpers.echo": Role.DEVELOPER,
    "zato.helpers.input-logger": Role.DEVELOPER,
    "zato.helpers.sio-input-logger": Role.DEVELOPER,
    "zato.scheduler.job.create": Role.DEPLOYER,
    "zato.scheduler.job.edit": Role.DEPLOYER,
    "zato.scheduler.job.delete": Role.DEPLOYER,
}


def roles_of_services(server: Server) -> dict[str, Role]:
    """The role that each service asks for: what is told nowhere asks for administrators, and users' own for developers."""
    operations = [each["post"] for each in server.admin("zato.openapi.get", document="admin")["paths"].values()]
    told = {
        name: role_named(each["x-zato-role"])
        for each in operations
        for name in (each["operationId"], *each.get("x-zato-aliases", ()))
    }
    # The one over HTTP is for HTTP.
    names = {each["name"] for each in server.admin("zato.service.get-list")} - {"zato.admin.over-http"}
    assert "users.hello" in names
    return {
        name: told.get(name) or OTHERS.get(name) or (Role.ADMIN if name.startswith("zato.") else Role.DEVELOPER)
        for name in names
    }


def test_nobody_gets_at_anything_over_http(running: Server) -> None:
    for each in running.admin("zato.service.get-list"):
        answer = post(running, each["name"])
        assert answer.status == 401, each["name"]
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("method", "least"),
    [
        (
            lambda client: (ControlPlaneStub(client.channel).Deploy, control_plane.DeployRequest(file_name="x.py")),
            Role.DEPLOYER,
        ),
        (lambda client: (ControlPlaneStub(client.channel).RegisterKinds, control_plane.RegisterKindsRequest()), None),
        (lambda client: (ControlPlaneStub(client.channel).ReportStatus, control_plane.ReportStatusRequest()), None),
        (lambda client: (ControlPlaneStub(client.channel).ReportRefusals, control_plane.ReportRefusalsRequest()), None),
        (lambda client: (JobsStub(client.channel).Lead, jobs.LeadRequest()), None),
        (lambda client: (JobsStub(client.channel).Claim, jobs.ClaimRequest()), None),
        (lambda client: (JobsStub(client.channel).Run, jobs.RunRequest()), None),
        (lambda client: (JobsStub(client.channel).GetState, jobs.GetStateRequest()), None),
        (lambda client: (JobsStub(client.channel).Resign, jobs.ResignRequest()), None),
        (lambda client: (JobsStub(client.channel).SetPaused, jobs.SetPausedRequest(is_paused=False)), Role.OPERATOR),
    ],
)
def test_every_method_is_refused_to_every_role_that_is_too_little_and_to_nobody_else(
    running: Server, tokens: dict[Role, str], method: Callable[[Client], Any], least: Role | None
) -> None:
    for role, token in tokens.items():
        with Person(running, token) as person:
            call, request = method(person.client)
            try:
                person.client.call(call, request, timeout_s=20)
                is_refused = False
            except Forbidden:
                is_refused = True
            except ZatoError:
                is_refused = False
            assert is_refused == (least is None or role < least), role.label
    for token in ("", "wrong", "zat_wrong"):
        with Person(running, token) as nobody:
            call, request = method(nobody.client)
            with pytest.raises(Unauthorized):
                nobody.client.call(call, request, timeout_s=20)


def test_the_configuration_with_its_secrets_is_for_parts_only(running: Server, tokens: dict[Role, str]) -> None:
    for token, error in [("", Unauthorized), ("zat_wrong", Unauthorized), (tokens[Role.ADMIN], Forbidden)]:
        with Person(running, token) as person:
            watch = person.client.stream(
                ControlPlaneStub(person.client.channel).Watch, control_plane.WatchRequest(), timeout_s=20
            )
            with pytest.raises(error):
                next(watch)


# Over HTTP


def test_answers_have_the_published_form(running: Server, tokens: dict[Role, str]) -> None:
    bearer = f"Bearer {tokens[Role.DEPLOYER]}"
    answer = post(running, "zato.channel-http.create", {"name": "web", "url_path": "/web", "service": "zato.ping"}, bearer)
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.json["zato_env"] == {"result": "ZATO_OK", "cid": answer.cid, "details": ""}
    assert answer.json["zato_channel_http_create_response"]["name"] == "web"
    answer = post(running, "zato.ping", authorization=basic("a-viewer", PASSWORD))
    assert answer.json["zato_ping_response"] == {"pong": "zato"}


@pytest.mark.parametrize(
    ("service", "body", "authorization", "status", "says"),
    [
        ("zato.channel-http.create", b"{}", "viewer", 403, "takes the role deployer"),
        ("zato.channel-http.create", b"{}", "deployer", 400, "name"),
        ("zato.channel-http.create", b"{", "deployer", 400, "JSON"),
        ("zato.channel-http.create", b"[]", "deployer", 400, "object"),
        ("zato.nothing.at-all", b"{}", "admin", 404, "There is no service"),
        ("users.hello", b"{}", "admin", 404, "no admin service"),
        ("zato.admin.over-http", b"{}", "admin", 404, "no admin service"),
        ("zato.ping", b"{}", "Basic !!!", 400, "Basic"),
        ("zato.ping", b"{}", "Bearer zat_wrong", 401, "not valid"),
        ("zato.ping", b"{}", "Digest x", 401, "Sign in"),
    ],
)
def test_what_is_wrong_is_said_in_the_published_form(
    running: Server, tokens: dict[Role, str], service: str, body: bytes, authorization: str, status: int, says: str
) -> None:
    roles = {role.label: f"Bearer {token}" for role, token in tokens.items()}
    headers = {"Authorization": roles.get(authorization, authorization)}
    answer = running.request("POST", f"/zato/json/{service}", body, headers)
    assert answer.status == status, answer.body
    assert answer.json["zato_env"]["result"] == "ZATO_ERROR" and says in answer.json["zato_env"]["details"]
    assert answer.json["zato_env"]["cid"] == answer.cid


def test_it_can_be_switched_off(start_server: StartServer) -> None:
    server = start_server(admin_over_http=False)
    assert post(server, "zato.ping").status == 404


# The command


def zato(server: Server, *words: str, capsys: Any) -> tuple[int, Any]:
    capsys.readouterr()
    code = main(["--json", *words, "--server", f"127.0.0.1:{server.grpc_port}"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out.strip() else None


def test_the_command_signs_in_and_does_all_there_is(
    running: Server, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ZATO_TOKEN", raising=False)
    running.admin("zato.account.create", name="cleo", role="admin", password=PASSWORD, must_change_password=False)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    assert zato(running, "whoami", capsys=capsys)[0] != 0
    code, answer = zato(running, "login", "cleo", "--password-file", str(tmp_path / "password"), capsys=capsys)
    assert (code, answer["role"]) == (0, "admin")
    assert (tmp_path / "zato" / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert zato(running, "whoami", capsys=capsys)[1]["name"] == "cleo"
    code, answer = zato(running, "account", "create", "dan", "--role", "viewer", capsys=capsys)
    assert code == 0 and len(answer["password"]) > 15
    file = tmp_path / "made"
    create = ("account", "create", "eve", "--role", "admin", "--save-password", str(file))
    code, answer = zato(running, *create, capsys=capsys)
    assert (code, answer["password"], answer["password_file"]) == (0, "", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with Person(running) as nobody:
        assert nobody.sign_in("eve", file.read_text().strip()).must_change_password
    assert zato(running, *create, capsys=capsys)[0] != 0, "a file that is there was written over"
    assert zato(running, "account", "edit", "dan", "--role", "operator", capsys=capsys)[1]["role"] == "operator"
    assert "dan" in {each["name"] for each in zato(running, "account", "list", capsys=capsys)[1]}
    assert zato(running, "account", "delete", "dan", capsys=capsys)[0] == 0
    code, made = zato(running, "token", "create", "build server", "--role", "viewer", capsys=capsys)
    assert code == 0
    monkeypatch.setenv("ZATO_TOKEN", made["token"])
    assert zato(running, "whoami", capsys=capsys)[1]["role"] == "viewer"
    assert zato(running, "account", "list", capsys=capsys)[0] != 0
    monkeypatch.delenv("ZATO_TOKEN")
    assert zato(running, "token", "delete", str(made["id"]), capsys=capsys)[0] == 0
    assert zato(running, "logout", capsys=capsys)[0] == 0
    assert zato(running, "whoami", capsys=capsys)[0] != 0
