"""Adapters: services that are a call of another system."""

from typing import Any

import pytest

from zato.common.errors import BadRequest
from zato.common.exception import HTTPException
from zato.server.service import Service
from zato.server.services.adapters import APPLY_BEFORE_REQUEST, JSONAdapter, RESTAdapter
from zato.server.testing import Sandbox
from zato.server.testing.stubs import Call

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def sandbox() -> Sandbox:
    made = Sandbox()
    made.connections.set_response("crm", {"answer": 1})
    return made


def adapter(base: type[Service], **attributes: Any) -> type[Service]:
    return type("Adapter", (base,), {"name": "adapter", "outconn": "crm", "conn_name": "crm", **attributes})


@pytest.mark.parametrize(
    ("attributes", "call"),
    [
        ({}, ("GET", "", {"a": 1, "b": 2})),
        ({"method": "POST"}, ("POST", b'{"a":1,"b":2}', {})),
        ({"method": "POST", "params_to_qs": True}, ("POST", "", {"a": 1, "b": 2})),
        ({"method": "PUT", "force_in_qs": ["b"]}, ("PUT", b'{"a":1}', {"b": 2})),
        ({"params": {"b": 3, "c": 4}}, ("GET", "", {"a": 1, "b": 3, "c": 4})),
        ({"params": {"b": 3, "c": 4}, "apply_params": APPLY_BEFORE_REQUEST}, ("GET", "", {"a": 1, "b": 2, "c": 4})),
    ],
)
def test_input_is_sent_and_the_answer_is_the_answer(sandbox: Sandbox, attributes: Any, call: Any) -> None:
    answer = sandbox.invoke(adapter(JSONAdapter, **attributes), {"a": 1, "b": 2}).response.payload
    assert answer == {"answer": 1}
    (made,) = sandbox.connections.calls("crm")
    assert (made.method, made.data, made.params) == call
    assert made.headers == (JSON if made.data else {})


def test_an_adapter_may_be_asked_what_it_would_do(sandbox: Sandbox) -> None:
    cls = adapter(JSONAdapter, method="POST")
    assert sandbox.invoke(cls, {"a": 1, "echo": True}).response.payload == {"a": 1, "echo": True}
    dry = sandbox.invoke(cls, {"a": 1, "dry-run": True}).response.payload
    assert dry == {"outconn": "crm", "method": "POST", "params": {}, "data": {"a": 1}}
    assert sandbox.connections.calls("crm") == []
    with pytest.raises(BadRequest, match="JSON object"):
        sandbox.invoke(cls, [1])


def test_answers_that_are_errors_raise_one_of_their_status(sandbox: Sandbox) -> None:
    sandbox.connections.set_response("crm", "the internal reason", status_code=404)
    with pytest.raises(HTTPException) as raised:
        sandbox.invoke(adapter(JSONAdapter), {})
    assert raised.value.status == 404
    assert "internal" not in str(raised.value)
    assert sandbox.invoke(adapter(JSONAdapter, raise_error_on=["5"], load_response=False), {}).response.payload


class Model:
    @classmethod
    def from_dict(cls, data: Any) -> Any:
        return ("made of", data)


def test_each_part_of_a_call_may_be_an_attribute_or_a_method(sandbox: Sandbox) -> None:
    cls = adapter(
        RESTAdapter,
        method="POST",
        model=Model,
        log_response=True,
        has_query_string_id=True,
        query_string_id_param="customer",
        has_json_id=True,
        get_request=lambda self: {"b": 2},
        get_query_string=lambda self, params: {"q": 1},
        get_path_params=lambda self, params: {"p": 2},
        get_headers=lambda self: {"X-A": "1"},
        get_auth_bearer=lambda self: "token",
        map_response=lambda self, data, **kwargs: {"mapped": data},
    )
    assert sandbox.invoke(cls, {"id": 7}).response.payload == {"mapped": ("made of", {"answer": 1})}
    assert sandbox.connections.calls("crm") == [
        Call(
            "POST",
            sandbox.cid,
            b'{"b":2,"id":7}',
            {"customer": 7, "q": 1, "p": 2},
            {**JSON, "X-A": "1", "Authorization": "Bearer token"},
        )
    ]


def test_a_list_becomes_a_list_of_models(sandbox: Sandbox) -> None:
    sandbox.connections.set_response("crm", [1, 2])
    cls = adapter(RESTAdapter, model=Model)
    assert sandbox.invoke(cls).response.payload == [("made of", 1), ("made of", 2)]


def test_a_method_that_is_none_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(BadRequest, match="no method BREW"):
        sandbox.invoke(adapter(RESTAdapter, method="BREW"))
