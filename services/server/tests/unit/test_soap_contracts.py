import io
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import zeep
from lxml import etree

from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.http.soap.contracts import Contract, Contracts, Field, contract_from
from zato.server.http.soap.wsdl import make_wsdl, operation_name


class ForceType:
    xml_shape = "value"

    def __init__(self, name: str) -> None:
        self.name = name


class Int(ForceType):
    pass


class IntByName(Int):
    pass


class Bool(ForceType):
    pass


class Date(ForceType):
    pass


class Dict(ForceType):
    xml_shape = "dict"


@dataclass
class Customer:
    name: str
    age: int = 0
    tags: list[str] = field(default_factory=list)


def shape(*required: Any, optional: tuple[Any, ...] = (), model: Any = None, **values: Any) -> SimpleNamespace:
    defaults = {"is_list": False, "is_plain_form": False}
    return SimpleNamespace(**{"required": required, "optional": optional, "model": model, **defaults, **values})


def declared(given: Any = None, made: Any = None, **values: Any) -> SimpleNamespace:
    defaults = {"request_elem": "request", "response_elem": None, "output_repeated": False}
    return SimpleNamespace(input=given, output=made, **{**defaults, **values})


def client(contract: Contract, **options: Any) -> Any:
    channel = SOAPChannelOptions(url_path="/crm", service="crm.get-customer", **options)
    return zeep.Client(io.BytesIO(make_wsdl("crm", channel, contract, "http://127.0.0.1:1/crm")))


def sent(contract: Contract, **values: Any) -> dict[str, str | None]:
    """Return what a client made from the WSDL would send, by name."""
    caller = client(contract)
    message = caller.create_message(caller.service, "crm_get_customer", **values)
    return {etree.QName(element).localname: element.text for element in message[0][0]}


def test_types_of_elements_are_those_of_the_schema() -> None:
    elements = (ForceType("name"), Int("age"), IntByName("order_id"), Bool("is_open"), Date("on"), Dict("more"))
    contract = contract_from(declared(shape(*elements, optional=(Int("limit"),))))
    assert [(field.name, field.type, field.is_required) for field in contract.input or ()] == [
        ("name", "string", True),
        ("age", "integer", True),
        ("order_id", "integer", True),
        ("is_open", "boolean", True),
        ("on", "string", True),
        ("more", "anyType", True),
        ("limit", "integer", False),
    ]


def test_a_model_is_described_by_its_fields() -> None:
    contract = contract_from(declared(shape(model=Customer)))
    assert contract.input == (Field("name"), Field("age", "integer", False), Field("tags", "anyType", False))


def test_a_service_that_declares_nothing_takes_and_gives_anything() -> None:
    assert contract_from(None) == Contract(None, None)
    assert contract_from(declared()) == Contract(None, None)


def test_clients_send_what_is_declared() -> None:
    contract = contract_from(declared(shape(ForceType("name"), Int("age"), optional=(Bool("is_open"),))))
    assert sent(contract, name="Zoë", age=7) == {"name": "Zoë", "age": "7"}
    assert sent(contract, name="Zoë", age=7, is_open=True) == {"name": "Zoë", "age": "7", "is_open": "true"}


def answer(contract: Contract, body: str, **options: Any) -> Any:
    """Return what a client makes of an answer."""
    caller = client(contract, **options)
    operation = caller.service._binding.get("crm_get_customer")
    namespace = operation.binding.nsmap["soap-env"]
    envelope = f'<s:Envelope xmlns:s="{namespace}"><s:Body>{body}</s:Body></s:Envelope>'
    return operation.process_reply(etree.fromstring(envelope))


_NS = 'xmlns="https://zato.io/ns/20130518"'


def test_clients_understand_answers_of_both_forms() -> None:
    output = shape(ForceType("name"), Int("age"))
    assert answer(contract_from(declared(made=output)), f"<response {_NS}><name>x</name><age>1</age></response>").age == 1
    output = shape(ForceType("name"), is_plain_form=True)
    body = f"<answer {_NS}><zato_env><cid>1</cid></zato_env><item><name>x</name></item></answer>"
    assert answer(contract_from(declared(made=output, response_elem="answer")), body).item.name == "x"
    body = f"<response {_NS}><item_list><item><name>x</name></item><item><name>y</name></item></item_list></response>"
    made = answer(contract_from(declared(made=output, output_repeated=True)), body, soap_version="1.2")
    assert [item.name for item in made.item_list.item] == ["x", "y"]


def test_a_declaration_is_read_once_for_each_class() -> None:
    classes: dict[str, type] = {"a": type("A", (), {})}
    read: list[type] = []

    def read_declaration(cls: type) -> Any:
        read.append(cls)
        return declared(shape(ForceType("name")))

    contracts = Contracts(classes.__getitem__, read_declaration)
    assert contracts("a") is contracts("a")
    classes["a"] = type("A", (), {})
    assert contracts("a").input == (Field("name"),)
    assert len(read) == 2


def test_operations_have_names_that_other_languages_can_call() -> None:
    assert [operation_name(name) for name in ("crm.get-customer", "a", "-", "żółw.x")] == [
        "crm_get_customer",
        "a",
        "invoke",
        "w_x",
    ]
