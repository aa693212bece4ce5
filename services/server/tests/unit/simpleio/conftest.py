"""Services that are invoked as a channel invokes them, without a server."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.http import formats
from zato.server.service import Service
from zato.server.services.context import ChannelInfo, KeyValueDB, ServerContext
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker
from zato.server.services.reqresp import HTTPRequest, ServiceRequest, ServiceResponse
from zato.server.services.store import ServiceStore


@dataclass
class Answer:
    """What came out of a service, and what its client gets."""

    response: ServiceResponse
    body: bytes
    content_type: str

    @property
    def payload(self) -> Any:
        return self.response.payload

    @property
    def json(self) -> Any:
        return formats.load_json(self.body)


Call = Callable[..., Answer]


@pytest.fixture
def call() -> Call:
    """Invoke a service class: `call(cls, b'{"a": 1}', params={"b": "2"}, data_format="json")`, with those of `among` there."""

    def invoke(
        cls: type[Service],
        body: bytes = b"",
        *,
        data_format: str = "json",
        params: dict[str, Any] | None = None,
        params_win: bool = True,
        among: tuple[type[Service], ...] = (),
        encoded: bool = True,
    ) -> Answer:
        store = ServiceStore()
        store.replace_deployed(describe_service(each, "m") for each in (cls, *among))
        invoker = Invoker(store)
        invoker.context = ServerContext("server1", invoker, Outgoing(ConnectionPool), KeyValueDB("redis://127.0.0.1:1"))
        http = HTTPRequest("POST", "/", {}, {}, {})
        request = ServiceRequest(
            body, lambda: formats.load(data_format, body), params or {}, http, params_over_payload=params_win
        )
        name = describe_service(cls, "m").name
        response = invoker.invoke(name, request, cid="the-cid", channel=ChannelInfo("c", "http", data_format))
        sent, content_type = formats.dump(data_format, response.payload) if encoded else (b"", "")
        return Answer(response, sent, response.content_type or content_type)

    return invoke


@pytest.fixture
def get_input(call: Call) -> Callable[..., Any]:
    """Return what `self.request.input` is of a service with these attributes in its SimpleIO, or directly on it."""

    def ask(body: bytes = b"", *, direct: bool = False, data_format: str = "json", **declared: Any) -> Any:
        options = {name: declared.pop(name) for name in ("params", "params_win") if name in declared}
        seen: list[Any] = []

        def handle(self: Any) -> None:
            seen.append(self.request.input)

        attributes: dict[str, Any] = declared if direct else {"SimpleIO": type("SimpleIO", (), declared)}
        cls = type("Asked", (Service,), {"handle": handle, "name": "asked", **attributes})
        call(cls, body, data_format=data_format, **options)
        return seen[0]

    return ask


@pytest.fixture
def get_output(call: Call) -> Callable[..., Answer]:
    """Return what is sent when a service with these attributes assigns `payload`, or does what a function says."""

    def ask(payload: Any, *, direct: bool = False, data_format: str = "json", status: int = 200, **declared: Any) -> Answer:
        def handle(self: Any) -> None:
            self.response.status_code = status
            if callable(payload):
                payload(self.response)
            else:
                self.response.payload = payload

        attributes: dict[str, Any] = declared if direct else {"SimpleIO": type("SimpleIO", (), declared)}
        cls = type("Asked", (Service,), {"handle": handle, "name": "asked", **attributes})
        return call(cls, data_format=data_format)

    return ask
