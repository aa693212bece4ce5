"""`self.msg`, `self.dictnav` and `self.listnav`."""

import copy
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from zato.common.errors import BadRequest, InvalidOptions, NotFound
from zato.common.options import parse_options
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http import formats
from zato.server.service import Service
from zato.server.services.message_kinds import JSON_POINTER, KINDS, NAMESPACE, XPATH
from zato.server.services.messages import MessageFacade
from zato.server.testing import Sandbox

CRM = "https://example.com/crm"
XML = f"""<order xmlns:c="{CRM}" id="7">
    <c:customer><c:name>Jane</c:name></c:customer><line>a</line><line>b</line><empty/>
</order>"""
DOCUMENT = {"customer": {"name": "Jane", "a/b": 1, "m~n": 2, "": 3}, "lines": [{"id": 1}, {"id": 2}], "none": None, "no": False}


def configured(kind: Any, name: str, value: str, *, is_active: bool = True) -> ConfigObject:
    return ConfigObject(1, kind.name, name, is_active, 1, parse_options(kind.options, {"value": value}, what=name))


OBJECTS = (
    configured(JSON_POINTER, "CustomerName", "/customer/name"),
    configured(JSON_POINTER, "off", "/customer/name", is_active=False),
    configured(XPATH, "CustomerName", "//crm:customer/crm:name"),
    configured(XPATH, "count", "count(//line)"),
    configured(NAMESPACE, "crm", CRM),
)


@pytest.fixture
def msg() -> MessageFacade:
    return MessageFacade(lambda: Configuration(1, dict(enumerate(OBJECTS))))


# JSON pointers


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("CustomerName", "Jane"),
        ("/customer/name", "Jane"),
        ("/lines/1/id", 2),
        ("/lines", DOCUMENT["lines"]),
        ("", DOCUMENT),
        ("/customer/a~1b", 1),
        ("/customer/m~0n", 2),
        ("/customer/", 3),
        ("/no", False),
        ("/none", None),
        ("/nothing", "default"),
        ("/lines/2", "default"),
        ("/lines/-", "default"),
        ("/lines/x", "default"),
        ("/customer/name/more", "default"),
        ("/lines/9/id", "default"),
    ],
)
def test_a_pointer_finds_what_it_points_to(msg: MessageFacade, pointer: str, found: Any) -> None:
    assert msg.json_pointer(DOCUMENT).get(pointer, "default") == found


def test_what_is_not_there_is_none(msg: MessageFacade) -> None:
    assert msg.json_pointer({}).get("CustomerName") is None


def test_an_unknown_name_and_a_bad_pointer_say_what_is_wrong(msg: MessageFacade) -> None:
    for name in ("Unknown", "off"):
        with pytest.raises(NotFound, match=f"There is no message-json-pointer named '{name}'"):
            msg.json_pointer(DOCUMENT).get(name)
    for bad in ("a/b", "/a~2b"):
        with pytest.raises(BadRequest, match="begins with a slash and has ~0"):
            msg.json_pointer(DOCUMENT).get(bad)


@pytest.mark.parametrize(
    ("pointer", "before", "after"),
    [
        ("/a", {}, {"a": "new"}),
        ("/a/b/c", {}, {"a": {"b": {"c": "new"}}}),
        ("/a/0/b", {}, {"a": [{"b": "new"}]}),
        ("/a/-", {"a": [1]}, {"a": [1, "new"]}),
        ("/a/-/b", {"a": []}, {"a": [{"b": "new"}]}),
        ("/a/1", {"a": [1, 2, 3]}, {"a": [1, "new", 3]}),
        ("/a/3", {"a": [1]}, {"a": [1, None, None, "new"]}),
        ("/a", {"a": {"deep": 1}}, {"a": "new"}),
        ("/a/b", {"a": None}, {"a": {"b": "new"}}),
        ("/customer/name", {}, {"customer": {"name": "new"}}),
        ("/a~1b", {}, {"a/b": "new"}),
        ("", {"a": 1}, "new"),
    ],
)
def test_a_pointer_sets_a_value_and_makes_what_is_missing_above_it(
    msg: MessageFacade, pointer: str, before: Any, after: Any
) -> None:
    untouched = copy.deepcopy(before)
    assert msg.json_pointer(before).set(pointer, "new", in_place=False) == after
    assert before == untouched
    assert msg.json_pointer(before).set(pointer, "new") == after
    if pointer:
        assert before == after


def test_a_document_that_is_changed_in_place_is_read_as_it_is_now(msg: MessageFacade) -> None:
    document: dict[str, Any] = {}
    names = msg.json_pointer(document)
    names.set("CustomerName", "Joe")
    assert names.get("CustomerName") == "Joe" == document["customer"]["name"]
    names.set("CustomerName", "Ann", in_place=False)
    assert names.get("CustomerName") == "Joe"


def test_a_missing_place_may_be_left_alone(msg: MessageFacade) -> None:
    document = {"a": None}
    assert msg.json_pointer(document).set("/b", 1, return_on_missing=True) == {"a": None}
    assert msg.json_pointer(document).set("/a", 1, return_on_missing=True) == {"a": 1}


@pytest.mark.parametrize("pointer", ["/name/deeper", "/list/x", "/list/20000000", "/list/-1"])
def test_nothing_is_put_where_there_is_no_place(msg: MessageFacade, pointer: str) -> None:
    with pytest.raises(BadRequest, match=r"at /name/deeper|is no place in a list"):
        msg.json_pointer({"name": "text", "list": []}).set(pointer, 1)


# XPath


@pytest.fixture(params=["text", "bytes", "element", "channel"])
def document(request: pytest.FixtureRequest) -> Any:
    made: dict[str, Callable[[], Any]] = {
        "text": lambda: XML,
        "bytes": XML.encode,
        "element": lambda: etree.fromstring(XML),
        "channel": lambda: formats.load("xml", XML.encode()),
    }
    return made[request.param]()


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("CustomerName", "Jane"),
        ("//crm:name/text()", "Jane"),
        ("//line", ["a", "b"]),
        ("/order/@id", "7"),
        ("count", 2.0),
        ("//empty", ""),
        ("//nothing", "default"),
        ("//crm:nothing/text()", "default"),
    ],
)
def test_an_expression_finds_texts_attributes_and_numbers(
    msg: MessageFacade, document: Any, expression: str, found: Any
) -> None:
    assert msg.xpath(document).get(expression, "default") == found


def test_an_expression_finds_elements_with_children(msg: MessageFacade, document: Any) -> None:
    assert msg.xpath(document).get("//crm:customer").tag == f"{{{CRM}}}customer"
    assert msg.xpath(document).get("//nothing") is None


def test_an_expression_sets_texts_attributes_and_elements(msg: MessageFacade, document: Any) -> None:
    names = msg.xpath(document)
    for expression, value in [("CustomerName", "Joe"), ("/order/@id", 8), ("//line", "x"), ("//empty", etree.XML("<full/>"))]:
        made = names.set(expression, value)
    assert [names.get(each) for each in ("CustomerName", "/order/@id", "//line", "//empty")] == ["Joe", "8", ["x", "x"], None]
    assert made.find("full") is not None
    names.set("//crm:name/text()", "Ann")
    assert names.get("CustomerName") == "Ann"


def test_an_expression_that_finds_nothing_or_is_none_says_so(msg: MessageFacade) -> None:
    names = msg.xpath(XML)
    with pytest.raises(NotFound, match="Nothing is where '//nothing' points"):
        names.set("//nothing", 1)
    with pytest.raises(NotFound, match="There is no message-xpath named 'Unknown'"):
        names.get("Unknown")
    with pytest.raises(BadRequest, match="cannot be used here"):
        names.get("//unknown:name")
    with pytest.raises(BadRequest, match="outermost element"):
        names.set("/order", etree.XML("<other/>"))
    with pytest.raises(BadRequest):
        msg.xpath("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")


@pytest.mark.parametrize(("kind", "value"), [(JSON_POINTER, "no-slash"), (XPATH, "//["), (XPATH, "")])
def test_what_is_no_expression_is_not_stored(kind: Any, value: str) -> None:
    with pytest.raises(InvalidOptions, match="'value' takes"):
        parse_options(kind.options, {"value": value}, what="it")
    assert kind in KINDS


# Mapping


def test_a_mapper_makes_one_message_of_another(msg: MessageFacade) -> None:
    source = {"id": "7", "customer": {"name": "Jane"}, "price": "1.10", "paid": "yes", "on": "31/12/2030", "at": "10:30"}
    mapper = msg.mapper(source)
    mapper.map_many({"int:/id": "/order/id", "CustomerName": "/order/for", "dec:/price": "/order/price"})
    mapper.map_many(
        [("bool:/paid", "/paid"), ("time:DD/MM/YYYY:/on", "/on"), ("time:HH:mm:/at", "/at"), ("arrow:/none", "/none")]
    )
    mapper.set("/kind", "order")
    mapper.set_time("/made", "YYYY")
    target = mapper.target
    assert target["on"].date() == date(2030, 12, 31) and target["at"].hour == 10
    assert {name: target[name] for name in ("order", "paid", "kind", "none")} == {
        "order": {"id": 7, "for": "Jane", "price": Decimal("1.10")},
        "paid": True,
        "kind": "order",
        "none": None,
    }
    assert len(target["made"]) == 4
    assert mapper.get("CustomerName") == "Jane" and mapper.get("/nothing", 1) == 1
    assert source["id"] == "7"


def test_a_mapper_goes_from_xml_to_json_and_back(msg: MessageFacade) -> None:
    mapper = msg.mapper(XML, {"given": 1})
    mapper.map("long:/order/@id", "/id")
    mapper.map("CustomerName", "/name")
    assert mapper.target == {"given": 1, "id": 7, "name": "Jane"}
    back = msg.mapper({"name": "Joe"}, etree.fromstring(XML))
    back.map("/name", "CustomerName")
    assert back.target.findtext(f".//{{{CRM}}}name") == "Joe"


def test_a_mapper_replaces_values_and_calls_functions(msg: MessageFacade) -> None:
    mapper = msg.mapper({"state": "N", "list": ["N"], "name": "jane"})
    mapper.set_substitution("N", "new")
    mapper.set_func("upper", str.upper)
    mapper.map("/state", "/state")
    mapper.map("/list", "/list")
    assert mapper.map("upper:/name", "/name") == "JANE"
    assert mapper.target == {"state": "new", "list": ["N"], "name": "JANE"}


@pytest.mark.parametrize("path", ["int:/name", "bool:/name", "dec:/name", "time:YYYY:/name", "arrow:/name"])
def test_a_value_that_cannot_become_that_is_not_repeated(msg: MessageFacade, path: str) -> None:
    with pytest.raises(BadRequest, match=f"The value for '{path}' cannot become that") as caught:
        msg.mapper({"name": "secret"}).map(path, "/x")
    assert "secret" not in caught.value.message


# What a service has


def test_services_have_all_of_it() -> None:
    def handle(self: Service) -> None:
        assert self.msg is self.server.msg
        self.response.payload = [
            self.msg.json_pointer(self.request.payload).get("/customer/name"),
            self.dictnav(self.request.payload).get(["customer", "name"]),
            self.listnav(self.request.payload["lines"]).get([1, "id"]),
        ]

    service = type("Uses", (Service,), {"name": "uses", "handle": handle})
    assert Sandbox().invoke(service, DOCUMENT).response.payload == ["Jane", "Jane", 2]


def test_one_finds_ones_way_in_dictionaries_and_lists() -> None:
    nav = Service.dictnav(copy.deepcopy(DOCUMENT))
    assert nav["lines", 0, "id"] == 1 == nav.get(["lines", 0, "id"])
    assert nav["customer"] == DOCUMENT["customer"] and nav.get("nothing", 5) == 5
    assert nav.get(["customer", "name", "more"], 5) == 5 and nav.get(["lines", 9]) is None
    assert nav.has_path(["lines", 1]) and not nav.has_path(["lines", 2]) and nav.path_exists("none") and "no" in nav
    assert nav.has_key("id") and nav.has_key("name") and not nav.has_key("id", nested=False) and not nav.has_key("nothing")
    nav.set(["new", "deep"], 1)
    nav.set(["lines", 0, "id"], 10)
    assert nav.get(["new", "deep"]) == 1 and nav.get(["lines", 0, "id"]) == 10
    assert list(nav) == list(nav.obj) and len(nav) == len(nav.obj)
    with pytest.raises(KeyError):
        nav["nothing"]
    with pytest.raises(IndexError):
        nav.set(["lines", 9, "id"], 1)
