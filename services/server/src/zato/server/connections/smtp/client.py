"""The client that services use: `self.email.smtp.get("notices").conn.send(message)`."""

import contextlib
import smtplib
import socket
from collections.abc import Iterator, Mapping

from zato.common.api import SMTPMessage
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.server.connections.failures import Named, credentials_refused
from zato.server.connections.smtp.message import build, recipients_of, sender_of
from zato.server.connections.smtp.options import OutgoingSMTPOptions
from zato.server.connections.tls import client_context
from zato.server.control.state import ConfigObject, Configuration

log = get_logger(__name__)

# Before their base, which says least.
_WORDS: Mapping[type[BaseException], str] = {
    smtplib.SMTPRecipientsRefused: "it refused every recipient",
    smtplib.SMTPSenderRefused: "it refused the sender",
    smtplib.SMTPDataError: "it refused the mail",
    smtplib.SMTPNotSupportedError: "it has no STARTTLS, or no way to sign in",
    smtplib.SMTPResponseException: "it answered with an error",
}


class SMTPConnection(Named):
    """Mail goes out in a session of its own each time: servers close idle ones, and there is little to gain."""

    kind = "outgoing-smtp"

    def __init__(self, name: str, options: OutgoingSMTPOptions) -> None:
        super().__init__(name)
        self._options = options
        self._context = client_context(verify=options.tls_verify, ca_certificates=options.ca_certificates)

    def send(self, message: SMTPMessage, from_: str | None = None) -> None:
        """
        Send a mail; it has been taken over by the server when this returns.

        Args:
            from_: Instead of the mail's own sender.

        Raises:
            BadMessage: The mail cannot be sent as it is.
            Unavailable: The server cannot be reached, does not know us, or refused the mail or all of its recipients.
        """
        built, sender, recipients = build(message, from_), sender_of(message, from_), recipients_of(message)
        with self._session() as session:
            refused = session.send_message(built, sender, recipients)
        if refused:
            log.warning("mail_recipients_refused", name=self.name, refused=len(refused), recipients=len(recipients))
        if self._options.is_debug:
            log.info("mail_sent", name=self.name, subject=message.subject, recipients=len(recipients))

    def ping(self) -> None:
        if address := self._options.ping_address:
            self.send(SMTPMessage(address, address, "Ping", f"A test of the connection '{self.name}'."))
        else:
            with self._session() as session:
                session.noop()

    def close(self) -> None:
        """Nothing is kept open."""

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        with self.errors_explained(smtplib.SMTPException):
            session = self._open()
            try:
                yield session
                # What was sent has been taken over: how the session ends changes nothing.
                with contextlib.suppress(OSError):
                    session.quit()
            finally:
                session.close()

    def _open(self) -> smtplib.SMTP:
        options = self._options
        # Without our name smtplib asks the network for it, which may take long.
        own_name = socket.gethostname()
        if options.mode == "ssl":
            session: smtplib.SMTP = smtplib.SMTP_SSL(
                options.host, options.port, own_name, timeout=options.timeout, context=self._context
            )
        else:
            session = smtplib.SMTP(options.host, options.port, own_name, timeout=options.timeout)
        try:
            if options.mode == "starttls":
                session.starttls(context=self._context)
            if options.username:
                session.login(options.username, options.password)
        except BaseException:
            session.close()
            raise
        return session

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        if isinstance(exc, smtplib.SMTPAuthenticationError):
            return credentials_refused(self.name)
        return next((words for kind, words in _WORDS.items() if isinstance(exc, kind)), None)


def connect(config_object: ConfigObject, configuration: Configuration) -> SMTPConnection:
    return SMTPConnection(config_object.name, config_object.options)
