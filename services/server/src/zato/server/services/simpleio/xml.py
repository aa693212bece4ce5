"""Between XML elements and what elements of SimpleIO hold. Documents arrive parsed, by the channel's hardened parser."""

from collections.abc import Mapping
from typing import Any

from lxml import etree

from zato.common.conversions import Unfit

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_LONGEST_NESTING = 100


def is_element(value: Any) -> bool:
    return isinstance(value, etree._Element)


def local_name(element: Any) -> str:
    """Return the name without its namespace."""
    name: str = etree.QName(element).localname
    return name


def children_of(element: Any) -> list[Any]:
    """Return the elements inside, without comments and processing instructions, whose tags are no text."""
    return [child for child in element.iterchildren() if isinstance(child.tag, str)]


def leaf_text(element: Any) -> str | None:
    """Return the text of an element that has no others inside, None when it is nil. Raises Unfit when it has."""
    if element.get(_NIL) in ("true", "1"):
        return None
    if children_of(element):
        raise Unfit("a text, without elements inside")
    return "".join(element.xpath("text()"))


def find_request(root: Any, request_elem: str) -> Any:
    """Return the element that holds the input: of that name, the root or inside it; the root when there is none."""
    if local_name(root) == request_elem:
        return root
    return next((child for child in children_of(root) if local_name(child) == request_elem), root)


def as_plain(element: Any, depth: int = 0) -> Any:
    """Return an element as JSON would have it: text, or an object of what is inside, with lists of what is repeated."""
    inside = children_of(element)
    if not inside:
        return leaf_text(element)
    if depth > _LONGEST_NESTING:
        raise Unfit("less depth")
    values: dict[str, list[Any]] = {}
    for child in inside:
        values.setdefault(local_name(child), []).append(as_plain(child, depth + 1))
    if set(values) == {"item"}:
        return values["item"]
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def by_name(element: Any) -> Mapping[str, list[Any]]:
    """Return the elements inside, by their names."""
    found: dict[str, list[Any]] = {}
    for child in children_of(element):
        found.setdefault(local_name(child), []).append(child)
    return found
