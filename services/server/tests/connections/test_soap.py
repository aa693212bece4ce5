"""SOAP services, against a real HTTP server that answers by a WSDL of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from zato.common.errors import Unavailable
from zato.server.connections import soap
from zato.server.connections.soap.suds import BadArguments, SOAPFault
from zato.server.contracts.connection_contract import NetworkConnectionContract, Values
from zato.server.contracts.http_backend import Backend, Reply, Seen
from zato.server.control.state import ConfigObject
from zato.server.security.basic_auth import BasicAuthOptions

WSDL = """<?xml version="1.0"?>
<definitions name="Orders" targetNamespace="urn:orders" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:orders"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <types>
    <xsd:schema targetNamespace="urn:orders" elementFormDefault="qualified">
      <xsd:complexType name="Customer">
        <xsd:sequence>
          <xsd:element name="name" type="xsd:string"/><xsd:element name="age" type="xsd:int" minOccurs="0"/>
        </xsd:sequence>
      </xsd:complexType>
      <xsd:element name="GetOrder">
        <xsd:complexType><xsd:sequence>
          <xsd:element name="id" type="xsd:int"/><xsd:element name="customer" type="tns:Customer" minOccurs="0"/>
        </xsd:sequence></xsd:complexType>
      </xsd:element>
      <xsd:element name="GetOrderResponse">
        <xsd:complexType><xsd:sequence>
          <xsd:element name="status" type="xsd:string"/><xsd:element name="total" type="xsd:decimal"/>
        </xsd:sequence></xsd:complexType>
      </xsd:element>
    </xsd:schema>
  </types>
  <message name="In"><part name="parameters" element="tns:GetOrder"/></message>
  <message name="Out"><part name="parameters" element="tns:GetOrderResponse"/></message>
  <portType name="Port"><operation name="GetOrder"><input message="tns:In"/><output message="tns:Out"/></operation></portType>
  <binding name="Binding" type="tns:Port">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="GetOrder">
      <soap:operation soapAction="urn:GetOrder"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output>
    </operation>
  </binding>
  <service name="Orders"><port name="Port" binding="tns:Binding"><soap:address location="LOCATION/orders"/></port></service>
</definitions>
"""
BODY = '<e:Body xmlns:o="urn:orders">{}</e:Body>'
ENVELOPE = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header/>{BODY}</e:Envelope>'
ORDER = ENVELOPE.format("<o:GetOrderResponse><o:status>open for {}</o:status><o:total>17.29</o:total></o:GetOrderResponse>")
FAULT = ENVELOPE.format("<e:Fault><faultcode>e:Server</faultcode><faultstring>no such order</faultstring></e:Fault>")
XML = {"Content-Type": "text/xml; charset=utf-8"}


class OrderService(Backend):
    """Answers by what it was asked: the WSDL, orders, and a fault for the order 404."""

    wsdl = ""

    def answer(self, seen: Seen) -> Reply:
        reply = super().answer(seen)
        if reply.status != 200 or reply.body != b"{}":
            return reply
        if seen.method != "POST":
            return Reply(200, (self.wsdl or WSDL.replace("LOCATION", self.url)).encode(), XML)
        order_id = etree.fromstring(seen.body).findtext(".//{urn:orders}id")
        if order_id == "404":
            return Reply(500, FAULT.encode(), XML)
        return Reply(200, ORDER.format(order_id).encode(), XML)


@pytest.fixture
def backend() -> Iterator[OrderService]:
    backend = OrderService()
    yield backend
    backend.stop()


class TestOutgoingSOAP(NetworkConnectionContract):
    connection_type = soap.connection_type
    wrong_password = {"security": "wrong"}
    timeouts = ("timeout",)
    use = "connection.client()"
    bad_options = [{"host": "nowhere"}, {"soap_version": "2"}, {"wsdl_path": "x"}, {"soap_action": 'a"b'}]

    @pytest.fixture
    def values(self, backend: Backend) -> Values:
        backend.password = "Basic dXNlcjp0aGUtcmlnaHQtb25l"
        return {"host": backend.url, "url_path": "/orders", "security": "right"}

    def others(self) -> list[ConfigObject]:
        right, wrong = (BasicAuthOptions(username="user", password=password) for password in ("the-right-one", "another"))
        kind = "security-basic-auth"
        return [ConfigObject(2, kind, "right", True, 1, right), ConfigObject(3, kind, "wrong", True, 1, wrong)]

    def elsewhere(self, values: Values, port: int, **changed: Any) -> Values:
        return {"host": f"http://127.0.0.1:{port}", **changed}

    def unknown_host(self) -> Values:
        return {"host": "http://no-such-host.invalid"}

    def test_a_slow_service_stops_no_other_greenlet(self, backend: Backend) -> None:
        backend.gate.clear()
        values = {"host": backend.url, "timeout": 60}
        code = "connection.client().service.GetOrder(7).status"
        assert self.run_patched(values, code, meanwhile=backend) == "'open for 7'"


@pytest.fixture
def connection(backend: Backend) -> Iterator[Any]:
    with TestOutgoingSOAP().connected({"host": backend.url, "wsdl_path": "/orders?wsdl", "soap_action": "urn:x"}) as connection:
        yield connection


def test_an_operation_is_called_as_suds_called_it(connection: Any, backend: Backend) -> None:
    order = connection.conn.client().service.GetOrder(7)
    assert (order.status, float(order.total), order["status"]) == ("open for 7", 17.29, "open for 7")
    wsdl, call = backend.seen
    assert (wsdl.path, wsdl.query, call.path) == ("/orders", {}, "/orders")
    assert call.headers["soapaction"] == '"urn:GetOrder"'


def test_the_wsdl_is_read_once_and_when_it_is_needed(connection: Any, backend: Backend) -> None:
    assert backend.seen == []
    for number in range(3):
        with connection.conn.client() as client:
            client.service.GetOrder(id=number)
    assert [seen.method for seen in backend.seen] == ["GET", "POST", "POST", "POST"]
    connection.reload_wsdl()
    connection.conn.client()
    assert backend.seen[-1].method == "GET"


@pytest.mark.parametrize("name", ["Customer", "ns0:Customer", "{urn:orders}Customer"])
def test_the_factory_makes_objects_of_the_wsdls_types(connection: Any, backend: Backend, name: str) -> None:
    client = connection.conn.client()
    customer = client.factory.create(name)
    customer.name = "Jane"
    client.service.GetOrder(7, customer)
    assert etree.fromstring(backend.seen[-1].body).findtext(".//{urn:orders}name") == "Jane"
    with pytest.raises(LookupError):
        client.factory.create("Nothing")


def test_a_fault_is_an_error_with_what_the_other_side_says(connection: Any) -> None:
    with pytest.raises(SOAPFault) as fault:
        connection.conn.client().service.GetOrder(404)
    assert (fault.value.faultcode, fault.value.fault.faultstring) == ("e:Server", "no such order")
    assert "no such order" not in fault.value.message


def test_arguments_that_do_not_fit_are_the_services_fault(connection: Any, backend: Backend) -> None:
    service = connection.conn.client().service
    with pytest.raises(BadArguments):
        service.GetOrder()
    with pytest.raises(TypeError):
        service.GetOrder(nothing=1)
    with pytest.raises(AttributeError):
        service.GetNothing(1)
    assert len(backend.seen) == 1


@pytest.mark.parametrize(
    "wsdl",
    [
        "no XML",
        "<html/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><definitions>&a;</definitions>',
        WSDL.replace("<types>", '<import namespace="urn:x" location="file:///etc/passwd"/><types>'),
    ],
)
def test_a_wsdl_that_is_none_or_reaches_for_files_is_refused(connection: Any, backend: OrderService, wsdl: str) -> None:
    backend.wsdl = wsdl
    with pytest.raises(Unavailable):
        connection.conn.client()
    backend.wsdl = ""
    assert connection.conn.client().service.GetOrder(1)


def test_an_answer_that_is_no_soap_is_unavailable(connection: Any, backend: OrderService) -> None:
    client = connection.conn.client()
    for reply in (Reply(200, b"<html>", XML), Reply(502, b"<html>bad gateway</html>"), Reply(503), Reply(200, b"\xff\xfe")):
        backend.reply(reply)
        with pytest.raises(Unavailable):
            client.service.GetOrder(1)


def test_another_host_does_not_get_our_credentials(backend: OrderService) -> None:
    elsewhere = OrderService()
    backend.wsdl = WSDL.replace("LOCATION", elsewhere.url)
    try:
        with TestOutgoingSOAP().connected({"host": backend.url, "security": "right"}) as connection:
            connection.conn.client().service.GetOrder(1)
    finally:
        elsewhere.stop()
    assert "authorization" in backend.seen[0].headers
    assert "authorization" not in elsewhere.seen[0].headers


def test_a_body_is_put_into_an_envelope(connection: Any, backend: Backend) -> None:
    answer = connection.conn.send("cid", '<GetOrder xmlns="urn:orders"><id>5</id></GetOrder>')
    assert (answer.ok, str(answer.data.status), float(answer.data.total)) == (True, "open for 5", 17.29)
    (seen,) = backend.seen
    assert (seen.headers["content-type"], seen.headers["soapaction"]) == ("text/xml; charset=utf-8", '"urn:x"')
    assert seen.headers["x-zato-cid"] == "cid"
    root = etree.fromstring(seen.body)
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"


def test_an_envelope_is_sent_as_it_is_in_version_12_too(backend: Backend) -> None:
    own = ENVELOPE.replace("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope").format("<o:GetOrder/>")
    with TestOutgoingSOAP().connected({"host": backend.url, "soap_version": "1.2", "soap_action": "urn:a"}) as connection:
        connection.conn.send("cid", own)
    assert backend.seen[0].body == own.encode()
    assert backend.seen[0].headers["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:a"'


def test_headers_of_the_soap_header_are_sent(connection: Any, backend: Backend) -> None:
    client = connection.conn.client()
    client.set_options(soapheaders=[etree.fromstring('<Token xmlns="urn:t">x</Token>')])
    client.service.GetOrder(1)
    assert b"urn:t" in backend.seen[-1].body
    connection.conn.client().service.GetOrder(1)
    assert b"urn:t" not in backend.seen[-1].body
