"""
`self.msg`: parts of messages by names that are configured, so that no service knows how the messages look.

    names = self.msg.json_pointer(self.request.payload)
    city = names.get("customer-city")               # the object message-json-pointer of that name
    names.set("/customer/city", city.upper())       # or a pointer itself
"""

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from zato.common.errors import BadRequest, NotFound
from zato.server.control.state import Configuration
from zato.server.services.json_pointers import get_at, parse_pointer, set_at
from zato.server.services.mapper import Document, Mapper
from zato.server.services.message_kinds import JSON_POINTER, NAMESPACE, XPATH


class MessageFacade:
    """
    Args:
        current: Returns the configuration that runs now.
    """

    def __init__(self, current: Callable[[], Configuration]) -> None:
        self._current = current

    def json_pointer(self, document: Any) -> "JSONDocument":
        """Read and write dictionaries and lists."""
        return JSONDocument(document, lambda name: self._value(JSON_POINTER.name, name))

    def xpath(self, document: Any) -> "XMLDocument":
        """Read and write an lxml element, or XML as text or bytes."""
        configuration = self._current()
        namespaces = {each.name: each.options.value for each in configuration.of_kind(NAMESPACE.name) if each.is_active}
        return XMLDocument(document, lambda name: self._value(XPATH.name, name), namespaces)

    def mapper(self, source: Any, target: Any = None) -> Mapper:
        """Make one message of another: each is JSON or XML, as `json_pointer` and `xpath` take it; a dictionary by default."""
        return Mapper(self._document(source), self._document({} if target is None else target))

    def _document(self, message: Any) -> Document:
        is_xml = etree.iselement(message) or isinstance(message, bytes | str)
        return self.xpath(message) if is_xml else self.json_pointer(message)

    def _value(self, kind: str, name: str) -> str:
        """What has a slash is no name but the thing itself; so are the empty pointer, and whatever no object is called."""
        configuration = self._current()
        for each in configuration.of_kind(kind):
            if each.name == name and each.is_active:
                value: str = each.options.value
                return value
        if not name or "/" in name:
            return name
        raise NotFound(f"There is no {kind} named '{name}': create it, or write the expression itself", name=name)


class JSONDocument:
    def __init__(self, document: Any, resolve: Callable[[str], str]) -> None:
        self.document = document
        self._resolve = resolve

    def get(self, name: str, default: Any = None) -> Any:
        """Return what a pointer points to, `default` if there is nothing. Raises NotFound for an unknown name."""
        return get_at(self.document, parse_pointer(self._resolve(name)), default)

    def set(self, name: str, value: Any, return_on_missing: bool = False, in_place: bool = True) -> Any:
        """
        Put a value there, and return the document.

        Args:
            return_on_missing: Change nothing where there is nothing yet; else missing parents are made.
            in_place: False to leave the document as it is and return a changed copy.
        """
        pointer = parse_pointer(self._resolve(name))
        missing = object()
        if return_on_missing and get_at(self.document, pointer, missing) is missing:
            return self.document
        changed = set_at(self.document, pointer, value, in_place=in_place)
        if in_place:
            self.document = changed
        return changed


class XMLDocument:
    def __init__(self, document: Any, resolve: Callable[[str], str], namespaces: Mapping[str, str]) -> None:
        self.document = _element(document)
        self._resolve = resolve
        self._namespaces = dict(namespaces)

    def get(self, name: str, default: Any = None) -> Any:
        """
        Return what an expression finds: the text of an element without children, an attribute, a number, an element; a list
        when it finds several; `default` when it finds nothing.
        """
        found = self._find(name)
        if not isinstance(found, list):
            return found
        values = [_value_of(each) for each in found]
        return values[0] if len(values) == 1 else values or default

    def set(self, name: str, value: Any) -> Any:
        """
        Give all that an expression finds a text, or another element's place, and return the document.

        Raises:
            NotFound: It finds nothing.
        """
        found = self._find(name)
        if not isinstance(found, list) or not found:
            raise NotFound(f"Nothing is where '{name}' points in this message", name=name)
        for each in found:
            _write(each, value)
        return self.document

    def _find(self, name: str) -> Any:
        expression = self._resolve(name)
        try:
            return self.document.xpath(expression, namespaces=self._namespaces)
        except etree.XPathError as exc:
            raise BadRequest(f"The XPath expression {expression!r:.200} cannot be used here: {exc}") from exc


def _element(document: Any) -> Any:
    from zato.server.http import formats

    if etree.iselement(document):
        return document
    body = document.encode() if isinstance(document, str) else document
    return formats.load("xml", body)


def _value_of(found: Any) -> Any:
    if etree.iselement(found):
        return found if len(found) else (found.text or "")
    return str(found) if isinstance(found, str) else found


def _write(found: Any, value: Any) -> None:
    # What an expression ends in, text() or @name, is text that knows where it comes from.
    parent = found if etree.iselement(found) else getattr(found, "getparent", lambda: None)()
    if parent is None:
        raise BadRequest("Only elements, attributes and texts can be written")
    if getattr(found, "is_attribute", False):
        parent.set(found.attrname, str(value))
    elif getattr(found, "is_tail", False):
        parent.tail = str(value)
    elif etree.iselement(value):
        above = parent.getparent()
        if above is None:
            raise BadRequest("The outermost element cannot be replaced: make a new document")
        above.replace(parent, value)
    else:
        _set_text(parent, str(value))


def _set_text(element: Any, text: str) -> None:
    from lxml import objectify

    # Elements of XML channels are read-only in their text, and are written through their parents.
    if isinstance(element, objectify.ObjectifiedDataElement):
        element._setText(text)
    else:
        element.text = text
