"""SFTP, against OpenSSH's server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import Unavailable
from zato.common.testing.plugin import require_program
from zato.server.connections import sftp
from zato.server.connections.files import NoSuchFile
from zato.server.connections.sftp.client import FileExists
from zato.server.contracts.connection_contract import NAME, NetworkConnectionContract, Values
from zato.server.contracts.ssh_server import SSHServer, make_key

_OTHER_KEY, _OTHER_PUBLIC = make_key()


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    server = SSHServer(require_program("sshd"), tmp_path_factory.mktemp("ssh"))
    server.start()
    yield server
    server.stop()


class TestOutgoingSFTP(NetworkConnectionContract):
    connection_type = sftp.connection_type
    wrong_password = {"private_key": _OTHER_KEY}
    timeouts = ("timeout",)
    bad_options = [{"host": ""}, {"username": ""}, {"port": 0}, {"timeout": 0}, {"host_keys": "nonsense"}]

    @pytest.fixture
    def values(self, ssh_server: SSHServer, tmp_path: Path) -> Values:
        return {
            "host": "127.0.0.1",
            "port": ssh_server.port,
            "username": ssh_server.username,
            "private_key": ssh_server.private_key,
            "host_keys": ssh_server.host_key,
            "default_directory": str(tmp_path),
        }

    def test_files_are_written_read_listed_moved_and_deleted(self, connection: Any, tmp_path: Path) -> None:
        sftp = connection.conn
        sftp.write("zażółć", "a.txt")
        sftp.write(b"\x00\xff", f"{tmp_path}/b.bin")
        assert sftp.read("a.txt") == "zażółć"
        assert sftp.read("b.bin", encoding=None) == b"\x00\xff"
        (tmp_path / "b.bin").chmod(0o640)
        first, second = sftp.list()
        assert (first.name, first.is_file, first.is_directory, first.size) == ("a.txt", True, False, 10)
        assert second.permissions == "rw-r-----"
        sftp.move("a.txt", "b.bin")
        assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]
        sftp.delete("b.bin")
        assert not sftp.exists("b.bin")

    def test_a_file_is_not_replaced_against_ones_will(self, connection: Any) -> None:
        connection.write("1", "a")
        with pytest.raises(FileExists):
            connection.write("2", "a", overwrite=False)
        assert connection.read("a") == "1"

    def test_whole_files_are_uploaded_and_downloaded(self, connection: Any, tmp_path: Path) -> None:
        content = bytes(range(256)) * 4096
        (tmp_path / "local").write_bytes(content)
        connection.upload(str(tmp_path / "local"), "remote")
        connection.download("remote", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == content
        assert connection.read("remote", encoding=None) == content

    def test_directories_links_and_modes(self, connection: Any, tmp_path: Path) -> None:
        connection.create_directory("d")
        connection.write("x", "d/f")
        connection.create_symlink("d/f", "link")
        connection.chmod(0o600, "d/f")
        assert (connection.is_directory("d"), connection.is_file("d"), connection.is_file("d/f")) == (True, False, True)
        assert connection.read("link") == "x"
        assert connection.get_info("d/f").permissions == "rw-------"
        with pytest.raises(Unavailable):
            connection.delete_directory("d")
        connection.delete("d/f")
        connection.delete("d")
        assert not (tmp_path / "d").exists()

    @pytest.mark.parametrize("call", ["read", "list", "get_info", "delete_file", "delete_directory"])
    def test_what_is_not_there_is_said_without_its_name(self, connection: Any, call: str) -> None:
        with pytest.raises(NoSuchFile) as missing:
            getattr(connection, call)("secret-name")
        assert NAME in missing.value.message
        assert "secret-name" not in missing.value.message
        assert connection.is_file("nothing") is connection.is_directory("nothing") is False

    def test_a_server_with_another_key_is_refused_unless_any_is_taken(self, values: Values) -> None:
        for keys in ("", _OTHER_PUBLIC):
            strange = {**values, "host_keys": keys}
            with self.connected(strange) as connection, pytest.raises(Unavailable, match="host key"):
                connection.ping()
        with self.connected({**values, "host_keys": "", "accept_any_host_key": True}) as connection:
            connection.ping()

    def test_keys_are_taken_as_ssh_keyscan_prints_them(self, values: Values) -> None:
        scanned = f"[127.0.0.1]:{values['port']} {values['host_keys']}"
        with self.connected({**values, "host_keys": scanned}) as connection:
            connection.ping()

    def test_a_key_may_have_a_password(self, values: Values) -> None:
        private, _ = make_key("its-password")
        with pytest.raises(Unavailable, match="private_key"), self.connected({**values, "private_key": private}):
            pass
        opened = {**values, "private_key": private, "private_key_password": "its-password"}
        with self.connected(opened) as connection, pytest.raises(Unavailable, match="credentials"):
            connection.ping()

    def test_it_connects_again_after_the_server_came_back(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        server = SSHServer(require_program("sshd"), tmp_path_factory.mktemp("ssh"))
        server.start()
        values = {"port": server.port, "username": server.username, "private_key": server.private_key}
        with self.connected({"host": "127.0.0.1", "host_keys": server.host_key, **values}) as connection:
            connection.ping()
            connection._client.get_transport().sock.close()
            server.stop()
            with pytest.raises(Unavailable):
                connection.ping()
            server.start()
            connection.ping()
        server.stop()

    def test_calls_go_side_by_side(self, connection: Any) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                connection.write("x" * 100_000, f"file{number}")
                assert len(connection.read(f"file{number}")) == 100_000
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
