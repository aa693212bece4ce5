"""A mail as services read it."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imap_tools import MailMessage
    from imap_tools.mailbox import BaseMailBox


@dataclass(frozen=True, slots=True)
class MailData:
    """
    What a mail says.

    Args:
        sent_from, sent_to, cc, bcc: [{"name": "Jane", "email": "jane@example.com"}]
        body: {"plain": [texts], "html": [texts]}
        attachments: [{"filename": …, "content-type": …, "size": bytes, "content": a file object}]
        headers: [{"Name": …, "Value": …}]
        raw_email: All of it as it was sent.
    """

    subject: str
    sent_from: list[dict[str, str]]
    sent_to: list[dict[str, str]]
    cc: list[dict[str, str]]
    bcc: list[dict[str, str]]
    date: str
    parsed_date: datetime
    message_id: str
    headers: list[dict[str, str]]
    body: dict[str, list[str]]
    attachments: list[dict[str, Any]]
    raw_email: str


class IMAPMessage:
    """One mail in a mailbox; it can be marked and deleted while the loop over `conn.get()` runs."""

    def __init__(self, mailbox: "BaseMailBox", message: "MailMessage", explained: Callable[[], Any]) -> None:
        self.uid = message.uid or ""
        self._explained = explained
        self._mailbox = mailbox
        self._message = message

    @property
    def data(self) -> MailData:
        if "_data" not in self.__dict__:
            self._data = _data(self._message)
        return self._data

    def mark_seen(self) -> None:
        with self._explained():
            self._mailbox.flag(self.uid, "\\Seen", True)

    def delete(self) -> None:
        """It is gone at once, with all others that somebody has marked as deleted."""
        with self._explained():
            self._mailbox.delete(self.uid)


def _data(message: "MailMessage") -> MailData:
    by_name: Any = message.headers  # untyped
    headers = [{"Name": name, "Value": value} for name, values in by_name.items() for value in values]
    attachments = [
        {
            "filename": each.filename,
            "content-type": each.content_type,
            "size": len(each.payload),
            "content": io.BytesIO(each.payload),
        }
        for each in message.attachments
    ]
    return MailData(
        subject=message.subject,
        sent_from=_addresses([message.from_values] if message.from_values else ()),
        sent_to=_addresses(message.to_values),
        cc=_addresses(message.cc_values),
        bcc=_addresses(message.bcc_values),
        date=message.date_str,
        parsed_date=message.date,
        message_id=str(message.obj.get("Message-ID", "")),
        headers=headers,
        body={"plain": [message.text] if message.text else [], "html": [message.html] if message.html else []},
        attachments=attachments,
        raw_email=message.obj.as_bytes().decode("utf-8", errors="replace"),
    )


def _addresses(values: Any) -> list[dict[str, str]]:
    return [{"name": each.name, "email": each.email} for each in values]
