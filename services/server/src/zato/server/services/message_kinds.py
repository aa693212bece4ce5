"""What `self.msg` knows by name: JSON pointers, XPath expressions, and the prefixes of XML namespaces that these use."""

from typing import Any

from zato.common.kinds import Kind
from zato.common.options import option, options


@options
class JSONPointerOptions:
    """Where something is in JSON messages, under a name that stays when the messages change."""

    value: str = option("A JSON pointer (RFC 6901), e.g. /customer/addresses/0/city")

    def __post_init__(self) -> None:
        if self.value and not self.value.startswith("/"):
            raise ValueError(f"'value' takes a JSON pointer, which begins with a slash, not {self.value!r:.120}")


@options
class XPathOptions:
    """Where something is in XML messages, under a name that stays when the messages change."""

    value: str = option("An XPath expression, e.g. //crm:customer/crm:name/text()")

    def __post_init__(self) -> None:
        _check_xpath(self.value)


@options
class NamespaceOptions:
    """An XML namespace. Its object's name is the prefix that XPath expressions give it."""

    value: str = option("The namespace, e.g. https://example.com/crm")


JSON_POINTER = Kind("message-json-pointer", "JSON pointer", JSONPointerOptions)
XPATH = Kind("message-xpath", "XPath expression", XPathOptions)
NAMESPACE = Kind("message-namespace", "XML namespace", NamespaceOptions)
KINDS = (JSON_POINTER, XPATH, NAMESPACE)


def _check_xpath(value: Any) -> None:
    from lxml import etree

    try:
        etree.XPath(value)
    except etree.XPathSyntaxError:
        raise ValueError(f"'value' takes an XPath expression, not {value!r:.120}") from None
