"""A mail as services write it."""

import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid
from typing import Any

from zato.common.errors import ZatoError

Addresses = str | Iterable[str] | None


class BadMessage(ZatoError, ValueError):
    """A service made a mail that cannot be sent: nobody to send it to, or a header with a line break."""


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    contents: str | bytes


class SMTPMessage:
    """
    One mail.

    Args:
        from_, to, cc, bcc: Addresses, "Jane <jane@example.com>"; several as a list, or separated by commas.
        attachments: Each with `name` and `contents`, as a mapping or an object; `attach` adds one.
        headers: Added to those that we make.
        is_rfc2231: Taken since services pass it; names of attachments are always encoded like that.
    """

    def __init__(
        self,
        from_: str | None = None,
        to: Addresses = None,
        subject: str = "",
        body: str | bytes = "",
        attachments: Iterable[Any] | None = None,
        cc: Addresses = None,
        bcc: Addresses = None,
        is_html: bool = False,
        headers: Mapping[str, str] | None = None,
        charset: str = "utf8",
        is_rfc2231: bool = True,
    ) -> None:
        self.from_ = from_
        self.to = to
        self.subject = subject
        self.body = body
        self.attachments = list(attachments or ())
        self.cc = cc
        self.bcc = bcc
        self.is_html = is_html
        self.headers = dict(headers or {})
        self.charset = charset
        self.is_rfc2231 = is_rfc2231

    def attach(self, name: str, contents: str | bytes) -> None:
        self.attachments.append(Attachment(name, contents))

    def sender(self, from_: str | None = None) -> str:
        """The address alone, for the envelope. Raises BadMessage without one."""
        addresses = _plain(from_ or self.from_)
        if len(addresses) != 1:
            raise BadMessage("A mail needs one address in from_")
        return addresses[0]

    def recipients(self) -> list[str]:
        """All addresses, each once. Raises BadMessage without any."""
        found = list(dict.fromkeys(_plain(self.to) + _plain(self.cc) + _plain(self.bcc)))
        if not found:
            raise BadMessage("A mail needs an address in to, cc or bcc")
        return found

    def build(self, from_: str | None = None) -> EmailMessage:
        """
        Return it as it goes over the wire.

        Raises:
            BadMessage: A header has a line break, or the text does not fit the charset.
        """
        try:
            return self._build(from_)
        except (ValueError, LookupError) as exc:
            raise BadMessage(
                "The mail cannot be written: a header has a line break, or its text does not fit its charset"
            ) from exc

    def _build(self, from_: str | None) -> EmailMessage:
        made = EmailMessage(policy=SMTP)
        made["From"] = from_ or self.from_
        for name, addresses in (("To", self.to), ("Cc", self.cc)):
            if text := _joined(addresses):
                made[name] = text
        made["Subject"] = self.subject
        made["Date"] = formatdate()
        made["Message-ID"] = make_msgid()
        for name, value in self.headers.items():
            del made[name]
            made[name] = value
        body = self.body.decode(self.charset) if isinstance(self.body, bytes) else self.body
        made.set_content(body, subtype="html" if self.is_html else "plain", charset=self.charset)
        for attachment in self.attachments:
            _add(made, attachment)
        return made


def _add(made: EmailMessage, attachment: Any) -> None:
    given = attachment if isinstance(attachment, Mapping) else _fields(attachment)
    name, contents = given["name"], given["contents"]
    guessed, encoding = mimetypes.guess_type(name)
    main, _, sub = (guessed if guessed and not encoding else "application/octet-stream").partition("/")
    data = contents.encode() if isinstance(contents, str) else bytes(contents)
    made.add_attachment(data, maintype=main, subtype=sub, filename=name)


def _fields(attachment: Any) -> Mapping[str, Any]:
    return {"name": attachment.name, "contents": attachment.contents}


def _joined(addresses: Addresses) -> str:
    return addresses if isinstance(addresses, str) else ", ".join(addresses or ())


def _plain(addresses: Addresses) -> list[str]:
    return [address for _, address in getaddresses([_joined(addresses)]) if "@" in address]
