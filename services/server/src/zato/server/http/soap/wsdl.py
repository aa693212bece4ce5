"""The description of a SOAP channel that clients are made from: WSDL 1.1, document/literal."""

import re
from typing import Any

from lxml import etree

from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.http.soap.contracts import Contract, Field
from zato.server.http.soap.versions import VERSIONS

CONTENT_TYPE = "text/xml; charset=utf-8"
_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_XSD = "http://www.w3.org/2001/XMLSchema"
_HTTP = "http://schemas.xmlsoap.org/soap/http"
_TNS = "tns"
_NOT_IN_NAMES = re.compile(r"\W+", re.ASCII)


def operation_name(service: str) -> str:
    """Return a service's name as other languages can call it: "crm.get-customer" → "crm_get_customer"."""
    return _NOT_IN_NAMES.sub("_", service).strip("_") or "invoke"


def make_wsdl(name: str, channel: SOAPChannelOptions, contract: Contract, address: str) -> bytes:
    """
    Args:
        name: Of the channel.
        address: Where clients reach it, e.g. "https://api.example.com/crm".
    """
    operation = operation_name(channel.service)
    binding = VERSIONS[channel.soap_version].binding
    prefixes: Any = {None: _WSDL, "soap": binding, "xsd": _XSD, _TNS: channel.namespace}
    attributes = {"name": operation, "targetNamespace": channel.namespace}
    root = etree.Element(f"{{{_WSDL}}}definitions", attributes, nsmap=prefixes)
    _add_types(root, channel.namespace, contract)
    for message, element in ((f"{operation}Input", contract.request_name), (f"{operation}Output", contract.response_name)):
        _add(_add(root, "message", name=message), "part", name="body", element=f"{_TNS}:{element}")
    port_type = _add(_add(root, "portType", name=f"{operation}PortType"), "operation", name=operation)
    _add(port_type, "input", message=f"{_TNS}:{operation}Input")
    _add(port_type, "output", message=f"{_TNS}:{operation}Output")
    _add_binding(root, operation, binding, channel.soap_action)
    port = _add(_add(root, "service", name=operation), "port", name=f"{operation}Port", binding=f"{_TNS}:{operation}Binding")
    etree.SubElement(port, f"{{{binding}}}address", {"location": address})
    root.insert(0, etree.Element(f"{{{_WSDL}}}documentation"))
    root[0].text = f"Channel {name}"
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _add(parent: Any, tag: str, **attributes: str) -> Any:
    return etree.SubElement(parent, f"{{{_WSDL}}}{tag}", attributes)


def _add_binding(root: Any, operation: str, binding: str, action: str) -> None:
    made = _add(root, "binding", name=f"{operation}Binding", type=f"{_TNS}:{operation}PortType")
    etree.SubElement(made, f"{{{binding}}}binding", {"style": "document", "transport": _HTTP})
    bound = _add(made, "operation", name=operation)
    etree.SubElement(bound, f"{{{binding}}}operation", {"soapAction": action, "style": "document"})
    for direction in ("input", "output"):
        etree.SubElement(_add(bound, direction), f"{{{binding}}}body", {"use": "literal"})


def _add_types(root: Any, namespace: str, contract: Contract) -> None:
    attributes = {"targetNamespace": namespace, "elementFormDefault": "qualified"}
    schema = etree.SubElement(_add(root, "types"), _xsd("schema"), attributes)
    for name, fields in ((contract.request_name, contract.input), (contract.response_name, contract.output)):
        content = _add_structure(etree.SubElement(schema, _xsd("element"), {"name": name}))
        if fields is None:
            anything = {"minOccurs": "0", "maxOccurs": "unbounded", "processContents": "lax"}
            etree.SubElement(content, _xsd("any"), anything)
        for field in fields or ():
            _add_field(content, field)


def _add_field(parent: Any, field: Field) -> None:
    attributes = {"name": field.name, "minOccurs": "1" if field.is_required else "0"}
    if field.is_repeated:
        attributes["maxOccurs"] = "unbounded"
    if not field.inside:
        etree.SubElement(parent, _xsd("element"), {**attributes, "type": f"xsd:{field.type}"})
        return
    content = _add_structure(etree.SubElement(parent, _xsd("element"), attributes))
    for inner in field.inside:
        _add_field(content, inner)


def _add_structure(element: Any) -> Any:
    return etree.SubElement(etree.SubElement(element, _xsd("complexType")), _xsd("sequence"))


def _xsd(name: str) -> str:
    return f"{{{_XSD}}}{name}"
