"""Asking directories, of OpenLDAP's server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import DeadlineExceeded, Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.plugin import require_program
from zato.common.testing.processes import free_port
from zato.server.connections import ldap
from zato.server.contracts.connection_contract import NetworkConnectionContract, SilentServer, Values
from zato.server.contracts.ldap_server import LDAPServer

# ldap3 uses names of pyasn1 that this has given up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


def start(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> LDAPServer:
    folder: Path = tmp_path_factory.mktemp("ldap")
    server = LDAPServer(require_program("slapd"), folder, authority.issue("ldap"))
    server.start()
    return server


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> Iterator[LDAPServer]:
    server = start(tmp_path_factory, authority)
    values = {"server_list": server.url, "username": server.username, "password": server.password}
    with TestOutgoingLDAP().connected(values) as connection, connection.get() as client:
        assert client.add(server.suffix, ["dcObject", "organization"], {"dc": "example", "o": "Example"}), client.result
        for name in ("Jane", "Zażółć", "J*hn (x)"):
            attributes = {"sn": name, "mail": [f"{number}@example.com" for number in range(2)]}
            assert client.add(f"cn={name},{server.suffix}", "inetOrgPerson", attributes), client.result
    yield server
    server.stop()


@pytest.fixture
def values(slapd: LDAPServer) -> Values:
    return {"server_list": slapd.url, "username": slapd.username, "password": slapd.password}


class TestOutgoingLDAP(NetworkConnectionContract):
    connection_type = ldap.connection_type
    wrong_password = {"password": "another-one"}
    timeouts = ("connect_timeout", "receive_timeout")
    use = "connection.search('dc=example,dc=com', '(cn=*)')"
    bad_options = [
        {"server_list": ""},
        {"server_list": "http://127.0.0.1"},
        {"server_list": "ldap://127.0.0.1:1 ldap://127.0.0.1/x"},
        {"password": ""},
        {"auth_type": "MAGIC"},
        {"connect_timeout": 0},
        {"pool_size": 0},
        {"ca_certificates": "no PEM"},
    ]

    @pytest.fixture
    def values(self, values: Values) -> Values:
        return values

    def elsewhere(self, values: Values, port: int, **changed: Any) -> Values:
        return {**values, "server_list": f"ldap://127.0.0.1:{port}", **changed}

    def unknown_host(self) -> Values:
        return {"server_list": "ldap://no-such-host.invalid"}


@pytest.fixture
def connection(values: Values) -> Iterator[Any]:
    with TestOutgoingLDAP().connected(values) as connection:
        yield connection


def test_entries_are_found_with_their_attributes(connection: Any, slapd: LDAPServer) -> None:
    (found,) = connection.conn.search(slapd.suffix, "(cn=Zażółć)", ["cn", "mail"])
    assert found["dn"] == f"cn=Zażółć,{slapd.suffix}"
    assert found["attributes"] == {"cn": ["Zażółć"], "mail": ["0@example.com", "1@example.com"]}
    assert connection.conn.search(slapd.suffix, "(cn=nobody)") == []


def test_what_comes_from_outside_is_no_part_of_the_filter(connection: Any, slapd: LDAPServer) -> None:
    name = connection.conn.escape("J*hn (x)")
    assert [found["dn"] for found in connection.conn.search(slapd.suffix, f"(cn={name})")] == [f"cn=J*hn (x),{slapd.suffix}"]
    assert connection.conn.search(slapd.suffix, f"(cn={connection.conn.escape('*')})") == []


def test_services_use_ldap3_as_it_is(connection: Any, slapd: LDAPServer) -> None:
    dn = f"cn=new,{slapd.suffix}"
    with connection.conn.get() as client:
        assert client.add(dn, "inetOrgPerson", {"sn": "new"})
        assert not client.add(dn, "inetOrgPerson", {"sn": "new"})
        assert client.result["description"] == "entryAlreadyExists"
        client.search(slapd.suffix, "(cn=new)", attributes=["sn"])
        assert client.entries[0].sn.value == "new"
        assert client.delete(dn)


def test_a_connection_is_kept_and_used_again_unless_its_use_failed(connection: Any) -> None:
    with connection.conn.get() as first:
        pass
    with connection.conn.get() as second:
        assert second is first
        with connection.conn.get() as other:
            assert other is not first
    with pytest.raises(RuntimeError), connection.conn.get() as third:
        raise RuntimeError
    with connection.conn.get() as fourth:
        assert fourth is not third


def test_it_works_again_after_the_server_came_back(
    tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority
) -> None:
    server = start(tmp_path_factory, authority)
    values = {"server_list": server.url, "username": server.username, "password": server.password}
    with TestOutgoingLDAP().connected(values) as connection:
        connection.search(server.suffix, "(cn=*)")
        server.stop()
        with pytest.raises(Unavailable):
            connection.search(server.suffix, "(cn=*)")
        server.start()
        connection.search(server.suffix, "(cn=*)")
    server.stop()


def test_another_server_is_asked_when_one_is_down(values: Values, slapd: LDAPServer) -> None:
    several = {**values, "server_list": f"ldap://127.0.0.1:{free_port()},\n{slapd.url}"}
    with TestOutgoingLDAP().connected(several) as connection:
        for _ in range(4):
            connection.ping()


def test_nobody_is_anonymous_unless_configured(values: Values, slapd: LDAPServer) -> None:
    with TestOutgoingLDAP().connected({"server_list": slapd.url}) as connection:
        connection.ping()
        assert len(connection.search(slapd.suffix, "(cn=Jane)")) == 1


@pytest.mark.parametrize("way", ["ldaps", "start_tls"])
def test_it_is_encrypted(way: str, values: Values, slapd: LDAPServer, authority: CertificateAuthority) -> None:
    secure = {**values, "server_list": slapd.tls_url} if way == "ldaps" else {**values, "use_start_tls": True}
    with TestOutgoingLDAP().connected({**secure, "ca_certificates": authority.file.read_text()}) as connection:
        assert len(connection.search(slapd.suffix, "(cn=Jane)")) == 1
    with TestOutgoingLDAP().connected(secure) as connection, pytest.raises(Unavailable):
        connection.ping()


def test_changes_are_refused_here_where_configured(values: Values, slapd: LDAPServer) -> None:
    with TestOutgoingLDAP().connected({**values, "is_read_only": True}) as connection:
        with pytest.raises(Exception, match="read-only"), connection.get() as client:
            client.delete(f"cn=Jane,{slapd.suffix}")
        assert len(connection.search(slapd.suffix, "(cn=Jane)")) == 1


def test_a_server_that_falls_silent_is_given_up(values: Values, slapd: LDAPServer) -> None:
    with TestOutgoingLDAP().connected({**values, "receive_timeout": 0.3}) as connection:
        connection.search(slapd.suffix, "(cn=Jane)")
        slapd.pause()
        try:
            with pytest.raises(DeadlineExceeded):
                connection.search(slapd.suffix, "(cn=Jane)")
        finally:
            slapd.resume()
        assert len(connection.search(slapd.suffix, "(cn=Jane)")) == 1


def test_a_silent_server_is_passed_over(values: Values, slapd: LDAPServer) -> None:
    with SilentServer(is_patient=True) as silent:
        several = {**values, "server_list": f"ldap://127.0.0.1:{silent.port} {slapd.url}", "connect_timeout": 0.3}
        with TestOutgoingLDAP().connected(several) as connection:
            connection.ping()
