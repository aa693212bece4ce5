"""The OpenAPI document of users' services."""

from dataclasses import dataclass
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from zato.common.errors import NotFound
from zato.common.options import parse_options
from zato.server.control.state import ConfigObject, Configuration
from zato.server.describe.channels import services_document
from zato.server.describe.page import HEADERS, render_page
from zato.server.http.channel import KIND as CHANNEL
from zato.server.security.kinds import KINDS as SECURITY
from zato.server.service import Int, Model, Service
from zato.server.services.finding import describe_service
from zato.server.services.store import ServiceEntry

KINDS = {kind.name: kind for kind in (CHANNEL, *SECURITY)}


@dataclass(init=False)
class Address(Model):
    city: str


class Find(Service):
    """
    Finds <one> customer.

    * customer_id - Number of the customer
    """

    class SimpleIO:
        input_required = "customer_id"
        input_optional = (Int("depth", default=1),)
        output_required = ("name",)


class Move(Service):
    input = Address
    output = Address


class Verbs(Service):
    def handle_GET(self) -> None: ...

    def handle_DELETE(self) -> None: ...


class Anything(Service):
    def handle(self) -> None: ...


ENTRIES = {entry.name: entry for entry in (describe_service(cls, "shop") for cls in (Find, Move, Verbs, Anything))}


def find(name: str) -> ServiceEntry:
    try:
        return ENTRIES[name]
    except KeyError:
        raise NotFound("none") from None


class Objects:
    def __init__(self) -> None:
        self.made: list[ConfigObject] = []

    def add(self, kind: str, name: str, *, is_active: bool = True, **options: Any) -> None:
        parsed = parse_options(KINDS[kind].options, options, what=name)
        self.made.append(ConfigObject(len(self.made) + 1, kind, name, is_active, 1, parsed))

    def channel(self, name: str, url_path: str, service: str, **options: Any) -> None:
        self.add("channel-http", name, url_path=url_path, service=service, **options)

    def document(self, **more: Any) -> dict[str, Any]:
        made = services_document(
            Configuration(7, {each.id: each for each in self.made}), find, title="Services of test", **more
        )
        OpenAPIV31SpecValidator(made).validate()
        return made


@pytest.fixture
def objects() -> Objects:
    return Objects()


def test_a_path_parameter_is_not_asked_for_again_in_the_body(objects: Objects) -> None:
    objects.channel("find", "/customers/{customer_id}", "shop.find", method="POST")
    operation = objects.document()["paths"]["/customers/{customer_id}"]["post"]
    assert operation["parameters"] == [
        {
            "name": "customer_id",
            "in": "path",
            "required": True,
            "schema": {"type": "integer"},
            "description": "Number of the customer",
        }
    ]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"][0]
    assert list(schema["properties"]) == ["depth"]
    assert operation["summary"] == "Finds <one> customer."


def test_without_a_body_the_input_comes_in_the_query(objects: Objects) -> None:
    objects.channel("find", "/customers", "shop.find", method="GET")
    operation = objects.document()["paths"]["/customers"]["get"]
    assert [(each["name"], each["in"], each["required"]) for each in operation["parameters"]] == [
        ("customer_id", "query", True),
        ("depth", "query", False),
    ]
    assert "requestBody" not in operation


def test_models_are_components_and_errors_are_told(objects: Objects) -> None:
    objects.channel("move", "/move", "shop.move", method="PUT")
    document = objects.document()
    operation = document["paths"]["/move"]["put"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Address"}
    assert operation["requestBody"]["required"] is True
    assert "400" in operation["responses"] and "401" not in operation["responses"]
    error = document["components"]["responses"]["BadRequest"]
    assert "path of the element" in error["description"]
    assert error["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}


def test_a_channel_for_any_method_has_those_that_its_service_handles(objects: Objects) -> None:
    objects.channel("verbs", "/verbs", "shop.verbs")
    objects.channel("anything", "/anything", "shop.anything")
    paths = objects.document()["paths"]
    assert set(paths["/verbs"]) == {"get", "delete"}
    assert set(paths["/anything"]) == {"get", "post"}


def test_each_definition_is_a_security_scheme_of_its_own(objects: Objects) -> None:
    objects.add("security-basic-auth", "user one", username="u", password="p")
    objects.add("security-api-key", "key", header="X-Shop-Key", key="k" * 20)
    objects.add("security-jwt", "token", username="u", password="p")
    objects.add("security-tech-account", "tech", password="p")
    objects.add("security-wss", "wss", username="u", password="p")
    for number, name in enumerate(("user one", "key", "token", "tech", "wss")):
        objects.channel(name, f"/{number}", "shop.anything", method="GET", security=name)
    objects.channel("open", "/open", "shop.anything", method="GET")
    document = objects.document()
    schemes = document["components"]["securitySchemes"]
    assert schemes["user_20_one"] == {"type": "http", "scheme": "basic"}
    assert schemes["key"] == {"type": "apiKey", "in": "header", "name": "X-Shop-Key"}
    assert schemes["token"]["scheme"] == "bearer"
    security = {path: each["get"].get("security") for path, each in document["paths"].items()}
    assert security["/0"] == [{"user_20_one": []}]
    assert security["/3"] == [{"tech.user": [], "tech.password": []}]
    assert security["/open"] == []
    # What OpenAPI has no form for must not look open.
    assert security["/4"] is None
    assert document["paths"]["/4"]["get"]["x-zato-security"] == ["wss"]
    assert "401" in document["paths"]["/0"]["get"]["responses"]


def test_a_role_decides_which_credentials_open_which_method(objects: Objects) -> None:
    objects.add("security-basic-auth", "reader", username="u", password="p")
    objects.add("security-rbac-role", "readers")
    objects.add("security-rbac-client-role", "r", client="reader", role="readers")
    objects.add("security-rbac-role-permission", "p", role="readers", service="shop.verbs", permission="Read")
    objects.channel("verbs", "/verbs", "shop.verbs", sec_use_rbac=True)
    operations = objects.document()["paths"]["/verbs"]
    assert operations["get"]["security"] == [{"reader": []}]
    assert "security" not in operations["delete"]
    assert operations["delete"]["x-zato-security"] == ["nobody: no role allows it"]


def test_paths_that_differ_in_names_of_parameters_only_are_one(objects: Objects) -> None:
    objects.channel("a", "/c/{customer_id}", "shop.find", method="GET")
    objects.channel("b", "/c/{id}", "shop.anything", method="DELETE")
    paths = objects.document()["paths"]
    assert set(paths) == {"/c/{customer_id}"}
    assert paths["/c/{customer_id}"]["delete"]["parameters"][0]["name"] == "customer_id"


def test_formats_other_than_json_say_so(objects: Objects) -> None:
    objects.channel("xml", "/xml", "shop.find", method="POST", data_format="xml")
    objects.channel("text", "/text", "shop.find", method="POST", data_format="")
    paths = objects.document()["paths"]
    assert list(paths["/xml"]["post"]["requestBody"]["content"]) == ["application/xml"]
    assert paths["/xml"]["post"]["responses"]["400"]["$ref"].endswith("/XmlBadRequest")
    assert paths["/text"]["post"]["responses"]["400"]["$ref"].endswith("/TextBadRequest")


def test_what_is_not_for_readers_is_not_there(objects: Objects) -> None:
    objects.add("channel-http", "off", is_active=False, url_path="/off", service="shop.find", method="GET")
    objects.channel("gone", "/gone", "shop.not-deployed", method="GET")
    objects.channel("ours", "/ours", "zato.ping", method="GET")
    objects.channel("hidden", "/hidden", "shop.anything", method="GET")
    objects.channel("shown", "/shown", "shop.find", method="GET")
    assert set(objects.document(may_be_shown=lambda service: service == "shop.find")["paths"]) == {"/shown"}


def test_the_page_shows_operations_escaped_and_runs_no_script(objects: Objects) -> None:
    objects.channel("find", "/customers/{customer_id}", "shop.find", method="POST")
    page = render_page(objects.document(), links={"OpenAPI 3.1": "/zato/openapi.json"})
    assert "Finds &lt;one&gt; customer." in page
    assert "customers/<wbr>{customer_<wbr>id}" in page
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]


def test_a_page_with_nothing_on_it_says_what_to_do(objects: Objects) -> None:
    assert "make a channel" in render_page(objects.document(), links={})


def test_a_service_without_a_docstring_is_not_described_by_that_of_its_base(objects: Objects) -> None:
    objects.channel("anything", "/anything", "shop.anything", method="GET")
    operation = objects.document()["paths"]["/anything"]["get"]
    assert operation["summary"] == "shop.anything" and "description" not in operation
