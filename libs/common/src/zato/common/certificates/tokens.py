"""Enrolment tokens: one line of text that a part is given, and that is all it needs to get its certificate."""

import base64
import binascii
import json
from dataclasses import dataclass, field

from zato.common.errors import BadRequest

_PREFIX = "zato-enrol-1."


@dataclass(frozen=True)
class EnrolmentToken:
    """
    Args:
        secret: Proves that the bearer was meant; used once unless it is reusable.
        name: Of the part that it is for.
        alternative_names: Where the part is found, to be asked for.
        enrol_address: host:port where tokens are taken.
        address: host:port where certificates are renewed.
        roots: The roots to trust while enrolling, PEM: who answers there has a certificate of one of them.
        is_reusable: For any number of parts, which may each add to the name.
    """

    secret: str = field(repr=False)
    name: str
    alternative_names: tuple[str, ...]
    enrol_address: str
    address: str
    roots: str
    is_reusable: bool = False

    def to_text(self) -> str:
        document: list[object] = [self.secret, self.name, self.alternative_names, self.enrol_address, self.address, self.roots]
        # Parts of the release before don't know a seventh, and need not, of a token that is used once.
        document += [True] * self.is_reusable
        return _PREFIX + base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def parse_token(text: str) -> EnrolmentToken:
    """Raises BadRequest, without the text, which is a secret."""
    text = text.strip()
    try:
        if not text.startswith(_PREFIX):
            raise ValueError
        encoded = text.removeprefix(_PREFIX)
        secret, name, names, enrol_address, address, roots, *more = json.loads(
            base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        )
        token = EnrolmentToken(secret, name, tuple(names), enrol_address, address, roots, is_reusable=more == [True])
        if not all(isinstance(value, str) for value in (secret, name, *token.alternative_names, enrol_address, address, roots)):
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise BadRequest(f"This is no enrolment token: give the whole line that 'zato ca token' prints, {_PREFIX}…") from None
    return token
