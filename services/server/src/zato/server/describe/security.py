"""Security definitions as OpenAPI's security schemes."""

from collections.abc import Callable, Mapping
from typing import Any

from zato.server.control.state import ConfigObject
from zato.server.describe.schemas import Schema
from zato.server.security import api_key, basic_auth, jwt, jwt_issuer, oauth, tech_account, tls_channel

# The names of the schemes that a definition becomes, all of which a caller has to satisfy; and the schemes.
Schemes = Mapping[str, Schema]


def schemes_of(definition: ConfigObject) -> Schemes:
    """
    Return the schemes that callers have to satisfy together; nothing for a definition that OpenAPI has no form for, as
    for what is sent inside the body: WS-Security and XPath.
    """
    make = _SCHEMES.get(definition.kind)
    return {} if make is None else make(definition.name, definition.options)


def _one(**scheme: str) -> Callable[[str, Any], Schemes]:
    return lambda name, _options: {scheme_name(name): dict(scheme)}


def _api_key(name: str, options: Any) -> Schemes:
    return {scheme_name(name): {"type": "apiKey", "in": "header", "name": options.header}}


def _tech_account(name: str, _options: Any) -> Schemes:
    made = scheme_name(name)
    return {
        f"{made}.user": {"type": "apiKey", "in": "header", "name": "X-Zato-User", "description": f"Takes {name}"},
        f"{made}.password": {"type": "apiKey", "in": "header", "name": "X-Zato-Password"},
    }


def scheme_name(name: str) -> str:
    """Names of components have letters, digits, '.', '-' and '_' only; two definitions stay two."""
    return "".join(each if each.isascii() and (each.isalnum() or each in ".-") else f"_{ord(each):x}_" for each in name)


_SCHEMES: Mapping[str, Callable[[str, Any], Schemes]] = {
    basic_auth.KIND.name: _one(type="http", scheme="basic"),
    api_key.KIND.name: _api_key,
    jwt.KIND.name: _one(type="http", scheme="bearer", description="A token of /zato/jwt/log-in"),
    jwt_issuer.KIND.name: _one(type="http", scheme="bearer", bearerFormat="JWT", description="A token of its issuer"),
    oauth.KIND.name: _one(type="http", scheme="OAuth", description="OAuth 1.0: requests are signed (RFC 5849)"),
    tech_account.KIND.name: _tech_account,
    tls_channel.KIND.name: _one(type="mutualTLS", description="A client certificate with the agreed fields"),
}
