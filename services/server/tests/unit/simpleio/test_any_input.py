"""Whatever is declared and whatever is sent: a service has input, or its client an error that says why."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zato.common.errors import BadRequest, ZatoError
from zato.common.typing_ import list_, optional
from zato.server import service as s
from zato.server.http import formats
from zato.server.services.context import ChannelInfo
from zato.server.services.reqresp import HTTPRequest, ServiceRequest, ServiceResponse
from zato.server.services.simpleio.binding import bind

_NAMES = ("a", "b", "id", "is_x", "row_count")
_SIMPLE = (s.AsIs, s.Bool, s.CSV, s.Date, s.DateTime, s.Decimal, s.Float, s.Int, s.List, s.Opaque, s.Text, s.UTC, s.UUID)

_names = st.sampled_from([*_NAMES, *(f"-{name}" for name in _NAMES)])
_elements = st.recursive(
    _names | st.builds(lambda cls, name: cls(name), st.sampled_from(_SIMPLE), _names),
    lambda inner: st.builds(
        lambda cls, name, keys: cls(name, *keys), st.sampled_from((s.Dict, s.DictList)), _names, st.lists(inner, max_size=3)
    ),
    max_leaves=5,
)
_text = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["1", "yes", "2030-01-01", "1e999", "9" * 4400, "a,b"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | _text, inner, max_size=5),
    max_leaves=12,
)
_params = st.dictionaries(st.sampled_from(_NAMES), _text | st.lists(_text, max_size=2), max_size=2)


@s.dataclass(init=False)
class Node(s.Model):
    id: int
    a: optional[list_["Node"]]  # type: ignore[type-arg]
    b: "dict[str, float] | None"
    is_x: bool = False


_models = st.sampled_from([Node, list_[Node]])


def run(declared: Any, payload: Any, data_format: str, params: dict[str, Any], **more: Any) -> None:
    attributes = {"input": declared, "output": ("-a", "-id"), **more}
    cls: Any = type("Any", (s.Service,), {"SimpleIO": type("SimpleIO", (), attributes)})
    service = cls()
    service.request = ServiceRequest(b"", payload, params, HTTPRequest("POST", "/", {}, {}, {}))
    service.response, service.channel, service.cid = ServiceResponse(), ChannelInfo("c", "http", data_format), "the-cid"
    bound = bind(cls, s.Service)
    assert bound is not None
    try:
        bound.before_handle(service)
    except BadRequest:
        return
    made = service.request.input
    assert isinstance(made, list | dict | s.Model)
    service.response.payload = made if isinstance(made, list | dict) else made.to_dict()
    # What was taken can be sent back, unless it is no number or has no form in XML.
    with suppress(ZatoError):
        bound.after_handle(service)
        formats.dump(data_format, service.response.payload)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_elements, min_size=1, max_size=4), _json, _params)
def test_any_json_for_any_declaration(declared: Any, payload: Any, params: Any) -> None:
    body = formats.dump_json(payload)
    run(declared, lambda: formats.load("json", body), "json", params)


@settings(deadline=None)
@given(_models, _json, _params)
def test_any_json_for_a_model(declared: Any, payload: Any, params: Any) -> None:
    run(declared, lambda: payload, "json", params)


@settings(deadline=None)
@given(st.lists(_elements, min_size=1, max_size=4), _json, _params)
def test_any_xml_for_any_declaration(declared: Any, payload: Any, params: Any) -> None:
    with suppress(ZatoError):
        body = formats.dump_xml(payload)
        run(declared, lambda: formats.load("xml", body), "xml", params)


@settings(deadline=None)
@given(st.lists(_elements, min_size=1, max_size=4), st.text(st.characters(codec="utf-8")) | st.binary())
def test_any_text_as_csv(declared: Any, body: Any) -> None:
    run(declared, lambda: body, "csv", {})


def test_an_xml_document_that_is_one_endless_number_is_no_error_of_ours() -> None:
    run(["a"], lambda: formats.load("xml", b"<request>%s</request>" % (b"9" * 5000)), "xml", {})


def test_what_is_nested_too_deeply_is_refused() -> None:
    payload: Any = {"id": 1}
    for _ in range(100_000):
        payload = {"id": 1, "a": [payload]}
    run(Node, lambda: payload, "json", {})
