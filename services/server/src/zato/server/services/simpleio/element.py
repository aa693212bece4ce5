"""The base of all elements."""

from typing import Any, ClassVar

from zato.server.services.simpleio.fields import NOT_GIVEN
from zato.server.services.simpleio.xml import leaf_text

OPTIONAL_MARK = "-"


class ForceType:
    """
    The base of all elements, and of those that users write: override `from_json` and `to_json`.

    Args:
        name: What it is called in the input or output. A leading dash makes it optional.
        default: What a missing one is. So an element with one is never missing, required or not.

    Attributes:
        exact: Values of exactly this class need no conversion.
        empty: What an empty text is, as it comes from forms and query strings. None is always None.
        xml_shape: How the value is laid out in XML: "value", "dict", "list" or "dict-list".
        is_secret: Whether its input is encrypted before the service sees it.
    """

    exact: ClassVar[type | None] = None
    empty: ClassVar[Any] = ""
    xml_shape: ClassVar[str] = "value"
    is_secret: ClassVar[bool] = False
    converts_output: ClassVar[bool] = True

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN, **kwargs: Any) -> None:
        if not isinstance(name, str) or not name.strip(f"{OPTIONAL_MARK} "):
            raise ValueError(f"an element takes a name, not {name!r}")
        if args or kwargs:
            what = ", ".join([*(repr(arg) for arg in args), *kwargs])
            raise ValueError(f"{type(self).__name__}({name!r}) takes a name and a default, not also {what}")
        self.is_optional = name.startswith(OPTIONAL_MARK)
        self.name = name.removeprefix(OPTIONAL_MARK)
        self.default = default

    def from_json(self, value: Any) -> Any:
        """Return what the service sees. Raises Unfit, or ValueError, for a value that is not taken. Never gets None or ""."""
        return value

    def to_json(self, value: Any) -> Any:
        """Return what is sent. Never gets None or ""."""
        return value

    def from_xml(self, element: Any) -> Any:
        """Return an XML element's value as JSON would have it; `from_json` gets it next."""
        return leaf_text(element)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ForceType):
            return self.name == other.name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"
