"""What a certificate says its bearer is, and tokens for any number of replicas."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import Authority, leaf_of, request_of
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from zato.ca.errors import InvalidToken, NamesNotGranted
from zato.ca.grants import Grant
from zato.common.certificates.identity import new_request
from zato.common.certificates.tokens import parse_token
from zato.common.errors import TooManyRequests
from zato.common.rpc.roles import ROLES, name_of, role_of

SERVER = Grant("server", ("server",), purpose="server")


@pytest.mark.parametrize("role", ROLES)
def test_a_certificate_says_the_role_that_was_granted(authority: Authority, role: str) -> None:
    assert role_of(leaf_of(authority.enrolled(Grant("x", ("x",), purpose=role)))) == role


def test_programs_of_the_users_have_no_role(authority: Authority) -> None:
    assert role_of(leaf_of(authority.enrolled(Grant("x", ("x",))))) == ""
    assert role_of(leaf_of(authority.enrolled(Grant("y", purpose="client")))) == ""


def test_who_is_not_called_needs_no_names_and_cannot_serve(authority: Authority) -> None:
    leaf = leaf_of(authority.enrolled(Grant("me", purpose="operator")))
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_request_cannot_ask_for_a_role(authority: Authority) -> None:
    token = authority.issuing.create_token(Grant("server1", ("server1",)))[0]
    wanted = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("zato://role/operator")])
    with pytest.raises(NamesNotGranted):
        authority.issuing.enrol(token.secret, request_of("server1", (), None, wanted))


def test_a_renewal_keeps_the_role(authority: Authority) -> None:
    renewed = authority.issuing.renew(leaf_of(authority.enrolled(SERVER)), new_request("", ()).request)
    assert role_of(leaf_of(renewed)) == "server"


def test_a_reusable_token_gives_each_replica_a_certificate_of_its_own_name(authority: Authority) -> None:
    token, expires_at, _ = authority.issuing.create_token(SERVER, is_reusable=True)
    assert expires_at - authority.clock.now() > 9 * 365 * 86400
    assert parse_token(token.to_text()) == token
    names = ("server", "server.5f2a", "server.77bc")
    issued = [leaf_of(authority.issuing.enrol(token.secret, request_of(name, ("server",)))) for name in names]
    assert [name_of(leaf) for leaf in issued] == list(names)
    assert {role_of(leaf) for leaf in issued} == {"server"}


@pytest.mark.parametrize("name", ["scheduler", "serverx", "ca", "server2.x"])
def test_a_reusable_token_gives_no_other_name(authority: Authority, name: str) -> None:
    token = authority.issuing.create_token(SERVER, is_reusable=True)[0]
    with pytest.raises(NamesNotGranted):
        authority.issuing.enrol(token.secret, request_of(name))


def test_a_reusable_token_is_not_used_without_end(authority: Authority) -> None:
    token = authority.issuing.create_token(SERVER, is_reusable=True)[0]
    for _ in range(60):
        authority.issuing.enrol(token.secret, request_of("server"))
    with pytest.raises(TooManyRequests, match="60 times within a minute"):
        authority.issuing.enrol(token.secret, request_of("server"))
    authority.clock.advance(61)
    assert authority.issuing.enrol(token.secret, request_of("server"))


def test_a_reusable_token_can_be_withdrawn(authority: Authority) -> None:
    token = authority.issuing.create_token(SERVER, is_reusable=True)[0]
    authority.issuing.enrol(token.secret, request_of("server"))
    authority.registry.revoke(name="server")
    with pytest.raises(InvalidToken, match="withdrawn"):
        authority.issuing.enrol(token.secret, request_of("server"))


def test_the_state_of_the_release_before_is_taken_over(new_authority: Callable[..., Authority], tmp_path: Path) -> None:
    first = new_authority()
    token = first.issuing.create_token(SERVER)[0]
    first.close()
    database = sqlite3.connect(first.folder / "authority.db")
    database.executescript("ALTER TABLE token DROP COLUMN is_reusable; PRAGMA user_version=1;")
    database.close()
    second = Authority(first.folder)
    try:
        assert second.issuing.enrol(token.secret, request_of("server"))
    finally:
        second.close()
