"""Envelopes: what a client sent, what a service answers, and what went wrong."""

import re
from typing import Any

from lxml import etree

from zato.common.errors import BadRequest, InternalError, ZatoError
from zato.server.http.formats import dump_xml, load_xml, refuse_too_many_values
from zato.server.http.soap.versions import Version

_DECLARATION = re.compile(rb"\s*<\?xml[^>]*\?>\s*")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PREFIX = "SOAP-ENV"


class VersionMismatch(BadRequest):
    """An envelope of another version of SOAP, or of none."""


class Finding(BadRequest):
    """An envelope that a service found wanting."""


def load_envelope(body: bytes, version: Version) -> Any:
    """
    Return the first child of the envelope's Body, objectified; "" when the Body is empty.

    Raises:
        BadRequest: It is not XML, or no envelope with a Body.
        VersionMismatch: It is an envelope of another version.
        PayloadTooLarge: It has more values than are read at once.
    """
    refuse_too_many_values(body, "xml")
    root = load_xml(body)
    name = etree.QName(root.tag)
    if name.localname != "Envelope":
        raise BadRequest("The request's body is not a SOAP envelope")
    if name.namespace != version.namespace:
        raise VersionMismatch(f"The envelope is not one of SOAP {version.name}, which is spoken here")
    found = root.find(f"{{{version.namespace}}}Body")
    if found is None:
        raise BadRequest("The SOAP envelope has no Body")
    for child in found.iterchildren(tag=etree.Element):
        return child
    return ""


def dump_envelope(payload: Any, version: Version, namespace: str, root_name: str) -> bytes:
    """
    Return the envelope around a service's payload.

    Args:
        payload: An lxml element or XML as text, which go in as they are, an envelope as a whole; anything else becomes
            an element `root_name` of `namespace`.

    Raises:
        InternalError: The payload has no form in XML, or is text that is not well-formed.
    """
    content = _content(payload, namespace, root_name)
    if content is not None and content.tag == _name(version, "Envelope"):
        return etree.tostring(content, xml_declaration=True, encoding="UTF-8")
    envelope, body = _new_envelope(version)
    if content is not None:
        body.append(content)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _content(payload: Any, namespace: str, root_name: str) -> Any:
    if isinstance(payload, etree._Element):
        return payload
    if payload is None or payload in ("", b""):
        return None
    if isinstance(payload, str | bytes):
        return _parse_own(payload.encode() if isinstance(payload, str) else payload, namespace, root_name)
    return in_namespace(etree.fromstring(dump_xml(payload, root_name)), namespace)


def dump_fault(error: ZatoError, details: str, cid: str, version: Version) -> bytes:
    """
    Return the envelope of a fault.

    Args:
        details: What the client may know of `error`.
    """
    envelope, body = _new_envelope(version)
    text = f"cid [{cid}], faultstring [{details}]"
    code = _code(error, version)
    fault = etree.SubElement(body, f"{{{version.namespace}}}Fault")
    if version.name == "1.1":
        etree.SubElement(fault, "faultcode").text = code
        etree.SubElement(fault, "faultstring").text = text
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
    etree.SubElement(etree.SubElement(fault, _name(version, "Code")), _name(version, "Value")).text = code
    reason = etree.SubElement(etree.SubElement(fault, _name(version, "Reason")), _name(version, "Text"))
    reason.set(_XML_LANG, "en")
    reason.text = text
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def in_namespace(made: Any, namespace: str) -> Any:
    """Return elements that have no namespace in `namespace`, which is the default one there."""
    root = etree.Element(f"{{{namespace}}}{made.tag}", nsmap=_default(namespace))
    root.text = made.text
    root.extend(made)
    for element in root.iterdescendants(tag=etree.Element):
        if not element.tag.startswith("{"):
            element.tag = f"{{{namespace}}}{element.tag}"
    return root


def fault_status(error: ZatoError, version: Version) -> int:
    """
    Return the HTTP status of a fault: what HTTP has a word for keeps it, so that a body which is no envelope is 400.

    An envelope that the service finds wanting is 500 in SOAP 1.1 (section 6.2) and 400 in 1.2 (part 2, table 20).
    """
    return 500 if isinstance(error, Finding) and version.name == "1.1" else error.http_status


def _code(error: ZatoError, version: Version) -> str:
    if isinstance(error, VersionMismatch):
        return f"{PREFIX}:VersionMismatch"
    return f"{PREFIX}:{version.client if error.http_status < 500 else version.server}"


def _name(version: Version, local: str) -> str:
    return f"{{{version.namespace}}}{local}"


def _default(namespace: str) -> Any:
    """The types of lxml know no default namespace."""
    return {None: namespace}


def _new_envelope(version: Version) -> tuple[Any, Any]:
    envelope = etree.Element(_name(version, "Envelope"), nsmap={PREFIX: version.namespace})
    return envelope, etree.SubElement(envelope, _name(version, "Body"))


def _parse_own(xml: bytes, namespace: str, root_name: str) -> Any:
    """Text that does not begin as XML is the text of one element."""
    if not xml.lstrip().startswith(b"<"):
        element = etree.Element(f"{{{namespace}}}{root_name}", nsmap=_default(namespace))
        try:
            element.text = xml.decode()
        except ValueError as exc:
            raise InternalError("The service's response has no form in XML") from exc
        return element
    try:
        return load_xml(_DECLARATION.sub(b"", xml, count=1))
    except BadRequest as exc:
        raise InternalError(f"The service's response is not well-formed XML: {exc.message}") from exc
