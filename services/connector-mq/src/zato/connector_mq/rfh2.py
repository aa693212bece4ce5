"""
The header MQRFH2, in which messages of JMS have what IBM MQ's own descriptor has no place for.

    mcd     what sort of message it is: <mcd><Msd>jms_text</Msd><Type>order</Type></mcd>
    jms     its headers: <jms><Dst>queue:///ORDERS</Dst><Cid>…</Cid><Pri>5</Pri></jms>
    usr     its properties, with their types: <usr><count dt="i4">3</count></usr>

Folders are texts of XML, each after its length and filled up with spaces to a multiple of four.
"""

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

STRUC_ID = b"RFH "
FIXED_LENGTH = 36
FORMAT_NAME = b"MQHRF2  "
UTF_8 = 1208
_NATIVE_ENCODING = 546
# The bit of an encoding that says that whole numbers are the other way round: least significant byte first.
_REVERSED = 0x02
_INTEGERS = {"i1": 8, "i2": 16, "i4": 32, "i8": 64, "int": 64}
_LONGEST_FOLDER = 4_000_000
_NIL = re.compile(r"(<[^<>]*) xsi:nil=")


class BadHeader(ValueError):
    """What should be an MQRFH2 is none."""


@dataclass(frozen=True, slots=True)
class Header:
    """
    Args:
        format: Of what follows the header, e.g. "MQSTR".
        encoding, ccsid: Of what follows the header.
        folders: By their names, e.g. {"usr": {"count": 3}}. Values as text, except those of `usr`, which have types.
    """

    format: str = ""
    encoding: int = _NATIVE_ENCODING
    ccsid: int = UTF_8
    folders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build(header: Header) -> bytes:
    """Return it as it stands before a body, its numbers with the least significant byte first (encoding 546)."""
    parts = [_folder(name, values) for name, values in header.folders.items()]
    folders = b"".join(struct.pack("<i", len(part)) + part for part in parts)
    fixed = struct.pack(
        "<4siiii8sii",
        STRUC_ID,
        2,
        FIXED_LENGTH + len(folders),
        header.encoding,
        header.ccsid,
        header.format.encode().ljust(8)[:8],
        0,
        UTF_8,
    )
    return fixed + folders


def _folder(name: str, values: Mapping[str, Any]) -> bytes:
    inside = "".join(_element(key, value, is_typed=name == "usr") for key, value in values.items())
    text = f"<{name}>{inside}</{name}>".encode()
    return text + b" " * (-len(text) % 4)


def _element(name: str, value: Any, *, is_typed: bool) -> str:
    kind, text = _typed(value)
    marked = f' dt="{kind}"' if is_typed and kind else ""
    return f"<{name}{marked}>{escape(text)}</{name}>"


def _typed(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", "1" if value else "0"
    if isinstance(value, int):
        return ("i4" if -(2**31) <= value < 2**31 else "i8"), str(value)
    if isinstance(value, float):
        return "r8", repr(value)
    return "", str(value)


def parse(content: bytes, encoding: int) -> tuple[Header, bytes]:
    """
    Return the header at the beginning, and what follows it.

    Args:
        encoding: Of the header's own numbers: the descriptor's, or of the header before.

    Raises:
        BadHeader: Says what is wrong.
    """
    order = "<" if encoding & _REVERSED else ">"
    if content[:4] != STRUC_ID or len(content) < FIXED_LENGTH:
        raise BadHeader("it does not begin as an MQRFH2 does")
    version, length, inner_encoding, ccsid = struct.unpack_from(f"{order}4i", content, 4)
    if version != 2 or not FIXED_LENGTH <= length <= len(content):
        raise BadHeader(f"version {version}, length {length:,} of {len(content):,}")
    (name_value_ccsid,) = struct.unpack_from(f"{order}i", content, 32)
    folders = _folders(content[FIXED_LENGTH:length], order, _codec(name_value_ccsid, order))
    name = content[20:28].decode("ascii", "replace").rstrip(" \0")
    return Header(name, inner_encoding or encoding, ccsid, folders), content[length:]


def _codec(ccsid: int, order: str) -> str:
    return {1200: "utf-16-le" if order == "<" else "utf-16-be", 13488: "utf-16-be"}.get(ccsid, "utf-8")


def _folders(content: bytes, order: str, codec: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    at = 0
    while at < len(content):
        if at + 4 > len(content):
            raise BadHeader("its last folder has no length")
        (length,) = struct.unpack_from(f"{order}i", content, at)
        at += 4
        if not 0 <= length <= min(len(content) - at, _LONGEST_FOLDER):
            raise BadHeader(f"a folder of {length:,} bytes where {len(content) - at:,} are left")
        name, values = _values(content[at : at + length], codec)
        found.setdefault(name, {}).update(values)
        at += length
    return found


def _values(content: bytes, codec: str) -> tuple[str, dict[str, Any]]:
    try:
        text = content.decode(codec).rstrip(" \0")
    except UnicodeDecodeError as exc:
        raise BadHeader(f"a folder that is no text: {exc}") from exc
    if "<!" in text:
        raise BadHeader("a folder with declarations, of which an XML parser would make who knows what")
    try:
        # Those of JMS have xsi:nil without saying what xsi stands for. Without declarations there is nothing to expand.
        root = ElementTree.fromstring(_NIL.sub(r"\1 nil=", text))  # noqa: S314  # nosec B314
    except ElementTree.ParseError as exc:
        raise BadHeader(f"a folder that is no XML: {exc}") from exc
    return root.tag, {each.tag: _value(each) for each in root if len(each) == 0}


def _value(element: ElementTree.Element) -> Any:
    kind, text = element.get("dt", "string"), element.text or ""
    if element.get("nil") == "true":
        return None
    try:
        if kind == "boolean":
            return text.strip().lower() in ("1", "true")
        if kind in _INTEGERS:
            return _whole(text, _INTEGERS[kind])
        if kind in ("r4", "r8"):
            number = float(text)
            return number if math.isfinite(number) else text
    except ValueError as exc:
        raise BadHeader(f"'{element.tag:.100}' is said to be of the type {kind}, and is {text!r:.80}") from exc
    return text


def _whole(text: str, bits: int) -> int:
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError("out of its range")
    return number
