"""Sending mail, through aiosmtpd."""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from zato.common.api import SMTPMessage
from zato.common.errors import Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.processes import free_port
from zato.server.connections import smtp
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.connections.smtp.message import BadMessage
from zato.server.contracts.connection_contract import NetworkConnectionContract, Values, make_object
from zato.server.control.state import Configuration

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


class Mailbox:
    """Keeps what it is sent, and refuses what is for `refused`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.messages: list[EmailMessage] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:
        if address.startswith("refused"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if b"refuse this" in envelope.content:
            return "554 we do not like it"
        self.envelopes.append(envelope)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        return "250 OK"


def check_password(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"user", b"the-right-one"), handled=False)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def start(mailbox: Mailbox) -> Iterator[Callable[..., int]]:
    """Start a mail server and return its port."""
    running: list[Controller] = []

    def start(**settings: Any) -> int:
        controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **settings)
        controller.start()
        running.append(controller)
        return int(controller.port)

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def values(start: Callable[..., int]) -> Values:
    port = start(authenticator=check_password, auth_required=True, auth_require_tls=False)
    return {"host": "127.0.0.1", "port": port, "username": "user", "password": "the-right-one"}


class TestOutgoingSMTP(NetworkConnectionContract):
    connection_type = smtp.connection_type
    wrong_password = {"password": "another-one"}
    timeouts = ("timeout",)
    bad_options = [{"host": ""}, {"port": 0}, {"mode": "tls"}, {"timeout": 0}, {"ca_certificates": "no PEM"}]

    @pytest.fixture
    def values(self, values: Values) -> Values:
        return values


@pytest.fixture
def connection(values: Values) -> Iterator[Any]:
    with TestOutgoingSMTP().connected(values) as connection:
        yield connection


def test_a_mail_arrives_whole(connection: Any, mailbox: Mailbox) -> None:
    message = SMTPMessage(
        "Señor <from@x.org>", "to@x.org", "Zażółć", "Hello, moñeco\n", cc=["cc@x.org"], bcc="b1@x.org, b2@x.org"
    )
    message.headers["X-Mine"] = "yes"
    message.attach("naïve.csv", "a;ł")
    message.attach("raw.bin", b"\x00\xff")
    connection.conn.send(message)
    (got,), (envelope,) = mailbox.messages, mailbox.envelopes
    assert envelope.mail_from == "from@x.org"
    assert envelope.rcpt_tos == ["to@x.org", "cc@x.org", "b1@x.org", "b2@x.org"]
    assert (got["from"], got["to"], got["cc"], got["subject"]) == ("Señor <from@x.org>", "to@x.org", "cc@x.org", "Zażółć")
    assert (got["bcc"], got["x-mine"]) == (None, "yes")
    assert got["message-id"]
    body = got.get_body()
    assert body is not None
    assert (body.get_content_type(), body.get_content()) == ("text/plain", "Hello, moñeco\r\n")
    attached = [(part.get_filename(), part.get_payload(decode=True)) for part in got.iter_attachments()]
    assert attached == [("naïve.csv", "a;ł".encode()), ("raw.bin", b"\x00\xff")]


def test_attributes_may_be_set_one_by_one_as_services_do(connection: Any, mailbox: Mailbox) -> None:
    message = SMTPMessage()
    message.subject, message.from_, message.to, message.body, message.is_html = "Hi", "a@x.org", ["b@x.org"], "<b>x</b>", True
    message.attachments.append({"name": "a.txt", "contents": "x"})
    connection.conn.send(message)
    body = mailbox.messages[0].get_body()
    assert body is not None
    assert body.get_content_type() == "text/html"


def test_the_sender_may_be_another_for_one_mail(connection: Any, mailbox: Mailbox) -> None:
    connection.conn.send(SMTPMessage("a@x.org", "b@x.org", "s", "b"), from_="other@x.org")
    assert (mailbox.envelopes[0].mail_from, mailbox.messages[0]["from"]) == ("other@x.org", "other@x.org")


@pytest.mark.parametrize(
    "message",
    [
        SMTPMessage("a@x.org", None, "s", "b"),
        SMTPMessage("a@x.org", "no address", "s", "b"),
        SMTPMessage(None, "b@x.org", "s", "b"),
        SMTPMessage("a@x.org", "b@x.org", "s\r\nBcc: c@x.org", "b"),
        SMTPMessage("a@x.org", "b@x.org", "s", "b", headers={"X-A": "b\nX-C: d"}),
        SMTPMessage("a@x.org", "b@x.org", "s", "ł", charset="ascii"),
        SMTPMessage("a@x.org", "b@x.org", "s", "b", charset="nonsense"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_before_anybody_is_asked(
    connection: Any, mailbox: Mailbox, message: SMTPMessage
) -> None:
    with pytest.raises(BadMessage):
        connection.conn.send(message)
    assert mailbox.messages == []


def test_refused_recipients_stop_the_others_from_nothing(connection: Any, mailbox: Mailbox) -> None:
    connection.conn.send(SMTPMessage("a@x.org", "refused@x.org, b@x.org", "s", "b"))
    assert mailbox.envelopes[0].rcpt_tos == ["b@x.org"]
    with pytest.raises(Unavailable, match="refused every recipient"):
        connection.conn.send(SMTPMessage("a@x.org", "refused@x.org", "s", "b"))


def test_a_refused_mail_is_an_error(connection: Any) -> None:
    with pytest.raises(Unavailable, match="refused the mail"):
        connection.conn.send(SMTPMessage("a@x.org", "b@x.org", "s", "refuse this"))


def test_a_ping_sends_a_mail_where_it_is_told_to(values: Values, mailbox: Mailbox) -> None:
    with TestOutgoingSMTP().connected({**values, "ping_address": "ping@x.org"}) as connection:
        connection.ping()
    assert mailbox.envelopes[0].rcpt_tos == ["ping@x.org"]


def test_services_reach_it_as_email_smtp(values: Values, mailbox: Mailbox) -> None:
    pool = ConnectionPool().follow(Configuration(1, {1: make_object(smtp.connection_type, values, name="GMAIL")}))
    Outgoing(lambda: pool).email.smtp.get("GMAIL", True).conn.send(SMTPMessage("a@x.org", "b@x.org", "s", "b"))
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("mode", ["ssl", "starttls"])
def test_mail_goes_out_encrypted(mode: str, start: Callable[..., int], mailbox: Mailbox, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    files = authority.issue("mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    port = start(ssl_context=context) if mode == "ssl" else start(tls_context=context, require_starttls=True)
    trusting = {"host": "127.0.0.1", "port": port, "mode": mode, "ca_certificates": authority.file.read_text()}
    with TestOutgoingSMTP().connected(trusting) as connection:
        connection.conn.send(SMTPMessage("a@x.org", "b@x.org", "s", "b"))
    assert len(mailbox.messages) == 1
    distrusting = {**trusting, "ca_certificates": ""}
    with (
        TestOutgoingSMTP().connected(distrusting) as connection,
        pytest.raises(Unavailable, match="certificate is not trusted"),
    ):
        connection.ping()


def test_credentials_are_not_sent_where_encryption_was_wanted_and_is_missing(values: Values) -> None:
    with (
        TestOutgoingSMTP().connected({**values, "mode": "starttls"}) as connection,
        pytest.raises(Unavailable, match="STARTTLS"),
    ):
        connection.ping()
