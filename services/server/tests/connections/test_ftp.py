"""FTP and FTPS, against pyftpdlib."""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.server.connections import ftp
from zato.server.connections.files import NoSuchFile
from zato.server.contracts.connection_contract import NAME, NetworkConnectionContract, Values

with warnings.catch_warnings():
    # It stands on asyncore, which Python has given up and pyftpdlib brings along.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

PASSWORD = "the-right-one"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., int]]:
    """Start an FTP server for `home` and return its port."""
    running: list[threading.Thread] = []
    is_over = threading.Event()

    def serve(server: FTPServer) -> None:
        # Closed by the thread that waits for its sockets, which would stumble over it otherwise.
        while not is_over.is_set():
            server.serve_forever(timeout=0.01, blocking=False)
        server.close_all()

    def start(handler: Any = FTPHandler, **attributes: Any) -> int:
        authorizer = DummyAuthorizer()
        authorizer.add_user("user", PASSWORD, str(home), perm="elradfmwMT")
        made = type("Handler", (handler,), {"authorizer": authorizer, "auth_failed_timeout": 0, **attributes})
        server = FTPServer(("127.0.0.1", 0), made, ioloop=IOLoop())
        running.append(threading.Thread(target=serve, args=(server,)))
        running[-1].start()
        return int(server.address[1])

    yield start
    is_over.set()
    for thread in running:
        thread.join()


class TestOutgoingFTP(NetworkConnectionContract):
    connection_type = ftp.connection_type
    wrong_password = {"password": "another-one"}
    timeouts = ("timeout",)
    bad_options = [{"host": ""}, {"port": 0}, {"timeout": 0}, {"ca_certificates": "no PEM"}]

    @pytest.fixture
    def values(self, start: Callable[..., int]) -> Values:
        return {"host": "127.0.0.1", "port": start(), "username": "user", "password": PASSWORD}

    def test_files_are_written_read_listed_moved_and_removed(self, connection: Any, home: Path) -> None:
        connection.setcontents("/a.txt", "zażółć")
        connection.setcontents("/b.bin", b"\x00\xff")
        connection.upload("/c.csv", io.BytesIO(b"1;2"))
        connection.append("/c.csv", b";3")
        assert (home / "c.csv").read_bytes() == b"1;2;3"
        assert connection.getcontents("/a.txt") == "zażółć".encode()
        assert connection.getcontents("/a.txt", "r") == connection.readtext("/a.txt") == "zażółć"
        assert connection.readbytes("/b.bin") == b"\x00\xff"
        assert connection.listdir() == connection.listdir("/") == ["a.txt", "b.bin", "c.csv"]
        assert connection.listdir("/", wildcard="*.csv") == ["c.csv"]
        connection.rename("/a.txt", "/z.txt")
        connection.remove("/b.bin")
        assert sorted(path.name for path in home.iterdir()) == ["c.csv", "z.txt"]
        target = io.BytesIO()
        connection.download("/z.txt", target)
        assert target.getvalue() == "zażółć".encode()

    def test_directories_are_made_and_told_from_files(self, connection: Any, home: Path) -> None:
        connection.makedir("/x/y/z", recursive=True)
        connection.makedir("/x", allow_recreate=True)
        connection.makedirs("/x/y/z", recreate=True)
        connection.setcontents("/x/f", b"123")
        assert (connection.isdir("/x/y"), connection.isfile("/x/y"), connection.exists("/x/y")) == (True, False, True)
        assert (connection.isdir("/x/f"), connection.isfile("/x/f"), connection.getsize("/x/f")) == (False, True, 3)
        assert connection.exists("/nothing") is connection.isfile("/nothing") is connection.isdir("/nothing") is False
        connection.removedir("/x/y/z")
        assert not (home / "x/y/z").exists()
        with pytest.raises(NoSuchFile):
            connection.makedir("/x")

    def test_servers_that_know_no_mlst_are_asked_otherwise(self, home: Path, start: Callable[..., int]) -> None:
        known = {name: value for name, value in FTPHandler.proto_cmds.items() if name != "MLST"}
        values = {"host": "127.0.0.1", "port": start(proto_cmds=known), "username": "user", "password": PASSWORD}
        (home / "d").mkdir()
        (home / "f").write_bytes(b"12345")
        with self.connected(values) as connection:
            assert (connection.isdir("/d"), connection.isfile("/f"), connection.getsize("/f")) == (True, True, 5)
            assert not connection.exists("/nothing")

    @pytest.mark.parametrize("call", ["getcontents", "remove", "removedir", "getinfo", "listdir"])
    def test_what_is_not_there_is_said_without_its_name(self, connection: Any, call: str) -> None:
        with pytest.raises(NoSuchFile) as missing:
            getattr(connection, call)("/secret-name")
        assert NAME in missing.value.message
        assert "secret-name" not in missing.value.message

    def test_a_path_cannot_smuggle_in_a_command(self, connection: Any, home: Path) -> None:
        (home / "victim").write_text("x")
        with pytest.raises(ValueError):
            connection.getcontents("/a\r\nDELE victim")
        assert (home / "victim").exists()

    def test_several_calls_share_a_session(self, connection: Any, home: Path) -> None:
        (home / "a").write_text("x")
        with connection.session() as session:
            assert (session.pwd(), session.nlst()) == ("/", ["a"])
        with pytest.raises(NoSuchFile), connection.session() as session:
            session.delete("nothing")

    def test_files_go_encrypted(self, start: Callable[..., int], tmp_path: Path) -> None:
        authority = CertificateAuthority(tmp_path)
        files = authority.issue("ftp")
        (tmp_path / "both.pem").write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
        required = {"tls_control_required": True, "tls_data_required": True, "certfile": str(tmp_path / "both.pem")}
        secure = {"host": "127.0.0.1", "port": start(TLS_FTPHandler, **required), "username": "user", "password": PASSWORD}
        trusting = {**secure, "use_ftps": True, "ca_certificates": authority.file.read_text()}
        with self.connected(trusting) as connection:
            connection.setcontents("/a", b"x" * 100_000)
            assert len(connection.getcontents("/a")) == 100_000
        with self.connected({**secure, "use_ftps": True}) as connection, pytest.raises(Unavailable, match="not trusted"):
            connection.ping()
        with self.connected(secure) as connection, pytest.raises(Unavailable, match="use_ftps"):
            connection.ping()
