"""The client that services use: `for uid, message in self.email.imap.get("inbox").conn.get(): …`."""

import contextlib
import imaplib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, ZatoError
from zato.server.connections.extras import need
from zato.server.connections.failures import Named, credentials_refused
from zato.server.connections.imap.message import IMAPMessage
from zato.server.connections.imap.options import OutgoingIMAPOptions
from zato.server.connections.tls import client_context
from zato.server.control.state import ConfigObject, Configuration

if TYPE_CHECKING:
    from imap_tools.mailbox import BaseMailBox

_INBOX = "INBOX"


class IMAPConnection(Named):
    """Each loop over mails has a session of its own, which ends with the loop."""

    kind = "outgoing-imap"

    def __init__(self, name: str, options: OutgoingIMAPOptions) -> None:
        super().__init__(name)
        self._library = need("imap_tools", "imap")
        self._options = options
        self._context = client_context(verify=options.tls_verify, ca_certificates=options.ca_certificates)

    def get(self, folder: str = _INBOX, criteria: str = "") -> Iterator[tuple[str, IMAPMessage]]:
        """
        Yield the id and the mail, one after the other, oldest first. Reading marks nothing as seen: `mark_seen()` does.

        Args:
            criteria: Search keys of IMAP, e.g. 'FROM "jane" SINCE 1-Jan-2026'; those of the connection when empty.

        Raises:
            Unavailable: The server cannot be reached, does not know us, or knows no such folder or search key.
        """
        wanted = " ".join(filter(None, map(str.strip, (criteria or self._options.get_criteria).splitlines()))) or "ALL"
        if not folder.isprintable() or not wanted.isprintable():
            raise BadRequest("A folder and search keys take printable text")
        with self._session(folder) as mailbox, self._explained():
            charset = "US-ASCII" if wanted.isascii() else "UTF-8"
            for message in mailbox.fetch(f"({wanted})", charset, mark_seen=False):
                yield message.uid or "", IMAPMessage(mailbox, message, self._explained)

    def ping(self) -> None:
        with self._session() as mailbox:
            mailbox.client.noop()

    def close(self) -> None:
        """Nothing is kept open."""

    @contextlib.contextmanager
    def _session(self, folder: str | None = None) -> Iterator["BaseMailBox"]:
        with self._explained():
            mailbox = self._open(folder)
        try:
            with self._explained():
                yield mailbox
        finally:
            # How the session ends changes nothing.
            with contextlib.suppress(OSError, imaplib.IMAP4.error, self._library.ImapToolsError):
                mailbox.logout()

    def _open(self, folder: str | None) -> "BaseMailBox":
        options, library = self._options, self._library
        address = {"host": options.host, "port": options.port, "timeout": options.timeout}
        if options.mode == "ssl":
            mailbox: BaseMailBox = library.MailBox(**address, ssl_context=self._context)
        elif options.mode == "starttls":
            mailbox = library.MailBoxStartTls(**address, ssl_context=self._context)
        else:
            mailbox = library.MailBoxUnencrypted(**address)
        try:
            is_ascii = options.username.isascii() and options.password.isascii()
            sign_in = mailbox.login if is_ascii else mailbox.login_utf8
            sign_in(options.username, options.password, folder)
        except BaseException:
            mailbox.client.shutdown()
            raise
        return mailbox

    def _explained(self) -> Any:
        return self.errors_explained(self._library.ImapToolsError, imaplib.IMAP4.error, UnicodeError)

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        errors = self._library
        if isinstance(exc, errors.MailboxLoginError):
            return credentials_refused(self.name)
        if isinstance(exc, errors.MailboxFolderSelectError):
            return "it has no such folder"
        if isinstance(exc, errors.MailboxUidsError):
            return "it does not know these search keys"
        if isinstance(exc, imaplib.IMAP4.abort):
            return "it closed the connection"
        if isinstance(exc, imaplib.IMAP4.error | errors.ImapToolsError | UnicodeError):
            return "it answered with an error, or with what is no IMAP"
        return None


def connect(config_object: ConfigObject, configuration: Configuration) -> IMAPConnection:
    return IMAPConnection(config_object.name, config_object.options)
