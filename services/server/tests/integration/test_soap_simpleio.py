"""SOAP channels of services that declare their input and output."""

from typing import Any

import pytest
import requests
import zeep
from zeep.transports import Transport

from .conftest import Server, StartServer

SERVICES = """
from zato.server.service import AsIs, Bool, Int, Service


class Direct(Service):
    name = "direct"
    input = "name", Int("age"), Bool("-is_open")
    output = "greeting", Int("next_age"), "-note"

    def handle(self):
        given = self.request.input
        self.response.payload.greeting = f"Hello {given.name} {given.is_open!r}"
        self.response.payload.next_age = given.age + 1


class Inner(Service):
    name = "inner"

    class SimpleIO:
        input_required = ("name",)
        input_optional = (Int("age"),)
        output_required = ("greeting",)
        output_optional = ("note",)
        response_elem = "inner_response"

    def handle(self):
        self.response.payload.greeting = f"Hello {self.request.input.name}"


class Many(Service):
    name = "many"

    class SimpleIO:
        output_required = ("id", "name")
        output_repeated = True

    def handle(self):
        self.response.payload[:] = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
"""


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server()
    server.deploy("declared.py", SERVICES)
    for version in ("1.1", "1.2"):
        for name in ("direct", "inner", "many"):
            options = {"url_path": f"/{name}-{version}", "service": name, "soap_version": version}
            server.admin("zato.channel-soap.create", name=f"{name} {version}", **options)
    server.wait_until_applied()
    return server


@pytest.fixture(params=["1.1", "1.2"])
def call(request: pytest.FixtureRequest, server: Server) -> Any:
    with requests.Session() as session:

        def service(name: str) -> Any:
            url = f"http://127.0.0.1:{server.http_port}/{name}-{request.param}?wsdl"
            return zeep.Client(url, transport=Transport(session=session)).service

        yield service


def test_a_client_speaks_with_a_service_as_it_declares_itself(call: Any) -> None:
    answer = call("direct").direct(name="Zoë", age=41)
    assert (answer.greeting, answer.next_age, answer.note) == ("Hello Zoë ''", 42, None)
    assert call("direct").direct(name="x", age=1, is_open=True).greeting == "Hello x True"


def test_the_earlier_form_too(call: Any) -> None:
    answer = call("inner").inner(name="Zoë")
    assert answer.item.greeting == "Hello Zoë"
    many = call("many").many()
    assert [(item.id, item.name) for item in many.item_list.item] == [(1, "a"), (2, "b")]


def test_what_is_missing_is_the_clients_fault(server: Server) -> None:
    body = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><request><name>x</name></request></s:Body>'
        b"</s:Envelope>"
    )
    answer = server.request("POST", "/direct-1.1", body)
    assert answer.status == 500
    assert b"<faultcode>SOAP-ENV:Client</faultcode>" in answer.body and b"age" in answer.body
