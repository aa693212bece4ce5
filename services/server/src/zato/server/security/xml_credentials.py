"""Credentials in an XML body. Whoever sends one that can't be read is told the same as anybody without credentials."""

from typing import Any

from lxml import etree

from zato.common.errors import BadRequest
from zato.server.http.formats import load_xml


def parse_body(body: bytes) -> Any:
    """Return the document's root, or None when there is none or it is not acceptable."""
    if not body:
        return None
    try:
        return load_xml(body)
    except BadRequest:
        return None


def text_of(found: Any) -> str:
    """Return the text of what an expression found; "" unless it is exactly one element, attribute or text."""
    if isinstance(found, list):
        if len(found) != 1:
            return ""
        found = found[0]
    if isinstance(found, etree._Element):
        # Not of an element with others inside: what is its text then nobody can say.
        return (found.text or "").strip() if has_only_text(found) else ""
    return str(found).strip() if isinstance(found, str) else ""


def has_only_text(element: etree._Element) -> bool:
    # Not by len(): of an objectified element that is how many of its name there are.
    return next(element.iterchildren(), None) is None
