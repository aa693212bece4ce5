"""SOAP channels, with zeep as the client, and with envelopes that no client would send."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport

from .conftest import Server, StartServer

SERVICES = '''
from lxml import etree

from zato.common.errors import BadRequest
from zato.server.service import Service


class Customer(Service):
    """Reads its input from the objectified body."""

    def handle(self):
        request = self.request.payload
        name = request.name.text
        if name == "nobody":
            raise BadRequest("There is no customer <nobody>")
        if name == "broken":
            raise RuntimeError("the secret reason")
        self.response.payload = {"greeting": f"Hello {name}", "root": request.tag, "lines": [1, {"a": True}]}


class Other(Service):
    def handle(self):
        self.response.payload = {"greeting": "other"}


class Raw(Service):
    """Answers with what its input asks for."""

    def handle(self):
        kind = self.request.payload.text
        if kind == "text":
            self.response.payload = '<?xml version="1.0"?>\\n<x:own xmlns:x="urn:x">1</x:own>'
        elif kind == "element":
            self.response.payload = etree.fromstring("<own/>")
        elif kind == "envelope":
            ns = "http://schemas.xmlsoap.org/soap/envelope/"
            self.response.payload = f'<s:Envelope xmlns:s="{ns}"><s:Header/><s:Body><own/></s:Body></s:Envelope>'
        elif kind == "plain":
            self.response.payload = "a < b"
        elif kind == "broken":
            self.response.payload = "<own>"
        elif kind == "type":
            self.response.content_type = "text/xml"
'''

NS_1_1 = "http://schemas.xmlsoap.org/soap/envelope/"
NS_1_2 = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACES = {"/customer": "https://zato.io/ns/20130518", "/customer12": "urn:own"}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server()
    server.deploy("soapy.py", SERVICES)
    server.admin("zato.security-basic-auth.create", name="user", username="user", password="the-right-one")
    for name, path, service, options in (
        ("customer", "/customer", "customer", {}),
        ("customer-12", "/customer12", "customer", {"soap_version": "1.2", "namespace": "urn:own", "soap_action": "get-it"}),
        ("other", "/customer", "other", {"soap_action": "other"}),
        ("secured", "/secured", "other", {"security": "user"}),
        ("raw", "/raw", "raw", {}),
        ("bare", "/bare", "raw", {"use_soap_envelope": False}),
        ("only", "/only", "other", {"soap_action": "urn:only"}),
        ("quick", "/quick", "other", {"is_rate_limit_active": True, "rate_limit_def": "* = 0/m"}),
    ):
        service = f"soapy.{service}"
        server.admin("zato.channel-soap.create", name=name, url_path=path, service=service, **options)
    server.add_channel("plain", "/raw", "soapy.other", method="POST")
    server.wait_until_applied()
    return server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def client(server: Server, path: str, session: requests.Session) -> Any:
    url = f"http://127.0.0.1:{server.http_port}{path}?wsdl"
    return zeep.Client(url, transport=Transport(session=session))


def envelope(body: str, namespace: str = NS_1_1) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def call(server: Server, path: str, body: bytes, action: str | None = '""', **headers: str) -> Any:
    sent = {"Content-Type": "text/xml", **headers}
    if action is not None:
        sent["SOAPAction"] = action
    return server.request("POST", path, body, sent)


def body_of(answer: Any) -> Any:
    """Return the one child of the envelope's Body."""
    root = etree.fromstring(answer.body)
    (body,) = (child for child in root if etree.QName(child).localname == "Body")
    return body[0] if len(body) else None


def text_of(element: Any, *names: str) -> str:
    for name in names:
        element = element.find(f"{{*}}{name}")
    return str(element.text)


# With a client made from the WSDL


@pytest.mark.parametrize("path", NAMESPACES)
def test_a_client_made_from_the_wsdl_calls_the_service(server: Server, session: requests.Session, path: str) -> None:
    caller = client(server, path, session)
    answer = caller.service.soapy_customer(_value_1=name_of("Zoë", path))
    found = {etree.QName(element).localname: element for element in answer}
    assert found["greeting"].text == "Hello Zoë"
    assert found["root"].text == f"{{{NAMESPACES[path]}}}request"
    assert [etree.QName(item).localname for item in found["lines"]] == ["item", "item"]


@pytest.mark.parametrize(("path", "code"), [("/customer", "Client"), ("/customer12", "Sender")])
def test_an_error_of_the_service_is_a_fault_for_the_client(
    server: Server, session: requests.Session, path: str, code: str
) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="There is no customer <nobody>") as caught:
        client(server, path, session).service.soapy_customer(_value_1=name_of("nobody", path))
    assert caught.value.code.endswith(f":{code}")


@pytest.mark.parametrize(("path", "code"), [("/customer", "Server"), ("/customer12", "Receiver")])
def test_a_service_that_breaks_is_the_servers_fault_and_says_nothing(
    server: Server, session: requests.Session, path: str, code: str
) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        client(server, path, session).service.soapy_customer(_value_1=name_of("broken", path))
    assert caught.value.code.endswith(f":{code}")
    assert "secret" not in caught.value.message and "cid [" in caught.value.message


def test_the_wsdl_is_as_secured_as_its_channel(server: Server, session: requests.Session) -> None:
    with pytest.raises(requests.HTTPError):
        client(server, "/secured", session)
    session.auth = HTTPBasicAuth("user", "the-right-one")
    answer = client(server, "/secured", session).service.soapy_other()
    assert answer[0].text == "other"


def name_of(customer: str, path: str) -> list[Any]:
    """The one element of the input. Nothing is declared of it, so the client has to say all."""
    namespace = NAMESPACES[path]
    return [zeep.xsd.AnyObject(zeep.xsd.Element(etree.QName(namespace, "name"), zeep.xsd.String()), customer)]


# By hand


def test_the_action_chooses_the_service_with_quotes_or_without(server: Server) -> None:
    for action in ("other", '"other"', " other "):
        assert text_of(body_of(call(server, "/customer", envelope("<a/>"), action)), "greeting") == "other"
    answer = call(server, "/customer", envelope("<a><name>x</name></a>"), '"unknown"')
    assert text_of(body_of(answer), "greeting") == "Hello x", "a channel without an action takes any"


def test_in_1_2_the_action_is_a_parameter_of_the_content_type(server: Server) -> None:
    sent = envelope("<a><name>x</name></a>", NS_1_2)
    answer = call(server, "/customer12", sent, None, **{"Content-Type": 'application/soap+xml; charset=utf-8; action="get-it"'})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/soap+xml; charset=utf-8")
    answer = call(server, "/customer12", sent, None, **{"Content-Type": "application/soap+xml; action=other"})
    assert answer.status == 404
    assert text_of(body_of(answer), "Code", "Value") == "SOAP-ENV:Sender"


def test_an_action_that_no_channel_has_is_a_fault(server: Server) -> None:
    answer = call(server, "/only", envelope("<a/>"), '"urn:other"')
    assert (answer.status, text_of(body_of(answer), "faultcode")) == (404, "SOAP-ENV:Client")


@pytest.mark.parametrize(
    ("kind", "tag", "text"),
    [
        ("text", "{urn:x}own", "1"),
        ("element", "own", None),
        ("envelope", "own", None),
        ("plain", "{https://zato.io/ns/20130518}response", "a < b"),
    ],
)
def test_xml_of_the_service_passes_as_it_is(server: Server, kind: str, tag: str, text: str | None) -> None:
    answer = call(server, "/raw", envelope(f"<a>{kind}</a>"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    element = body_of(answer)
    assert (element.tag, element.text) == (tag, text)


@pytest.mark.parametrize(("kind", "body"), [("element", b"<own/>"), ("plain", b"a < b")])
def test_without_an_envelope_the_services_answer_is_all(server: Server, kind: str, body: bytes) -> None:
    assert call(server, "/bare", envelope(f"<a>{kind}</a>")).body.endswith(body)


def test_no_payload_is_an_empty_body_and_the_content_type_is_the_services(server: Server) -> None:
    answer = call(server, "/raw", envelope("<a>type</a>"))
    assert (body_of(answer), answer.headers["content-type"]) == (None, "text/xml")


def test_xml_of_the_service_that_is_broken_is_the_servers_fault(server: Server) -> None:
    answer = call(server, "/raw", envelope("<a>broken</a>"))
    assert (answer.status, text_of(body_of(answer), "faultcode")) == (500, "SOAP-ENV:Server")


def test_a_plain_channel_on_the_same_path_answers_what_is_not_soap(server: Server) -> None:
    assert call(server, "/raw", b"{}", None).json == {"greeting": "other"}


def test_statuses_of_faults_are_those_of_the_version(server: Server) -> None:
    nobody = "<a><name>nobody</name></a>"
    assert call(server, "/customer", envelope(nobody)).status == 500
    answer = call(server, "/customer12", envelope(nobody, NS_1_2), "get-it")
    assert answer.status == 400
    assert answer.cid in text_of(body_of(answer), "Reason", "Text")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"<a>",
        b"<a/>",
        b"\xff\xfe",
        f'<s:Envelope xmlns:s="{NS_1_1}"/>'.encode(),
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + envelope("<a>&f;</a>"),
    ],
    ids=repr,
)
def test_what_is_no_envelope_is_400_in_both_versions(server: Server, body: bytes) -> None:
    for path, action in (("/customer", "x"), ("/customer12", "get-it")):
        answer = call(server, path, body, action)
        assert answer.status == 400, answer.body
        assert etree.QName(body_of(answer)).localname == "Fault"


def test_an_envelope_of_the_other_version_is_a_mismatch(server: Server) -> None:
    answer = call(server, "/customer", envelope("<a/>", NS_1_2))
    assert (answer.status, text_of(body_of(answer), "faultcode")) == (400, "SOAP-ENV:VersionMismatch")


def test_an_empty_body_is_an_empty_payload(server: Server) -> None:
    assert call(server, "/customer", envelope(""), "other").status == 200


def test_refusals_of_the_platform_are_faults_with_the_status_of_http(server: Server) -> None:
    answer = call(server, "/secured", envelope("<a/>"))
    assert (answer.status, answer.headers["www-authenticate"][:17]) == (401, 'Basic realm="API"')
    assert text_of(body_of(answer), "faultcode") == "SOAP-ENV:Client"
    answer = call(server, "/quick", envelope("<a/>"))
    assert (answer.status, etree.QName(body_of(answer)).localname) == (429, "Fault")
    assert int(answer.headers["retry-after"]) <= 60
    answer = server.request("GET", "/customer")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
