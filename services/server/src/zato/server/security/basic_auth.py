"""HTTP Basic Auth (RFC 7617)."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.limit_options import definition_option, is_active_option, type_option
from zato.server.http.rate_limits import parse_rules
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import basic_credentials, digest, is_same, quoted
from zato.server.security.passwords import PasswordCheck, is_hash, kept_as_hash, kept_secret

if TYPE_CHECKING:
    from zato.server.http.request import Request


@options
class BasicAuthOptions:
    """A user name and a password, sent with each request."""

    username: str = option("Name that the caller gives")
    realm: str = option("What the credentials are for, shown by clients that ask for them", default="API")
    password: str = option("Password that the caller gives; a random one that nobody knows when empty", default="", secret=True)
    storage: str = option(
        "How the password is kept. encrypted: outgoing connections can send it too; hashed: it can only be checked",
        default="encrypted",
        choices=("encrypted", "hashed"),
    )
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        parse_rules(self.rate_limit_def)
        if ":" in self.username or not self.username or not self.username.isprintable():
            raise ValueError("'username' takes a printable text without a colon, which separates it from the password")
        if not self.realm.isprintable():
            raise ValueError("'realm' takes printable text")

    @property
    def is_hashed(self) -> bool:
        return self.storage == "hashed"

    def stored_after(self, stored: Self | None) -> Self:
        """Return what is kept of these options where `stored` is kept now."""
        kept = stored.password if stored is not None else ""
        was_hashed = stored is not None and stored.is_hashed
        if self.is_hashed:
            password = kept_as_hash(self.password, kept) if was_hashed else kept_as_hash(self.password or kept, "")
        elif was_hashed and self.password in ("", kept):
            raise ValueError("'password' has to be given anew: what is kept now is a hash, which can't be turned back")
        else:
            password = kept_secret(self.password, kept)
        return dataclasses.replace(self, password=password)


KIND = Kind("security-basic-auth", "HTTP Basic Auth", BasicAuthOptions, unique=("username",))


def make_verifier(name: str, definition: BasicAuthOptions) -> Verifier:
    challenge = f'Basic realm={quoted(definition.realm)}, charset="UTF-8"'
    identity = Identity(name, KIND.name, definition.username)
    is_right = _hashed(definition) if definition.is_hashed and is_hash(definition.password) else _plain(definition)

    def verify(request: "Request") -> Identity:
        given = basic_credentials(request)
        if not is_right(given):
            reason = "wrong user name or password" if given else "no credentials of the scheme Basic"
            message = "The request needs a valid user name and password"
            raise BadCredentials(message, challenge, definition=name, reason=reason)
        return identity

    return verify


def _plain(definition: BasicAuthOptions) -> Callable[[bytes], bool]:
    """Clients send UTF-8, as the challenge asks for, or Latin-1, as older ones do."""
    if not definition.password:
        return lambda _given: False
    text = f"{definition.username}:{definition.password}"
    expected = digest(text.encode())
    older = digest(text.encode("latin-1")) if _is_latin_1(text) else expected
    return lambda given: is_same(given, expected) or is_same(given, older)


def _hashed(definition: BasicAuthOptions) -> Callable[[bytes], bool]:
    username = digest(definition.username.encode())
    check = PasswordCheck(definition.password)

    def is_right(given: bytes) -> bool:
        given_name, separator, password = given.partition(b":")
        # The password of another user is checked as well, so that times don't tell which names exist.
        is_password = check.is_right(password)
        return is_same(given_name, username) and is_password and bool(separator)

    return is_right


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)
