"""OpenAPI documents and their pages, as a server with real channels gives them out, and `zato openapi`."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from zato.common.cli.main import main
from zato.common.errors import BadRequest, NotFound

from .conftest import TOKEN, Server, StartServer

SERVICES = '''
from dataclasses import dataclass

from zato.common.typing_ import list_, optional
from zato.server.service import Int, Model, Service


@dataclass(init=False)
class Address(Model):
    """Where somebody lives."""

    city: str
    zip_code: optional[str] = None


@dataclass(init=False)
class Customer(Model):
    name: str
    addresses: list_[Address]


class Create(Service):
    """
    Adds a customer.

    The name has to be new.
    """

    input = Customer
    output = "customer_id"

    def handle(self):
        self.response.payload.customer_id = len(self.request.input.addresses)


class Get(Service):
    """
    Returns one customer.

    * customer_id - Number of the customer
    * depth - How much to return of each order
    """

    class SimpleIO:
        input_required = ("customer_id",)
        input_optional = (Int("depth", default=1),)
        output_required = ("customer_id", "name")
        output_optional = ("depth",)

    def handle(self):
        self.response.payload = {"customer_id": self.request.input.customer_id, "name": "Jane"}


class Hidden(Service):
    def handle(self):
        self.response.payload = {}
'''


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(
        docs_access="credentials",
        docs_security="reader",
        docs_admin=True,
        docs_patterns_allowed=["order=false_true", "*=False", "shop.*=True"],
    )
    server.deploy("shop.py", SERVICES)
    server.admin("zato.security-basic-auth.create", name="reader", username="reader", password="the-right-one")
    server.add_channel("create", "/customers", "shop.create", method="POST", security="reader")
    server.add_channel("get", "/customers/{customer_id}", "shop.get", method="GET")
    server.add_channel("hidden", "/hidden", "shop.hidden", method="GET", is_active=False)
    server.wait_until_applied()
    return server


CREDENTIALS = {"Authorization": "Basic " + base64.b64encode(b"reader:the-right-one").decode()}


def fetch(server: Server, path: str) -> Any:
    answer = server.request("GET", path, headers=CREDENTIALS)
    assert answer.status == 200, answer.body
    return answer


def test_nobody_sees_documents_unless_a_setting_opens_them(start_server: StartServer) -> None:
    closed = start_server()
    for path in ("/zato/openapi.json", "/zato/docs", "/zato/openapi-admin.json", "/zato/docs/admin"):
        assert closed.request("GET", path).status == 404


def test_readers_show_the_credentials_that_the_settings_name(server: Server) -> None:
    for path in ("/zato/openapi.json", "/zato/docs", "/zato/openapi-admin.json", "/zato/docs/admin"):
        assert server.request("GET", path).status == 401
        assert fetch(server, path).status == 200


def test_the_document_is_valid_and_what_it_says_is_what_services_do(server: Server) -> None:
    document = fetch(server, "/zato/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]) == {"/customers", "/customers/{customer_id}"}
    create = document["paths"]["/customers"]["post"]
    assert create["security"] == [{"reader": []}]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    check = Draft202012Validator({**schema, "components": document["components"]})
    for body in (
        {"name": "a", "addresses": [{"city": "b"}]},
        {"name": "a", "addresses": [{"zip_code": "1"}]},
        {"name": "a", "addresses": "b"},
        {"addresses": []},
    ):
        answer = server.request("POST", "/customers", json.dumps(body).encode(), CREDENTIALS)
        assert answer.status == (200 if check.is_valid(body) else 400), (body, answer.body)
        documented = create["responses"][str(answer.status)]
        documented = (
            document["components"]["responses"][documented["$ref"].split("/")[-1]] if "$ref" in documented else documented
        )
        described = documented["content"]["application/json"]["schema"]
        Draft202012Validator({**described, "components": document["components"]}).validate(answer.json)
    assert answer.json["details"] == "Element missing: /name"


def test_the_answer_of_a_service_fits_its_schema(server: Server) -> None:
    document = fetch(server, "/zato/openapi.json").json
    get = document["paths"]["/customers/{customer_id}"]["get"]
    assert [each["name"] for each in get["parameters"]] == ["customer_id", "depth"]
    answer = server.request("GET", "/customers/7?depth=2").json
    schema = get["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(schema).validate(answer)


def test_a_new_channel_is_in_the_document_at_once(server: Server) -> None:
    assert "/later" not in fetch(server, "/zato/openapi.json").json["paths"]
    server.add_channel("later", "/later", "shop.get", method="POST")
    server.wait_until_applied()
    assert "/later" in fetch(server, "/zato/openapi.json").json["paths"]
    server.admin("zato.channel-http.delete", name="later")
    server.wait_until_applied()
    assert "/later" not in fetch(server, "/zato/openapi.json").json["paths"]


def test_the_admin_document_has_every_admin_service(server: Server) -> None:
    document = fetch(server, "/zato/openapi-admin.json").json
    OpenAPIV31SpecValidator(document).validate()
    operations = [each["post"] for each in document["paths"].values()]
    described = {each["operationId"] for each in operations}
    aliases = {name for each in operations for name in each.get("x-zato-aliases", ())}
    listed = server.admin("zato.service.get-list")
    own = {each["name"] for each in listed if each["impl_name"] == f"zato.server.admin.services.{each['name']}"}
    assert not described & aliases
    # Nobody has brought jobs to this server, of which these are published names.
    assert own - described - aliases == {f"zato.scheduler.job.{name}" for name in ("create", "edit", "delete", "get-list")}


def test_the_page_allows_nothing_from_elsewhere(server: Server) -> None:
    for path in ("/zato/docs", "/zato/docs/admin"):
        answer = fetch(server, path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    page = fetch(server, "/zato/docs").body.decode()
    assert "Adds a customer." in page and "Number of the customer" in page


Zato = Callable[..., str]
# The parser in Python takes ten times as long.
from_yaml = partial(yaml.load, Loader=yaml.CSafeLoader)


@pytest.fixture
def zato(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Zato:
    """The command, in our own process; returns what it prints, or its complaint where it ends with another code than 0."""
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        ended = main([*words, "--server", f"127.0.0.1:{server.grpc_port}", "--token-file", "token"])
        captured = capsys.readouterr()
        assert ended == code, captured.err
        return captured.out if code == 0 else captured.err

    return run


def test_the_command_writes_yaml_or_json(server: Server, zato: Zato) -> None:
    on_screen = from_yaml(zato("openapi"))
    OpenAPIV31SpecValidator(on_screen).validate()
    assert "/customers" in on_screen["paths"]
    assert "services.json" in zato("openapi", "--output", "services.json")
    assert json.loads(Path("services.json").read_text())["paths"] == on_screen["paths"]
    zato("openapi", "admin", "--output", "admin.yaml")
    assert "/zato/json/zato.cluster.get-status" in from_yaml(Path("admin.yaml").read_text())["paths"]
    assert "/zato/json/zato.cluster.get-status" in json.loads(zato("openapi", "admin", "--json"))["paths"]
    assert "cannot be written" in zato("openapi", "--output", "no/such/folder.yaml", code=1)


def test_the_command_prints_the_schemas_of_a_service(zato: Zato) -> None:
    made = from_yaml(zato("service", "schema", "shop.create"))
    assert made["input"]["$defs"]["Address"]["description"] == "Where somebody lives."
    Draft202012Validator(made["input"]).validate({"name": "a", "addresses": []})
    assert "There is no service 'shop.creat'" in zato("service", "schema", "shop.creat", code=1)


def test_bad_input_is_refused_by_name(server: Server) -> None:
    with pytest.raises(BadRequest, match="'document' takes 'services' or 'admin'"):
        server.admin("zato.openapi.get", document=["admin"])
    with pytest.raises(BadRequest, match="'name' takes the name of a service"):
        server.admin("zato.service.get-json-schema")
    with pytest.raises(NotFound):
        server.admin("zato.service.get-json-schema", name="none")
