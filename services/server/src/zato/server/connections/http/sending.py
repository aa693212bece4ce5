"""What a call sends: address, headers and body, made of what the service passed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from urllib3.filepost import encode_multipart_formdata

from zato.common.errors import BadRequest
from zato.server.http import formats

_PARAMETER = re.compile(r"{([A-Za-z_]\w*)}")
_Params = Mapping[str, Any] | Iterable[tuple[str, Any]] | str | bytes | None


class MissingParameter(BadRequest, ValueError):
    """The path has a parameter that the service did not give."""


class Address:
    """
    Args:
        base: e.g. "https://crm.example.com".
        path: With parameters in braces.
    """

    def __init__(self, name: str, base: str, path: str) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._path = path
        self._placeholders = _PARAMETER.findall(path)

    def url(self, params: _Params = None) -> str:
        """
        Return the URL: what the path names is taken out of `params`, the others are the query, without those that are None.

        Raises:
            MissingParameter: Names those that the path needs.
        """
        if isinstance(params, str | bytes):
            return self._joined(self._path, params.decode() if isinstance(params, bytes) else params)
        pairs = list(params.items() if isinstance(params, Mapping) else params or ())
        by_name = dict(pairs)
        if missing := [name for name in self._placeholders if by_name.get(name) is None]:
            raise MissingParameter(f"Connection '{self._name}' needs {', '.join(missing)} among its params")
        path = _PARAMETER.sub(lambda match: quote(str(by_name[match[1]]), safe=""), self._path)
        rest = [(name, value) for name, value in pairs if name not in self._placeholders and value is not None]
        return self._joined(path, urlencode(rest, doseq=True))

    def for_ping(self) -> str:
        return self._base + _PARAMETER.sub("", self._path)

    def _joined(self, path: str, query: str) -> str:
        return f"{self._base}{path}{'&' if '?' in path else '?'}{query}" if query else self._base + path


def encode_body(data: Any, data_format: str) -> tuple[Any, str]:
    """
    Return the body and its Content-Type, "" where the data says nothing about it.

    A dict is sent as JSON or XML on a connection of that format, and as a form on any other.
    """
    if data in (None, "", b""):
        return None, ""
    if isinstance(data, bytes):
        return data, formats.CONTENT_TYPES[data_format] if data_format else ""
    if isinstance(data, str):
        return data.encode(), formats.CONTENT_TYPES[data_format] if data_format else ""
    if hasattr(data, "read"):
        return data, ""
    if data_format in ("json", "xml"):
        return formats.dump(data_format, data)
    if isinstance(data, Mapping):
        return urlencode(data, doseq=True).encode(), formats.CONTENT_TYPES["form"]
    return formats.dump("json", data)


def encode_files(files: Mapping[str, Any], data: Any) -> tuple[bytes, str]:
    """`files` by field: bytes, text, a file object, or a tuple of file name, one of these and Content-Type."""
    fields: dict[str, Any] = dict(data) if isinstance(data, Mapping) else {}
    for field, given in files.items():
        name, content, *content_type = given if isinstance(given, tuple) else (field, given)
        fields[field] = (name, content.read() if hasattr(content, "read") else content, *content_type)
    return encode_multipart_formdata(fields)


def clean_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return them as HTTP takes them: text as UTF-8, nothing for None."""
    return {name: _header(value) for name, value in headers.items() if value is not None}


def _header(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text if text.isascii() else text.encode().decode("latin-1")


def cid_header(cid: Any) -> str:
    """Services of the oldest generation pass their whole request as the first argument, which is the cid's place."""
    return "".join(character if character.isprintable() and character.isascii() else " " for character in str(cid))[:1000]
