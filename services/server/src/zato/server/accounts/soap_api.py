"""
The admin services in SOAP 1.1: POST /zato/soap, whose SOAPAction is the name of the service, signed in as for JSON.

    <zato_channel_http_get_request xmlns="https://zato.io/ns/20130518"><name>orders</name></zato_channel_http_get_request>

The answer is a zato_…_response with a zato_env, and an item or an item_list; an error is a fault. Envelopes are read as those
of all SOAP channels: no DOCTYPE, no entities, and no more values than are read at once.
"""

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from zato.common.errors import BadRequest, Unauthorized
from zato.server.accounts.over_http import CHALLENGE, MOST_BODY_BYTES, AdminOverHTTP, element_name
from zato.server.admin.services import AdminService
from zato.server.describe.schemas import Schema
from zato.server.http.channel import Channel, compile_channel
from zato.server.http.soap.channel import DEFAULT_NAMESPACE, SOAPChannelOptions
from zato.server.services.store import ServiceEntry

PATH = "/zato/soap"
_ITEM = "item"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# What XML 1.0 has no form for.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_DEEPEST = 20


class AdminOverSOAP(AdminOverHTTP):
    """Invokes the admin service that SOAPAction names, as the one who calls."""

    name = "zato.admin.over-soap"

    def handle(self) -> None:
        try:
            identity = self.identify()
        except Unauthorized as exc:
            raise Unauthorized(exc.message, challenge=CHALLENGE) from exc
        headers = self.request.http.headers if self.request.http is not None else {}
        entry = self.entry_of(headers.get("soapaction", "").strip().strip('"'))
        values = read_request(self.request.payload, entry)
        payload = self.invoke_as(identity, entry, lambda: values, "dict")
        self.response.payload = make_response(entry.name, self.cid, payload)


def read_request(element: Any, entry: ServiceEntry) -> dict[str, Any]:
    """
    Return the input that an element has, with values of the types that the service declares.

    Raises:
        BadRequest: It is the request of another service, or a value is none of its type.
    """
    wanted = f"{element_name(entry.name)}_request"
    found = etree.QName(element).localname if isinstance(element, etree._Element) else ""
    if found != wanted:
        raise BadRequest(f"SOAPAction names {entry.name}, whose envelope has {wanted} in its Body, not {found or 'nothing'}")
    takes: Schema = entry.cls.action.describe().takes if issubclass(entry.cls, AdminService) else {}
    made = _structure(element, takes, "", 0)
    return made if isinstance(made, dict) else {}


def _structure(element: Any, schema: Schema, where: str, depth: int) -> dict[str, Any]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    made: dict[str, Any] = {}
    for child in element.iterchildren(tag=etree.Element):
        name = etree.QName(child).localname
        value = _value(child, properties.get(name, {}), f"{where}/{name}", depth + 1)
        if value is not _NOT_GIVEN:
            made[name] = value
    return made


_NOT_GIVEN: Any = object()


def _value(element: Any, schema: Schema, where: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise BadRequest(f"{where} is too deep")
    given = schema.get("type", "string")
    types = given if isinstance(given, list) else [given]
    text = (element.text or "").strip()
    if element.get(_NIL, "").lower() in ("true", "1"):
        return None
    if "array" in types:
        items = [_value(child, schema.get("items", {}), where, depth + 1) for child in element.iterchildren(tag=etree.Element)]
        return items or ([text] if text else [])
    if "object" in types or element.countchildren():
        return _structure(element, schema, where, depth)
    if "string" in types:
        return element.text or ""
    return _scalar(text, types, where) if text else _NOT_GIVEN


def _scalar(text: str, types: list[str], where: str) -> Any:
    try:
        if "boolean" in types:
            return _FLAGS[text.lower()]
        return int(text) if "integer" in types else float(text)
    except (KeyError, ValueError):
        wanted = "true or false" if "boolean" in types else "a whole number" if "integer" in types else "a number"
        raise BadRequest(f"'{where.removeprefix('/')}' takes {wanted}, not '{text:.40}'") from None


def make_response(service: str, cid: str, payload: Any) -> Any:
    """Return the element that answers: `item` of one thing, `item_list` of many, and of a page of them `_meta` beside it."""
    # The types of lxml know no default namespace.
    nsmap: Any = {None: DEFAULT_NAMESPACE}
    root = etree.Element(_tag(f"{element_name(service)}_response"), nsmap=nsmap)
    env = etree.SubElement(root, _tag("zato_env"))
    _fill(env, {"cid": cid, "result": "ZATO_OK"})
    is_page = isinstance(payload, Mapping) and "_meta" in payload
    if is_page or isinstance(payload, list):
        _fill(etree.SubElement(root, _tag("item_list")), payload["data"] if is_page else payload)
        _fill(root, {"_meta": payload["_meta"]} if is_page else {})
    elif payload:
        _fill(etree.SubElement(root, _tag(_ITEM)), payload)
    return root


def _fill(element: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, each in value.items():
            # What is no name of an element, e.g. the path of a URL, is told beside it.
            is_name = _NAME.fullmatch(str(name)) is not None
            child = etree.SubElement(element, _tag(str(name) if is_name else _ITEM))
            if not is_name:
                child.set("name", _UNSENDABLE.sub("\ufffd", str(name)))
            _fill(child, each)
    elif isinstance(value, list | tuple):
        for each in value:
            _fill(etree.SubElement(element, _tag(_ITEM)), each)
    elif value is not None:
        element.text = str(value).lower() if isinstance(value, bool) else _UNSENDABLE.sub("\ufffd", str(value))


def _tag(name: str) -> str:
    return f"{{{DEFAULT_NAMESPACE}}}{name}"


def soap_api_channel() -> Channel:
    made = SOAPChannelOptions(url_path=PATH, service=AdminOverSOAP.name, max_body_bytes=MOST_BODY_BYTES)
    return compile_channel(AdminOverSOAP.name, made, None)
