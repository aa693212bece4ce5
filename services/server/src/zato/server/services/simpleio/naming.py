"""What a plain name stands for: text, or, when the name says so, an integer or a boolean."""

from decimal import Decimal
from typing import Any

from zato.common import conversions
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.element import OPTIONAL_MARK, ForceType
from zato.server.services.simpleio.scalars import Bool, Int, Secret

_NUMBERS = (int, float, Decimal)


class Untyped(ForceType):
    """
    A plain name: numbers become text, and the rest stays what it is: true and false, lists, objects, uploaded files, and
    whatever services hand to one another.
    """

    exact = str
    converts_output = False

    def from_json(self, value: Any) -> Any:
        is_number = isinstance(value, _NUMBERS) and not isinstance(value, bool)
        return conversions.to_text(value) if is_number else value


class IntByName(Int):
    """Takes integers only. Services send what they like: that of others, who knows what they call `id`, stays as it is."""

    converts_output = False


class BoolByName(Bool):
    converts_output = False


def typed_by_name(name: str) -> ForceType:
    """Return the element of a plain name: `customer_id` and `page_size` are integers, `is_active` is a boolean."""
    plain = name.removeprefix(OPTIONAL_MARK)
    rules = defaults.current()
    if rules.secrets.covers(plain):
        return Secret(name)
    if rules.integers.covers(plain):
        return IntByName(name)
    return BoolByName(name) if rules.booleans.covers(plain) else Untyped(name)


def as_element(declared: Any) -> ForceType:
    """Raises ValueError, with what is wrong, for what is neither a name nor an element."""
    if isinstance(declared, ForceType):
        return declared
    if isinstance(declared, str):
        if declared != declared.strip() or "," in declared:
            raise ValueError(f"{declared!r} is no element's name: several are written as a tuple, e.g. ('a', 'b')")
        return typed_by_name(declared)
    if isinstance(declared, type):
        example = declared.__name__ if issubclass(declared, ForceType) else "Text"
        raise ValueError(f"{declared.__name__} is no element: elements have a name, e.g. {example}('customer')")
    raise ValueError(f"{declared!r} is no element: take a name, e.g. 'customer', or an element, e.g. Int('size')")
