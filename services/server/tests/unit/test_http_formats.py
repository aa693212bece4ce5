import math
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from zato.common.errors import BadRequest, InternalError
from zato.server.http import formats
from zato.server.http.forms import load_form

_json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=10,
)


@given(_json_values)
def test_json_comes_back_as_it_went(value: Any) -> None:
    assert formats.load_json(formats.dump_json(value)) == value


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 2**200 + 1])
def test_integers_are_exact_at_any_size(number: int) -> None:
    assert formats.load_json(b"%d" % number) == number
    assert formats.load_json(formats.dump_json({"number": [number]})) == {"number": [number]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1,]",
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b'"\xff"',
        b'"\\ud800"',
        b"01",
        b'{"a":1}x',
        b"'a'",
        b'"\t"',
        b"[" * 10**5,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        formats.load_json(body)


def test_a_bad_request_says_where_its_json_is_wrong() -> None:
    with pytest.raises(BadRequest, match="byte 5"):
        formats.load_json(b'{"a":}')


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [None, x], lambda x: {"a": {"b": (1, x)}}, lambda x: [2**100, x]])
def test_no_float_that_is_no_number_leaves_as_null(wrap: Any, number: float) -> None:
    with pytest.raises(InternalError):
        formats.dump_json(wrap(number))


def test_null_itself_is_fine() -> None:
    assert formats.dump_json({"a": None, "b": [None, "null"]}) == b'{"a":null,"b":[null,"null"]}'


_ORDINARY = {
    "decimal": Decimal("1.10"),
    "date": date(2026, 11, 24),
    "datetime": datetime(2026, 11, 24, 5, 6, 7, tzinfo=UTC),
    "uuid": UUID(int=1),
    "bytes": b"abc",
    "tuple": (1, 2),
    "set": {1},
    "ordered": OrderedDict(a=1),
    "text": "zażółć",
}
_ORDINARY_JSON = {
    "decimal": "1.10",
    "date": "2026-11-24",
    "datetime": "2026-11-24T05:06:07+00:00",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "bytes": "abc",
    "tuple": [1, 2],
    "set": [1],
    "ordered": {"a": 1},
    "text": "zażółć",
}


def test_what_services_usually_have_has_a_form_in_json() -> None:
    assert formats.load_json(formats.dump_json(_ORDINARY)) == _ORDINARY_JSON


def test_a_large_integer_beside_it_changes_no_form() -> None:
    payload = {**_ORDINARY, 1: "number as key", "large": 2**100}
    assert formats.load_json(formats.dump_json(payload)) == {**_ORDINARY_JSON, "1": "number as key", "large": 2**100}


@pytest.mark.parametrize(
    "payload", [object(), {"a": object()}, "\ud800", {"a": {1j: 1}}, [2**100, object()], b"\xff"], ids=repr
)
def test_what_has_no_form_in_json_is_the_services_fault(payload: Any) -> None:
    with pytest.raises(InternalError):
        formats.dump_json(payload)


def test_xml_is_read_as_an_object() -> None:
    root = formats.load_xml("<a><b>zażółć</b><!-- no --><?pi no?></a>".encode())
    assert root.b == "zażółć"
    assert len(root.getchildren()) == 1


_LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (ord("b") + index, b"&%c;" % (ord("a") + index) * 10) for index in range(9)
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"text",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        _LAUGHS + b"]><l>&j;</l>",
        b"<a>&undefined;</a>",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"<a>" * 5000 + b"</a>" * 5000,
        b'<a b="1" b="2"/>',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_xml_that_is_broken_or_dangerous_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        formats.load_xml(body)


def test_a_payload_becomes_xml_by_its_keys() -> None:
    body, content_type = formats.dump(
        "xml", {"a": 1, "list": [{"b": True}, None], "d": Decimal("1.10"), "day": date(2026, 1, 2)}
    )
    assert content_type == "application/xml"
    root = formats.load_xml(body)
    assert (root.a, root.d.text, root.day, root.list.item[0].b) == (1, "1.10", "2026-01-02", True)


@pytest.mark.parametrize("payload", [{"a": object()}, {"not a name": 1}, {"a": "\x00"}, {"": 1}], ids=repr)
def test_what_has_no_form_in_xml_is_the_services_fault(payload: Any) -> None:
    with pytest.raises(InternalError):
        formats.dump("xml", payload)


def test_markup_in_values_is_text() -> None:
    root = formats.load_xml(formats.dump_xml({"a": "<b>&amp;</b>"}))
    assert root.a == "<b>&amp;</b>"


def test_an_element_goes_out_as_xml_whatever_the_channel_says() -> None:
    body, content_type = formats.dump("json", etree.fromstring("<a/>"))
    assert (content_type, body.endswith(b"<a/>")) == ("application/xml", True)


def test_repeated_fields_of_a_form_are_lists_and_empty_ones_are_kept() -> None:
    assert load_form("a=1&b=&a=2&a=3&c=%C5%BC+x") == {"a": ["1", "2", "3"], "b": "", "c": "ż x"}


@pytest.mark.parametrize("text", ["a=%ff", "a=%00", "%00=a", "&".join(["a=1"] * 1001)], ids=lambda text: text[:10])
def test_a_form_that_is_not_acceptable_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        load_form(text)


def test_a_form_that_is_not_utf_8_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        formats.load("form", b"a=\xff")


def test_without_a_format_a_body_is_its_text_or_else_its_bytes() -> None:
    assert formats.load("", "zażółć".encode()) == "zażółć"
    assert formats.load("", b"\xff") == b"\xff"


@pytest.mark.parametrize("data_format", formats.DATA_FORMATS)
def test_no_body_is_an_empty_payload_and_no_payload_an_empty_body(data_format: str) -> None:
    assert formats.load(data_format, b"") == ""
    assert formats.dump(data_format, None)[0] == b""


@pytest.mark.parametrize("data_format", formats.DATA_FORMATS)
@pytest.mark.parametrize("payload", ["text", b"bytes", "", b""])
def test_text_and_bytes_go_out_as_they_are(data_format: str, payload: str | bytes) -> None:
    expected = payload.encode() if isinstance(payload, str) else payload
    assert formats.dump(data_format, payload) == (expected, formats.CONTENT_TYPES[data_format])
