"""A mail that a service wrote, as it goes over the wire."""

import mimetypes
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid
from typing import Any

from zato.common.api import SMTPMessage
from zato.common.errors import ZatoError

Addresses = str | Iterable[str] | None


class BadMessage(ZatoError, ValueError):
    """A service made a mail that cannot be sent: nobody to send it to, or a header with a line break."""


def sender_of(message: SMTPMessage, from_: str | None = None) -> str:
    """Return the address alone, for the envelope. Raises BadMessage without one."""
    addresses = _plain(from_ or message.from_)
    if len(addresses) != 1:
        raise BadMessage("A mail needs one address in from_")
    return addresses[0]


def recipients_of(message: SMTPMessage) -> list[str]:
    """Return all addresses, each once. Raises BadMessage without any."""
    found = list(dict.fromkeys(_plain(message.to) + _plain(message.cc) + _plain(message.bcc)))
    if not found:
        raise BadMessage("A mail needs an address in to, cc or bcc")
    return found


def build(message: SMTPMessage, from_: str | None = None) -> EmailMessage:
    """
    Return it as it goes over the wire.

    Raises:
        BadMessage: A header has a line break, or the text does not fit the charset.
    """
    try:
        return _build(message, from_)
    except (ValueError, LookupError) as exc:
        raise BadMessage("The mail cannot be written: a header has a line break, or its text does not fit its charset") from exc


def _build(message: SMTPMessage, from_: str | None) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = from_ or message.from_
    for name, addresses in (("To", message.to), ("Cc", message.cc)):
        if text := _joined(addresses):
            made[name] = text
    made["Subject"] = message.subject
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid()
    for name, value in message.headers.items():
        del made[name]
        made[name] = value
    body = message.body.decode(message.charset) if isinstance(message.body, bytes) else message.body
    made.set_content(body, subtype="html" if message.is_html else "plain", charset=message.charset)
    for attachment in message.attachments:
        _add(made, attachment)
    return made


def _add(made: EmailMessage, attachment: Any) -> None:
    is_mapping = isinstance(attachment, Mapping)
    name, contents = (attachment["name"], attachment["contents"]) if is_mapping else (attachment.name, attachment.contents)
    guessed, encoding = mimetypes.guess_type(name)
    main, _, sub = (guessed if guessed and not encoding else "application/octet-stream").partition("/")
    data = contents.encode() if isinstance(contents, str) else bytes(contents)
    made.add_attachment(data, maintype=main, subtype=sub, filename=name)


def _joined(addresses: Addresses) -> str:
    return addresses if isinstance(addresses, str) else ", ".join(addresses or ())


def _plain(addresses: Addresses) -> list[str]:
    return [address for _, address in getaddresses([_joined(addresses)]) if "@" in address]
