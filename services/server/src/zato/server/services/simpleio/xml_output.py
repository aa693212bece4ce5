"""Output as an XML document."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lxml import etree

from zato.common.conversions import Unfit, to_text
from zato.server.services.simpleio.declaration import DEFAULT_WRAPPER, Declaration
from zato.server.services.simpleio.xml import is_element

if TYPE_CHECKING:
    from zato.server.services.reqresp import ServiceResponse


def document(declared: Declaration, records: Any, response: "ServiceResponse", cid: str) -> Any:
    """
    Return the document's root, or its bytes when they are not the usual ones.

    Raises:
        Unfit: A value has no form in XML.
    """
    namespace = declared.xml["namespace"]
    write = _Writer(f"{{{namespace}}}" if namespace else "", _shapes(declared))
    root = write.root(declared.response_elem or DEFAULT_WRAPPER, namespace)
    if declared.output.is_plain_form:
        write.environment(root, response, cid)
        write.items(root, records)
    else:
        write.records(root, records)
    if declared.xml["pretty_print"]:
        etree.indent(root)
    encoding, has_declaration = declared.xml["encoding"], bool(declared.xml["declaration"])
    if encoding.upper() == "UTF-8" and has_declaration:
        return root
    response.content_type = response.content_type or f"application/xml; charset={encoding}"
    return etree.tostring(root, encoding=encoding, xml_declaration=has_declaration)


def _shapes(declared: Declaration) -> Mapping[str, str]:
    return {element.name: element.xml_shape for element in declared.output.elements}


class _Writer:
    def __init__(self, namespace: str, shapes: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._shapes = shapes

    def root(self, name: str, namespace: str) -> Any:
        try:
            # None is the namespace that needs no prefix, which the stubs do not know.
            return etree.Element(f"{self._namespace}{name}", nsmap={None: namespace} if namespace else None)  # type: ignore[dict-item]
        except ValueError:
            raise Unfit("a response element and a namespace that XML has a form for") from None

    def environment(self, root: Any, response: "ServiceResponse", cid: str) -> None:
        """What the earlier generation says about each answer, beside it."""
        env = self._child(root, "zato_env")
        self._value(self._child(env, "cid"), cid)
        self._value(self._child(env, "result"), response.result)
        if response.result_details:
            self._value(self._child(env, "details"), response.result_details)

    def items(self, root: Any, records: Any) -> None:
        if isinstance(records, list):
            parent = self._child(root, "item_list")
            for record in records:
                self._record(self._child(parent, "item"), record)
        else:
            self._record(self._child(root, "item"), records)

    def records(self, root: Any, records: Any) -> None:
        if isinstance(records, list):
            for record in records:
                self._record(self._child(root, "item"), record)
        else:
            self._record(root, records)

    def _record(self, parent: Any, record: Any) -> None:
        for name, value in record.items():
            try:
                element = self._child(parent, name)
                self._shaped(element, value, self._shapes.get(name, "value"))
            except Unfit as unfit:
                raise unfit.inside(f"/{name}") from None

    def _shaped(self, element: Any, value: Any, shape: str) -> None:
        if shape == "dict" and isinstance(value, Mapping):
            self._pairs(element, value)
        elif shape == "dict-list" and isinstance(value, list):
            for part in value:
                self._pairs(self._child(element, "dict"), part)
        else:
            self._value(element, value)

    def _pairs(self, element: Any, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            item = self._child(element, "item")
            self._value(self._child(item, "key"), key)
            self._value(self._child(item, "value"), value)

    def _value(self, element: Any, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, part in value.items():
                self._value(self._child(element, str(key)), part)
        elif isinstance(value, list | tuple):
            for part in value:
                self._value(self._child(element, "item"), part)
        elif isinstance(value, bool):
            element.text = str(value).lower()
        elif is_element(value):
            element.append(copy.deepcopy(value))
        elif value is not None:
            try:
                element.text = to_text(value)
            except ValueError:
                raise Unfit("what XML has a form for") from None

    def _child(self, parent: Any, name: str) -> Any:
        try:
            return etree.SubElement(parent, f"{self._namespace}{name}")
        except ValueError:
            raise Unfit("names that XML has a form for") from None
