"""The description of a SOAP channel that clients are made from: WSDL 1.1, document/literal."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.http.soap.versions import VERSIONS

CONTENT_TYPE = "text/xml; charset=utf-8"
REQUEST_NAME, RESPONSE_NAME = "request", "response"
_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_XSD = "http://www.w3.org/2001/XMLSchema"
_HTTP = "http://schemas.xmlsoap.org/soap/http"
_TNS = "tns"
_NOT_IN_NAMES = re.compile(r"\W+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """
    One element of a service's input or output.

    Args:
        type: Its local name among XML Schema's types, e.g. "string", "integer", "boolean"; "anyType" for any structure.
    """

    name: str
    type: str = "string"
    is_required: bool = True
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """What a service declares of itself. None in place of fields: it declares nothing, so anything may be there."""

    input: Sequence[Field] | None = None
    output: Sequence[Field] | None = None


# Service's name → what it declares.
ContractOf = Callable[[str], Contract]


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
    for message, element in ((f"{operation}Input", REQUEST_NAME), (f"{operation}Output", RESPONSE_NAME)):
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
    schema = etree.SubElement(_add(root, "types"), f"{{{_XSD}}}schema", attributes)
    for name, fields in ((REQUEST_NAME, contract.input), (RESPONSE_NAME, contract.output)):
        element = etree.SubElement(schema, f"{{{_XSD}}}element", {"name": name})
        content = etree.SubElement(etree.SubElement(element, f"{{{_XSD}}}complexType"), f"{{{_XSD}}}sequence")
        if fields is None:
            anything = {"minOccurs": "0", "maxOccurs": "unbounded", "processContents": "lax"}
            etree.SubElement(content, f"{{{_XSD}}}any", anything)
        for field in fields or ():
            etree.SubElement(content, f"{{{_XSD}}}element", _field_attributes(field))


def _field_attributes(field: Field) -> dict[str, str]:
    attributes = {"name": field.name, "type": f"xsd:{field.type}"}
    if not field.is_required:
        attributes["minOccurs"] = "0"
    if field.is_repeated:
        attributes["maxOccurs"] = "unbounded"
    return attributes
