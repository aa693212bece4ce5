"""JSON pointers (RFC 6901) that are read and written in a document of dictionaries and lists."""

import copy
from typing import Any

from jsonpointer import JsonPointer, JsonPointerException

from zato.common.errors import BadRequest

_MISSING = object()
# A list is extended for a position beyond its end, but not by what may have been a typing mistake.
_MOST_ADDED = 10_000


def parse_pointer(text: str) -> JsonPointer:
    """Raises BadRequest for what is no JSON pointer."""
    try:
        return JsonPointer(text)
    except JsonPointerException:
        raise BadRequest(f"A JSON pointer begins with a slash and has ~0 for ~ and ~1 for a slash: {text!r:.120}") from None


def get_at(document: Any, pointer: JsonPointer, default: Any = None) -> Any:
    """Return what is there, `default` if nothing is."""
    try:
        found = pointer.resolve(document, _MISSING)
    except JsonPointerException:
        return default
    # "-" is the place after a list's end: nothing is there.
    return default if found is _MISSING or type(found).__name__ == "EndOfList" else found


def set_at(document: Any, pointer: JsonPointer, value: Any, *, in_place: bool = True) -> Any:
    """
    Put a value into a document and return the document.

    Parents that are missing are made: lists where the next part is a number or "-", dictionaries elsewhere.

    Args:
        in_place: False to leave the document as it is and return a changed copy.

    Raises:
        BadRequest: A parent is a value that has no parts, or the place is none of its list.
    """
    if not pointer.parts:
        return value
    made = document if in_place else copy.deepcopy(document)
    parent = made
    for part, following in zip(pointer.parts, pointer.parts[1:], strict=False):
        child = get_at(parent, JsonPointer.from_parts([part]))
        if child is None:
            child = [] if following == "-" or following.isdecimal() else {}
            _put(parent, part, child, pointer)
        parent = child
    _put(parent, pointer.parts[-1], value, pointer)
    return made


def _put(parent: Any, part: str, value: Any, pointer: JsonPointer) -> None:
    if isinstance(parent, dict):
        parent[part] = value
    elif isinstance(parent, list):
        index = len(parent) if part == "-" else int(part) if part.isdecimal() else -1
        if not 0 <= index <= len(parent) + _MOST_ADDED:
            raise BadRequest(f"'{part}' in {pointer.path} is no place in a list of {len(parent)}")
        parent.extend([None] * (index + 1 - len(parent)))
        parent[index] = value
    else:
        raise BadRequest(f"Nothing can be put at {pointer.path}: above '{part}' is a {type(parent).__name__}")
