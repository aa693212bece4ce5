"""The OpenAPI document of the admin API, made from kinds."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from zato.common.errors import InvalidOptions
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.admin.kinds import ROLES, kind_actions
from zato.server.describe.admin import AdminOperation, admin_document
from zato.server.kinds import own_kinds


@options
class LampOptions:
    """A lamp."""

    address: str = option("Where it is, host:port", max_length=20)
    colour: str = option("What it shines", default="red", choices=("red", "blue"))
    watts: float | None = option("How strong", default=None, minimum=0.5, maximum=60)
    rooms: tuple[str, ...] = option("Where it shines", default=("hall",))
    code: str = option("What it is switched with", default="", secret=True)
    security: str = option("Who may", default="", reference=("security-basic-auth",))


LAMP = Kind("lamp", "Lamp", LampOptions)


def document_of(*kinds: Kind) -> dict[str, Any]:
    operations = [
        AdminOperation(name, action.describe(), action.role) for kind in kinds for name, action in kind_actions(kind).items()
    ]
    made = admin_document(operations, title="Admin API", version="1")
    OpenAPIV31SpecValidator(made).validate()
    return made


@pytest.fixture(scope="module")
def lamp() -> dict[str, Any]:
    return document_of(LAMP)


def body(document: dict[str, Any], operation: str) -> dict[str, Any]:
    made: dict[str, Any] = document["paths"][f"/zato/json/zato.lamp.{operation}"]["post"]
    schema: dict[str, Any] = made["requestBody"]["content"]["application/json"]["schema"]
    return schema


def test_all_kinds_of_the_server_make_a_valid_document() -> None:
    document = document_of(*own_kinds())
    assert "/zato/json/zato.channel-http.create" in document["paths"]


def test_creating_takes_the_options_as_they_are_declared(lamp: dict[str, Any]) -> None:
    schema = body(lamp, "create")
    assert schema["required"] == ["name", "address"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["address"] == {"type": "string", "description": "Where it is, host:port", "maxLength": 20}
    assert properties["colour"]["enum"] == ["red", "blue"]
    assert properties["watts"]["type"] == ["number", "null"]
    assert (properties["watts"]["minimum"], properties["watts"]["maximum"]) == (0.5, 60)
    assert properties["rooms"]["default"] == ["hall"]
    assert properties["code"]["writeOnly"] is True and "default" not in properties["code"]
    assert "security-basic-auth" in properties["security"]["description"]


@pytest.mark.parametrize(
    ("values", "is_good"),
    [
        ({"name": "a", "address": "b"}, True),
        ({"name": "a", "address": "b", "watts": None, "rooms": []}, True),
        ({"name": "a"}, False),
        ({"name": "", "address": "b"}, False),
        ({"name": "a", "address": "b", "watts": 61}, False),
        ({"name": "a", "address": "b", "colour": "green"}, False),
        ({"name": "a", "address": "b" * 21}, False),
        ({"name": "a", "address": "b", "adress": "c"}, False),
    ],
)
def test_the_schema_refuses_what_the_kind_refuses(lamp: dict[str, Any], values: dict[str, Any], is_good: bool) -> None:
    assert Draft202012Validator(body(lamp, "create")).is_valid(values) is is_good
    given = {name: value for name, value in values.items() if name != "name"}
    if values.get("name"):
        if is_good:
            LAMP.parse(given, what="lamp")
        else:
            with pytest.raises(InvalidOptions):
                LAMP.parse(given, what="lamp")


def test_an_edit_says_which_by_id_or_name_and_has_no_defaults(lamp: dict[str, Any]) -> None:
    schema = body(lamp, "edit")
    check = Draft202012Validator(schema)
    assert check.is_valid({"id": 1, "colour": "blue"}) and check.is_valid({"name": "a", "new_name": "b"})
    assert not check.is_valid({"colour": "blue"})
    assert "default" not in schema["properties"]["colour"]


def test_answers_are_in_the_envelope_and_have_no_secrets(lamp: dict[str, Any]) -> None:
    responses = lamp["paths"]["/zato/json/zato.lamp.get"]["post"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["zato_env", "zato_lamp_get_response"]
    assert "code" not in schema["properties"]["zato_lamp_get_response"]["properties"]
    assert responses["400"] == {"$ref": "#/components/responses/BadRequest"}


def test_administrators_come_with_a_password_or_a_token(lamp: dict[str, Any]) -> None:
    schemes = lamp["components"]["securitySchemes"]
    assert {each["scheme"] for each in schemes.values()} == {"basic", "bearer"}
    assert lamp["paths"]["/zato/json/zato.lamp.get"]["post"]["security"] == [{"password": []}, {"token": []}]


def test_the_role_and_the_published_names_are_told_with_each_service(lamp: dict[str, Any]) -> None:
    delete = lamp["paths"]["/zato/json/zato.lamp.delete"]["post"]
    assert (delete["x-zato-role"], delete["description"]) == ("deployer", "Takes the role deployer.")
    action = kind_actions(LAMP)["zato.lamp.get"]
    operation = AdminOperation("zato.lamp.get", action.describe(), action.role, ("zato.lamps.get",))
    made = admin_document([operation], title="Admin API", version="1")
    get = made["paths"]["/zato/json/zato.lamp.get"]["post"]
    assert get["description"].endswith("Published as zato.lamps.get too.")
    assert get["x-zato-aliases"] == ["zato.lamps.get"]


def test_each_operation_of_kinds_has_a_role() -> None:
    assert {name.rpartition(".")[2] for name in kind_actions(LAMP)} | {"ping"} == ROLES.keys()
