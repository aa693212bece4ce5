"""Reading mail, from Dovecot."""

import imaplib
import tempfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest, Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.plugin import require_program
from zato.server.connections import imap
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.contracts.connection_contract import NetworkConnectionContract, Values, make_object
from zato.server.contracts.dovecot_server import DovecotServer
from zato.server.control.state import Configuration


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def dovecot(authority: CertificateAuthority) -> Iterator[DovecotServer]:
    program = require_program("dovecot")
    with tempfile.TemporaryDirectory(prefix="zato-test-dovecot-") as folder:
        server = DovecotServer(program, Path(folder), authority.issue("imap"))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def values(dovecot: DovecotServer) -> Values:
    username, password = dovecot.next_user()
    return {"host": "127.0.0.1", "port": dovecot.port, "username": username, "password": password}


def put(values: Values, subject: str, body: str = "Hello", folder: str = "INBOX") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Cc"] = "Señor <a@x.org>", "b@x.org, C <c@x.org>", "d@x.org"
    message["Subject"], message["Message-ID"], message["Date"] = subject, "<1@x.org>", "Mon, 2 Feb 2026 10:00:00 +0000"
    message.set_content(body)
    message.add_alternative(f"<b>{body}</b>", subtype="html")
    message.add_attachment(b"\x00\xff", maintype="application", subtype="zip", filename="naïve.zip")
    with imaplib.IMAP4(values["host"], values["port"], timeout=10) as client:
        client.login(values["username"], values["password"])
        client.create(folder)
        assert client.append(folder, "", "", message.as_bytes())[0] == "OK"


class TestOutgoingIMAP(NetworkConnectionContract):
    connection_type = imap.connection_type
    wrong_password = {"password": "another-one"}
    timeouts = ("timeout",)
    use = "list(connection.get())"
    bad_options = [
        {"host": ""},
        {"username": "a\r\nb"},
        {"password": "a\r\nb"},
        {"port": 0},
        {"mode": "tls"},
        {"timeout": 0},
        {"ca_certificates": "no PEM"},
    ]

    @pytest.fixture
    def values(self, values: Values) -> Values:
        return values


@pytest.fixture
def connection(values: Values) -> Iterator[Any]:
    with TestOutgoingIMAP().connected(values) as connection:
        yield connection


def test_a_mail_is_read_whole(connection: Any, values: Values) -> None:
    put(values, "Zażółć", "moñeco")
    ((uid, message),) = connection.conn.get()
    data = message.data
    assert (uid, message.uid, data.subject, data.message_id) == ("1", "1", "Zażółć", "<1@x.org>")
    assert data.sent_from == [{"name": "Señor", "email": "a@x.org"}]
    assert data.sent_to == [{"name": "", "email": "b@x.org"}, {"name": "C", "email": "c@x.org"}]
    assert data.cc == [{"name": "", "email": "d@x.org"}]
    assert (data.body["plain"][0].strip(), data.body["html"][0].strip()) == ("moñeco", "<b>moñeco</b>")
    (attachment,) = data.attachments
    assert (attachment["filename"], attachment["content-type"], attachment["size"]) == ("naïve.zip", "application/zip", 2)
    assert attachment["content"].read() == b"\x00\xff"
    assert data.parsed_date.isoformat() == "2026-02-02T10:00:00+00:00"
    assert {"Name": "message-id", "Value": "<1@x.org>"} in data.headers
    assert "naïve" not in data.raw_email.split("\n")[0]


def test_reading_marks_nothing_until_asked(connection: Any, values: Values) -> None:
    put(values, "first")
    put(values, "second")
    assert [message.data.subject for _, message in connection.conn.get()] == ["first", "second"]
    for _, message in connection.conn.get():
        if message.data.subject == "first":
            message.mark_seen()
    assert [message.data.subject for _, message in connection.conn.get()] == ["second"]


def test_a_mail_is_deleted_while_the_others_are_read(connection: Any, values: Values) -> None:
    for subject in ("first", "second", "third"):
        put(values, subject)
    read = []
    for _, message in connection.conn.get():
        read.append(message.data.subject)
        if message.data.subject == "second":
            message.delete()
    assert read == ["first", "second", "third"]
    assert [message.data.subject for _, message in connection.conn.get()] == ["first", "third"]


def test_a_loop_that_is_left_early_leaves_nothing_open(connection: Any, values: Values) -> None:
    put(values, "first")
    put(values, "second")
    for _ in range(30):  # more sessions than Dovecot lets a user have at a time
        next(connection.conn.get())


def test_criteria_choose_the_mails_and_all_lines_count(connection: Any, values: Values) -> None:
    put(values, "one for Jane")
    put(values, "zażółć for Jane")
    put(values, "one for Joe", folder="Others")
    chosen = {**values, "get_criteria": 'UNSEEN\nSUBJECT "Jane"\n\nSUBJECT "one"'}
    with TestOutgoingIMAP().connected(chosen) as choosy:
        assert [message.data.subject for _, message in choosy.conn.get()] == ["one for Jane"]
    assert [message.data.subject for _, message in connection.conn.get(criteria='SUBJECT "zażółć"')] == ["zażółć for Jane"]
    assert [message.data.subject for _, message in connection.conn.get("Others")] == ["one for Joe"]


def test_what_the_server_does_not_know_is_said(connection: Any) -> None:
    with pytest.raises(Unavailable, match="no such folder"):
        list(connection.conn.get("Nothing"))
    with pytest.raises(Unavailable):
        list(connection.conn.get(criteria="NONSENSE"))
    with pytest.raises(BadRequest):
        list(connection.conn.get("a\r\nx LOGOUT"))


@pytest.mark.parametrize("mode", ["ssl", "starttls"])
def test_mail_is_read_encrypted(mode: str, dovecot: DovecotServer, authority: CertificateAuthority, values: Values) -> None:
    port = dovecot.tls_port if mode == "ssl" else dovecot.port
    secure = {**values, "port": port, "mode": mode}
    with TestOutgoingIMAP().connected({**secure, "ca_certificates": authority.file.read_text()}) as connection:
        connection.ping()
    with TestOutgoingIMAP().connected(secure) as connection, pytest.raises(Unavailable, match="certificate is not trusted"):
        connection.ping()


def test_services_reach_it_as_email_imap(values: Values) -> None:
    put(values, "it")
    pool = ConnectionPool().follow(Configuration(1, {1: make_object(imap.connection_type, values, name="inbox")}))
    assert len(list(Outgoing(lambda: pool).email.imap.get("inbox").conn.get())) == 1
