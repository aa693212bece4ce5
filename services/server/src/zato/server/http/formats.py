"""Between bytes and payloads: JSON, XML, CSV, forms and plain text, behind one module."""

import csv
import io
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import orjson
from lxml import etree, objectify

from zato.common.errors import BadRequest, InternalError, PayloadTooLarge
from zato.common.models.model import as_plain
from zato.server.http.forms import is_multipart, load_multipart
from zato.server.http.forms import load_form as load_form

CONTENT_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
    "post": "application/x-www-form-urlencoded",
    "": "text/plain; charset=utf-8",
}
DATA_FORMATS = tuple(CONTENT_TYPES)
_FORMS = frozenset({"form", "post"})

# A body of millions of tiny values needs far more memory and time than its size tells: "[]," is 3 bytes on the wire and
# 64 in memory. Bodies too short to have that many are not looked at.
_MAX_VALUES = 1_000_000
_SIGNS: Mapping[str, tuple[bytes, ...]] = {"json": (b"[", b"{", b","), "xml": (b"<", b"=")}

# Models have defaults that orjson does not know of.
_JSON_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
_XML_ROOT = "response"
_XML_ITEM = "item"


def load_json(body: bytes) -> Any:
    """Raises BadRequest, with what is wrong and where, when `body` is not JSON. Integers are exact at any size."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"The request's body is not valid JSON: {exc}") from exc
    except RecursionError:
        raise BadRequest("The request's body is not acceptable JSON: it is nested too deeply") from None


def dump_json(payload: Any) -> bytes:
    """
    Raises InternalError when something in `payload` has no form in JSON: it is the service's fault, not the client's.
    """
    try:
        encoded = orjson.dumps(payload, default=_json_default, option=_JSON_OPTIONS)
        # orjson writes what is no number as null. Where there is no null there was none.
        if b"null" in encoded:
            _refuse_nan(payload)
        return encoded
    except TypeError as exc:
        if "64-bit" in str(exc):
            return _dump_large_integers(payload)
        raise InternalError(f"The service's response has no form in JSON: {exc}") from exc


def load_xml(body: bytes) -> Any:
    """
    Return an lxml.objectify root. No entity is expanded, no DTD read, no network used; a DOCTYPE is refused.

    Raises:
        BadRequest: It is not well-formed, or has a DOCTYPE.
    """
    parser = objectify.makeparser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_pis=True,
        remove_comments=True,
    )
    try:
        root = objectify.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise BadRequest(f"The request's body is not well-formed XML: {exc}") from exc
    if root.getroottree().docinfo.doctype:  # type: ignore[attr-defined]  # its stubs lack it
        raise BadRequest("The request's body has a DOCTYPE, which is not accepted: leave it out")
    return root


def dump_xml(payload: Any, root_name: str = _XML_ROOT) -> bytes:
    """
    Return `payload` as a document: keys become elements, values of lists become `item` elements of their key.

    Args:
        root_name: Of the outermost element. A payload that has this one key, and a structure under it, brings it along.
    """
    if isinstance(payload, etree._Element):
        return etree.tostring(payload, xml_declaration=True, encoding="UTF-8")
    if isinstance(payload, Mapping) and len(payload) == 1 and isinstance(payload.get(root_name), Mapping | list):
        payload = payload[root_name]
    root = etree.Element(root_name)
    try:
        _fill(root, payload)
    except (TypeError, ValueError) as exc:
        raise InternalError(f"The service's response has no form in XML: {exc}") from exc
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def dump_csv(payload: Any) -> bytes:
    """
    Return `payload` as CSV: a list of rows, each a list of values or a dictionary, whose keys then are the first row.

    Raises:
        InternalError: It is something else.
    """
    rows = [payload] if isinstance(payload, Mapping) else payload
    if not isinstance(rows, list | tuple) or not all(isinstance(row, list | tuple | Mapping) for row in rows):
        raise InternalError("The service's response has no form in CSV: it takes a list of rows, or text")
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    if rows and isinstance(rows[0], Mapping):
        names = list(rows[0])
        writer.writerow(names)
        rows = [[row.get(name, "") for name in names] if isinstance(row, Mapping) else row for row in rows]
    writer.writerows(rows)
    return target.getvalue().encode()


def load(data_format: str, body: bytes, content_type: str = "") -> Any:
    """
    Return the payload of a request's body. Without a data format, or without a body, it is the text as it came.

    Raises:
        BadRequest: It is not of the format.
        PayloadTooLarge: It has more values than are read at once.
    """
    if not body:
        return ""
    refuse_too_many_values(body, data_format)
    if data_format == "json":
        return load_json(body)
    if data_format == "xml":
        return load_xml(body)
    if data_format in _FORMS and is_multipart(content_type):
        return load_multipart(body, content_type)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        if data_format:
            raise BadRequest("The body is not UTF-8 text, which it has to be here") from None
        return body
    # Of CSV too: what its columns are called and how they are separated, only the service knows.
    return load_form(text) if data_format in _FORMS else text


def dump(data_format: str, payload: Any) -> tuple[bytes, str]:
    """Return a response's body and its content type. Text and bytes go out as they are."""
    if payload is None:
        return b"", CONTENT_TYPES[data_format]
    if isinstance(payload, bytes):
        return payload, CONTENT_TYPES[data_format]
    if isinstance(payload, str):
        return payload.encode(), CONTENT_TYPES[data_format]
    if isinstance(payload, etree._Element) or data_format == "xml":
        return dump_xml(payload), CONTENT_TYPES["xml"]
    if data_format == "csv":
        return dump_csv(payload), CONTENT_TYPES["csv"]
    return dump_json(payload), CONTENT_TYPES["json"]


def refuse_too_many_values(body: bytes, data_format: str) -> None:
    """Raises PayloadTooLarge. The signs that begin or separate values are counted, for speed in texts too."""
    if len(body) <= _MAX_VALUES:
        return
    signs = _SIGNS.get(data_format, ())
    count = 0
    for start in range(0, len(body), _MAX_VALUES):
        count += sum(body.count(sign, start, start + _MAX_VALUES) for sign in signs)
        if count > _MAX_VALUES:
            raise PayloadTooLarge(f"The body has more than {_MAX_VALUES:,} values, which is more than is read at once")


def _refuse_nan(payload: Any) -> None:
    """Raise TypeError when there is a float in `payload` that is no number."""
    if isinstance(payload, float) and not math.isfinite(payload):
        raise TypeError(f"float {payload}")
    if isinstance(payload, Mapping):
        payload = payload.values()
    elif not isinstance(payload, list | tuple | set | frozenset):
        return
    for value in payload:
        _refuse_nan(value)


def _dump_large_integers(payload: Any) -> bytes:
    """What orjson takes as numbers ends at 64 bits; the standard library's are exact at any size, and slower."""
    try:
        text = json.dumps(_plain(payload), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError) as exc:
        raise InternalError(f"The service's response has no form in JSON: {exc}") from exc


def _plain(value: Any) -> Any:
    """Return `value` with what only orjson knows, dates for one, as orjson writes it."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(_plain(key)): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | int | float):
        return value
    if hasattr(type(value), "__dataclass_fields__"):
        return _plain(as_plain(value))
    return orjson.loads(orjson.dumps(value, default=_json_default))


def _json_default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "__dataclass_fields__"):
        return as_plain(value)
    raise TypeError(f"{type(value).__name__} {value!r:.80}")


def _fill(element: Any, value: Any) -> None:
    if value is None:
        return
    if hasattr(type(value), "__dataclass_fields__"):
        value = as_plain(value)
    if isinstance(value, Mapping):
        for key, part in value.items():
            _fill(etree.SubElement(element, str(key)), part)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            _fill(etree.SubElement(element, _XML_ITEM), part)
    else:
        element.text = _xml_text(value)


def _xml_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} {value!r:.80}")
