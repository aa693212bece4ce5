"""Forms and query strings: urlencoded, and multipart with files."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from zato.common.errors import BadRequest, PayloadTooLarge

# It warns of each form that it can't read, and raises besides: once is enough.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_MAX_FIELDS = 1000
# Undoing an escape takes the standard library 0.4 µs, and nothing else can run meanwhile: files come as multipart.
_MAX_ESCAPES = 250_000
_MAX_PART_HEADER_BYTES = 8190
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """
    One file of a multipart form.

    Args:
        name: Of the form's field.
        file_name: What the client calls it. Never a path to write to.
        content_type: What the client says it is.
    """

    name: str
    file_name: str
    content_type: str
    data: bytes = field(repr=False)


def load_form(text: str) -> dict[str, Any]:
    """
    Return the fields of a form or a query string; a name that is repeated has a list.

    Raises:
        BadRequest: It has more than 1,000 fields, text that is not UTF-8, or NUL.
        PayloadTooLarge: It has more escapes than can be undone without keeping others waiting.
    """
    if len(text) > _MAX_ESCAPES and text.count("%") > _MAX_ESCAPES:
        raise PayloadTooLarge(f"The form has more than {_MAX_ESCAPES:,} percent-encoded bytes: send it as {MULTIPART}")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except (ValueError, UnicodeDecodeError) as exc:
        raise BadRequest(f"The query string or form is not acceptable: {exc}") from exc
    return _collect(pairs)


def load_multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """
    Return the fields of a multipart form: text, or `UploadedFile` of those that have a file name.

    Raises:
        BadRequest: It does not follow RFC 7578, has too many parts, or text that is not UTF-8.
    """
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadRequest("The Content-Type of a multipart form has to have a boundary of 1 to 70 characters")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks(), max_header_size=_MAX_PART_HEADER_BYTES)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except MultipartParseError as exc:
        raise BadRequest(f"The multipart form can't be read: {exc}") from exc
    if not parts.is_ended:
        raise BadRequest("The multipart form ends before its last boundary")
    return _collect(parts.fields)


def load_form_body(body: bytes, content_type: str) -> dict[str, Any]:
    """
    Return the fields of a request's body, none when its content type is not that of a form.

    Raises:
        BadRequest: It is said to be a form, and is none.
    """
    if not body:
        return {}
    if is_multipart(content_type):
        return load_multipart(body, content_type)
    return load_form(_text(body, "form")) if content_type[: len(URLENCODED)].lower() == URLENCODED else {}


def is_multipart(content_type: str) -> bool:
    return content_type[: len(MULTIPART)].lower() == MULTIPART


def _collect(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if "\0" in name or (isinstance(value, str) and "\0" in value):
            raise BadRequest("The query string or form has a NUL character, which is not accepted")
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


class _Parts:
    """Takes the parser's events. Each slice of the body is copied once."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, Any]] = []
        self.is_ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._data: list[bytes] = []

    def callbacks(self) -> Mapping[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_part_end": self._end,
            "on_end": self._end_all,
        }

    def _begin(self) -> None:
        if len(self.fields) >= _MAX_FIELDS:
            raise BadRequest(f"The multipart form has more than {_MAX_FIELDS:,} parts")
        self._headers = {}
        self._data = []

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        disposition, parameters = parse_options_header(self._headers.get(b"content-disposition", b""))
        if disposition.lower() != b"form-data" or b"name" not in parameters:
            raise BadRequest("Each part of a multipart form has to have a Content-Disposition of form-data, with a name")
        name, data = _text(parameters[b"name"]), b"".join(self._data)
        if b"filename" in parameters:
            content_type = self._headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
            self.fields.append((name, UploadedFile(name, _text(parameters[b"filename"]), content_type, data)))
        else:
            self.fields.append((name, _text(data)))

    def _end_all(self) -> None:
        self.is_ended = True


def _text(data: bytes, what: str = "multipart form") -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"The {what} has text that is not UTF-8: send it as a file") from None
