"""Technical accounts: the definition's own name and a password, in two headers. The form of the platform's first releases."""

import dataclasses
from typing import TYPE_CHECKING, Self

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import digest, is_same, single_header
from zato.server.security.passwords import PasswordCheck, kept_as_hash

if TYPE_CHECKING:
    from zato.server.http.request import Request

_CHALLENGE = "zato-tech-acc"


@options
class TechAccountOptions:
    """The caller sends the definition's name in X-Zato-User and the password in X-Zato-Password."""

    password: str = option(
        "Password that the caller gives, kept as a hash; a random one that nobody knows when empty", default="", secret=True
    )

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, password=kept_as_hash(self.password, stored.password if stored else ""))


KIND = Kind("security-tech-account", "Technical account", TechAccountOptions)


def make_verifier(name: str, definition: TechAccountOptions) -> Verifier:
    expected_name = digest(name.encode())
    check = PasswordCheck(definition.password)
    identity = Identity(name, KIND.name, name)

    def verify(request: "Request") -> Identity:
        password = single_header(request, b"x-zato-password")
        is_right = bool(password) and check.is_right(password)
        if not is_same(single_header(request, b"x-zato-user"), expected_name) or not is_right:
            reason = "wrong name or password" if password else "no password, or more than one"
            message = "The request needs a valid name and password in the headers X-Zato-User and X-Zato-Password"
            raise BadCredentials(message, _CHALLENGE, definition=name, reason=reason)
        return identity

    return verify
