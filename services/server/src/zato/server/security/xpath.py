"""Credentials anywhere in an XML body, found by XPath expressions."""

import dataclasses
import secrets
from typing import TYPE_CHECKING, Any, Self

from lxml import etree

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import digest, is_same
from zato.server.security.passwords import kept_secret
from zato.server.security.xml_credentials import parse_body, text_of

if TYPE_CHECKING:
    from zato.server.http.request import Request

_CHALLENGE = "zato-xpath"


@options
class XPathOptions:
    """A user name, and a password if there is an expression for it, inside the XML that the caller sends."""

    username: str = option("Name that the caller gives")
    password: str = option("Password that the caller gives; a random one that nobody knows when empty", default="", secret=True)
    username_expr: str = option("Where the name is, e.g. //*[local-name()='user']")
    password_expr: str = option("Where the password is; none is checked when empty", default="")

    def __post_init__(self) -> None:
        if not self.username:
            raise ValueError("'username' must not be empty")
        for name in ("username_expr", "password_expr"):
            expression = getattr(self, name)
            if expression or name == "username_expr":
                _compile(name, expression)

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, password=kept_secret(self.password, stored.password if stored else ""))


KIND = Kind("security-xpath", "XPath", XPathOptions)


def make_verifier(name: str, definition: XPathOptions) -> Verifier:
    identity = Identity(name, KIND.name, definition.username)
    expected = [(_compile("username_expr", definition.username_expr), digest(definition.username.encode()))]
    if definition.password_expr:
        password = definition.password or secrets.token_urlsafe(32)
        expected.append((_compile("password_expr", definition.password_expr), digest(password.encode())))

    def verify(request: "Request") -> Identity:
        root = parse_body(request.body)
        given = [] if root is None else [(_found(expression, root), value) for expression, value in expected]
        if not given or not all(is_same(text.encode(), value) for text, value in given):
            reason = "wrong user name or password" if given else "no acceptable XML"
            message = "The request needs a valid user name and password in its body"
            raise BadCredentials(message, _CHALLENGE, definition=name, reason=reason)
        return identity

    return verify


def _compile(option_name: str, expression: str) -> etree.XPath:
    try:
        # Without EXSLT's regular expressions, which the text of a stranger could keep busy.
        return etree.XPath(expression, regexp=False)
    except etree.XPathError as exc:
        raise ValueError(f"'{option_name}' takes an XPath expression, not {expression!r:.120}: {exc}") from None


def _found(expression: etree.XPath, root: Any) -> str:
    try:
        return text_of(expression(root))
    except etree.XPathError:
        return ""
