"""SimpleIO in XML and CSV."""

from datetime import date
from typing import Any

import pytest
from lxml import etree, objectify

from zato.common.errors import BadRequest, ElementMissing, WrongElement
from zato.server import service as s
from zato.server.services.reqresp import ServiceRequest
from zato.server.services.simpleio.output import SerialisationError

# XML in


@pytest.mark.parametrize(
    "document",
    [
        b"<request><a>x</a><count>7</count></request>",
        b"<any><a>x</a><count>7</count></any>",
        b"<any><request><a>x</a><count>7</count></request></any>",
        b"<n:request xmlns:n='urn:n'><n:a>x</n:a><n:count>7</n:count></n:request>",
        b"<request xmlns='urn:n'><zzz/><a>x</a><!-- c --><count> 7 </count><?pi?></request>",
        b"<request><a><![CDATA[x]]></a><count>7<!-- c --></count></request>",
    ],
)
def test_xml_is_read_by_names_whatever_their_namespace(get_input: Any, document: bytes) -> None:
    assert get_input(document, data_format="xml", input=("a", s.Int("count"), "-b")) == {"a": "x", "count": 7, "b": ""}


def test_the_element_that_holds_the_input_has_a_name(get_input: Any) -> None:
    document = b"<any><request><a>no</a></request><mine><a>yes</a></mine></any>"
    assert get_input(document, data_format="xml", input="a", request_elem="mine") == {"a": "yes"}


@pytest.mark.parametrize(
    ("element", "inside", "expected"),
    [
        ("a", "", ""),
        ("a", "<a/>", ""),
        ("a", '<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>', None),
        ("a", "<a>1</a><a>2</a>", ["1", "2"]),
        ("is_x", "<is_x>yes</is_x>", True),
        (s.Float("a"), "<a>2.5</a>", 2.5),
        (s.Date("a"), "<a>2030-01-02</a>", date(2030, 1, 2)),
        (s.CSV("a"), "<a>x,y</a>", ["x", "y"]),
        (s.List("a"), "<a><item>x</item><item>y</item></a>", ["x", "y"]),
        (s.List("a"), "<a>x</a>", ["x"]),
        (s.List("a"), "<a/>", []),
        (s.Dict("a"), "<a><item><key>k</key><value>v</value></item></a>", {"k": "v"}),
        (s.Dict("a", s.Int("k")), "<a><item><key>k</key><value>7</value></item></a>", {"k": 7}),
        (
            s.DictList("a"),
            "<a><item_dict><item><key>k</key><value>v</value></item></item_dict><item_dict/></a>",
            [{"k": "v"}, {}],
        ),
        (s.DictList("a"), "<a><dict><item><key>k</key><value>v</value></item></dict></a>", [{"k": "v"}]),
        (s.AsIs("a"), "<a>x</a>", "x"),
    ],
    ids=str,
)
def test_elements_have_their_form_in_xml(get_input: Any, element: Any, inside: str, expected: Any) -> None:
    document = f"<request>{inside}</request>".encode()
    [value] = get_input(document, data_format="xml", input_optional=element).values()
    assert value == expected


def test_what_has_elements_inside_is_handed_over_to_who_wants_it_as_it_is(get_input: Any) -> None:
    document = b"<request><a><b>1</b></a></request>"
    got = get_input(document, data_format="xml", input=s.AsIs("a"))
    assert got.a.b == 1
    with pytest.raises(WrongElement, match="/a takes a text"):
        get_input(document, data_format="xml", input="a")


def test_plain_names_may_be_elements_rather_than_text(get_input: Any) -> None:
    got = get_input(b"<request><a>x</a><id>7</id></request>", data_format="xml", input=("a", "id"), use_text=False)
    assert (got.a.tag, got.a.text, got.id) == ("a", "x", 7)


def test_what_is_missing_in_xml_is_named(get_input: Any) -> None:
    with pytest.raises(ElementMissing, match=r"^Element missing: /b$"):
        get_input(b"<request><a/></request>", data_format="xml", input=("a", "b"))
    with pytest.raises(WrongElement, match="/a takes items"):
        get_input(b"<request><a><b/></a></request>", data_format="xml", input=s.Dict("a"))


@pytest.mark.parametrize(
    "document", [b"<!DOCTYPE r [<!ENTITY e 'x'>]><request><a>&e;</a></request>", b"<request><a>", b"<!DOCTYPE r><request/>"]
)
def test_no_entity_is_ever_read(get_input: Any, document: bytes) -> None:
    with pytest.raises(BadRequest):
        get_input(document, data_format="xml", input="-a")


def test_a_soap_body_arrives_parsed(call: Any) -> None:
    seen: list[Any] = []

    class Soap(s.Service):
        class SimpleIO:
            request_elem = "get_balance"
            input_required = "customer"
            response_elem = "get_balance_response"
            output_required = "balance"
            namespace = "urn:bank"

        def handle(self) -> None:
            seen.append(self.request.input.customer)
            self.response.payload.balance = 7

    from zato.server.services.context import ChannelInfo
    from zato.server.services.simpleio.binding import bind

    root = objectify.fromstring(b"<b:get_balance xmlns:b='urn:bank'><b:customer>x</b:customer></b:get_balance>")
    service: Any = Soap()
    service.request = ServiceRequest(b"<Envelope/>", lambda: root, {}, None)
    from zato.server.services.reqresp import ServiceResponse

    service.response, service.channel, service.cid = ServiceResponse(), ChannelInfo("c", "http", "soap"), "the-cid"
    bound = bind(Soap, s.Service)
    assert bound is not None
    bound.before_handle(service)
    service.handle()
    bound.after_handle(service)
    assert seen == ["x"]
    assert service.response.payload.tag == "{urn:bank}get_balance_response"
    assert service.response.payload.findtext("{urn:bank}item/{urn:bank}balance") == "7"


# XML out


def xml(answer: Any) -> str:
    root = etree.fromstring(answer.body, etree.XMLParser(remove_blank_text=True, resolve_entities=False))
    return etree.tostring(root).decode()


ENV = "<zato_env><cid>the-cid</cid><result>ZATO_OK</result></zato_env>"


@pytest.mark.parametrize(
    ("declared", "payload", "expected"),
    [
        (
            {"output_required": ("b", "a")},
            {"a": 1, "b": "x"},
            f"<response>{ENV}<item><b>x</b><a>1</a></item></response>",
        ),
        (
            {"output_required": "a", "response_elem": "r"},
            [{"a": True}, {"a": None}],
            f"<r>{ENV}<item_list><item><a>true</a></item><item><a/></item></item_list></r>",
        ),
        ({"output": "a"}, {"a": date(2030, 1, 2)}, "<response><a>2030-01-02</a></response>"),
        ({"output": "a"}, [{"a": 1}, {"a": 2}], "<response><item><a>1</a></item><item><a>2</a></item></response>"),
        ({"output": "a", "response_elem": None}, {"a": "<&"}, "<response><a>&lt;&amp;</a></response>"),
        (
            {"output": "a"},
            {"a": {"b": [1, {"c": 2}]}},
            "<response><a><b><item>1</item><item><c>2</c></item></b></a></response>",
        ),
        ({"output": "a"}, {"a": etree.fromstring("<b>1</b>")}, "<response><a><b>1</b></a></response>"),
        ({"output": s.List("a")}, {"a": [1, 2]}, "<response><a><item>1</item><item>2</item></a></response>"),
        (
            {"output": s.Dict("a")},
            {"a": {"k": 1}},
            "<response><a><item><key>k</key><value>1</value></item></a></response>",
        ),
        (
            {"output": s.DictList("a")},
            {"a": [{"k": 1}]},
            "<response><a><dict><item><key>k</key><value>1</value></item></dict></a></response>",
        ),
        ({"output": "a", "namespace": "urn:n"}, {"a": 1}, '<response xmlns="urn:n"><a>1</a></response>'),
        ({"output": "a", "xml_namespace": "urn:n"}, {"a": 1}, '<response xmlns="urn:n"><a>1</a></response>'),
    ],
    ids=str,
)
def test_xml_is_written(get_output: Any, declared: Any, payload: Any, expected: str) -> None:
    answer = get_output(payload, data_format="xml", **declared)
    assert (xml(answer), answer.content_type) == (expected, "application/xml")


def test_xml_can_be_written_otherwise(get_output: Any) -> None:
    options = {"pretty_print": False, "encoding": "ISO-8859-2", "declaration": False}
    answer = get_output({"a": "ż"}, data_format="xml", output="a", XML=type("XML", (), options))
    assert answer.body == "<response><a>ż</a></response>".encode("iso-8859-2")
    assert answer.content_type == "application/xml; charset=ISO-8859-2"
    assert get_output({"a": 1}, data_format="xml", output="a").body.endswith(b"\n  <a>1</a>\n</response>")


def test_an_answer_may_say_that_it_is_none(get_output: Any) -> None:
    def assign(response: Any) -> None:
        response.payload.a = 1
        response.result, response.result_details = "ZATO_ERROR", "why"

    root = etree.fromstring(get_output(assign, data_format="xml", output_required="a").body)
    assert (root.findtext("zato_env/result"), root.findtext("zato_env/details")) == ("ZATO_ERROR", "why")


def test_a_wrapper_that_xml_has_no_form_for_is_the_services_fault(get_output: Any) -> None:
    for declared in ({"response_elem": "no name"}, {"namespace": "\x00"}):
        with pytest.raises(SerialisationError, match="response element"):
            get_output({"a": 1}, data_format="xml", output="a", **declared)


@pytest.mark.parametrize("value", ["\x00", object(), {"no name": 1}, {"": 1}], ids=["text", "object", "key", "empty key"])
def test_what_has_no_form_in_xml_is_the_services_fault(get_output: Any, value: Any) -> None:
    with pytest.raises(SerialisationError, match="/a takes"):
        get_output({"a": value}, data_format="xml", output="a")


# CSV


def test_csv_rows_are_input_in_the_order_of_names_or_of_their_header(get_input: Any) -> None:
    declared = {"input": ("b", s.Int("count"), "-a"), "data_format": "csv"}
    expected = [{"b": "x", "count": 1, "a": "u"}, {"b": "y,z", "count": 2, "a": ""}]
    assert get_input(b'u,x,1\r\n,"y,z",2\r\n', **declared) == expected
    assert get_input(b'count,b,a\n1,x,u\n2,"y,z",\n', **declared) == expected
    assert get_input(b"count,b\n1,x\n", **declared) == [{"b": "x", "count": 1, "a": ""}]
    assert get_input(b"x|1\n", input=("a", "b"), csv_delimiter="|", data_format="csv") == [{"a": "x", "b": "1"}]
    assert get_input(b"", input="-a", data_format="csv") == {"a": ""}


@pytest.mark.parametrize(
    ("raw", "error"),
    [(b"1,2,3\n", "Row 1"), (b"1\n", r"/\[0\]/b"), (b"\xff,x\n", "UTF-8"), (b"x" * 200_000, "not acceptable CSV")],
    ids=["too many", "too few", "no text", "too long"],
)
def test_csv_that_is_none_is_refused(get_input: Any, raw: bytes, error: str) -> None:
    with pytest.raises(BadRequest, match=error):
        get_input(raw, input=("a", "b"), data_format="csv")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, "a,b\r\n1,x\r\n,\r\n"),
        ({"csv_delimiter": ";", "csv_should_write_header": False}, "1;x\r\n;\r\n"),
        ({"CSV": type("CSV", (), {"delimiter": "|", "lineterminator": "\n"})}, "a|b\n1|x\n|\n"),
        ({"csv_dialect": "unix"}, '"a","b"\n"1","x"\n"",""\n'),
    ],
    ids=str,
)
def test_csv_is_written(get_output: Any, declared: Any, expected: str) -> None:
    answer = get_output([{"b": "x", "a": 1}, {"a": None, "b": ""}], output=("b", "a"), data_format="csv", **declared)
    assert answer.body.decode() == expected
    assert answer.content_type == "text/csv; charset=utf-8"


def test_one_record_is_one_row_of_csv(get_output: Any) -> None:
    assert get_output({"a": [1, 2]}, output="a", data_format="csv").body == b"a\r\n1;2\r\n"
    with pytest.raises(SerialisationError):
        get_output({"a": {}}, output="a", data_format="csv")
