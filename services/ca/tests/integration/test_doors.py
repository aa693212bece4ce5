"""Who gets in at an authority that runs, and at parts that have certificates of it."""

import contextlib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from running_ca import ADMIN_TOKEN, CAProcess, calling, serving

from zato.common.certificates.enrolment import AuthorityClient, enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.tokens import parse_token
from zato.common.errors import Forbidden, Unauthorized, Unavailable, ZatoError
from zato.common.rpc.client import Client
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.waiting import eventually
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages


def test_parts_enrol_with_a_token_and_talk_to_each_other(ca: CAProcess, tmp_path: Path) -> None:
    server, client = ca.enrolled(tmp_path, "server1"), ca.enrolled(tmp_path, "client1")
    with serving(server) as address, calling(client, address) as call:
        call()
    assert {path.stat().st_mode & 0o077 for path in (server.folder, *server.folder.iterdir())} == {0}
    assert sorted(path.name for path in server.folder.iterdir()) == ["authorities.pem", "identity.pem"]


def test_a_token_is_used_once_over_the_network_too(ca: CAProcess, tmp_path: Path) -> None:
    token = ca.token("server1")
    enrol(Identity(tmp_path / "first"), token)
    with pytest.raises(Unauthorized, match="'server1' was used already") as refused:
        enrol(Identity(tmp_path / "second"), token)
    assert type(refused.value).__name__ in ("TokenUsed", "Unauthorized")
    assert ca.audit()[-1]["reason"] == "TokenUsed"
    assert not (tmp_path / "second" / "identity.pem").exists()


def test_a_part_does_not_use_a_token_of_another_name(ca: CAProcess, tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="is for 'server1', and this is 'server2'"):
        enrol(Identity(tmp_path / "x"), ca.token("server1"), name="server2")


def test_a_part_does_not_enrol_with_an_impostor(ca: CAProcess, new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    """It listens where the token says, but has no certificate of the token's roots: it must not see the secret."""
    import dataclasses

    impostor = new_ca().start()
    token = dataclasses.replace(ca.token("server1"), enrol_address=impostor.enrol_address)
    before = len(impostor.audit())
    with pytest.raises(Unavailable):
        enrol(Identity(tmp_path / "x"), token)
    assert len(impostor.audit()) == before


def test_who_has_no_certificate_is_not_renewed(ca: CAProcess) -> None:
    client = Client.with_roots(ca.grpc, ca.token("x").roots.encode())
    try:
        with pytest.raises(Unavailable):
            ca.call_with(client, "Renew", request=b"")
    finally:
        client.close()
    expect_audited(ca, "no certificate was shown")


def test_a_certificate_of_another_authority_is_not_renewed(
    ca: CAProcess, new_ca: Callable[..., CAProcess], tmp_path: Path
) -> None:
    foreign = new_ca().start().enrolled(tmp_path, "server1")
    ours = ca.enrolled(tmp_path, "client1")
    tls = TLSFiles(certificate=foreign.file, key=foreign.file, authorities=ours.authorities_file)
    client = Client(ca.grpc, token=ADMIN_TOKEN, tls=tls)
    try:
        for method in ("Renew", "GetAuthorities", "GetState"):
            with pytest.raises(Unavailable):
                ca.call_with(client, method)
    finally:
        client.close()
    expect_audited(ca, "the certificate that was shown is of an authority that is not trusted here")


def test_an_expired_certificate_opens_no_door(ca: CAProcess, tmp_path: Path) -> None:
    expired, server = ca.enrolled(tmp_path, "short", lifetime_s=1), ca.enrolled(tmp_path, "server1")

    def is_refused() -> bool:
        with serving(server) as address, calling(expired, address) as call, contextlib.suppress(Unavailable):
            call()
            return False
        return True

    eventually(is_refused)
    with contextlib.closing(AuthorityClient(expired, ca.grpc)) as authority, pytest.raises(Unavailable):
        authority.renew()
    expect_audited(ca, "the certificate that was shown has expired")


def expect_audited(ca: CAProcess, message: str) -> None:
    """A handshake comes to no call, so it is the authority's log and audit log that have to say why."""

    def is_there() -> bool:
        entries = [each for each in ca.audit() if (each["event"], each.get("action")) == ("refused", "handshake")]
        return message in [each["message"] for each in entries]

    eventually(is_there)
    assert '"handshake_refused"' in ca.log.read_text()


def test_a_server_of_another_name_is_not_talked_to(ca: CAProcess, tmp_path: Path) -> None:
    server, client = ca.enrolled(tmp_path, "server1", "elsewhere.example.com"), ca.enrolled(tmp_path, "client1")
    with serving(server) as address, calling(client, address) as call, pytest.raises(Unavailable):
        call()


def test_a_revoked_certificate_is_refused_by_parts_and_by_the_authority(ca: CAProcess, tmp_path: Path) -> None:
    server, client = ca.enrolled(tmp_path, "server1"), ca.enrolled(tmp_path, "revoked1")
    with (
        contextlib.closing(AuthorityClient(server, ca.grpc)) as authority_of_server,
        contextlib.closing(AuthorityClient(client, ca.grpc)) as authority_of_client,
        serving(server) as address,
        calling(client, address) as call,
    ):
        call()
        assert authority_of_server.update_authorities() is False
        assert ca.call("Revoke", name="revoked1", reason="keyCompromise").serials
        with pytest.raises(Unauthorized, match="is revoked"):
            authority_of_client.renew()
        assert authority_of_server.update_authorities() is True

        def is_refused() -> bool:
            with contextlib.suppress(Unauthorized):
                call()
                return False
            return True

        # On the connection that it has: nothing waits for a new one.
        eventually(is_refused)
        with pytest.raises(Unauthorized, match="is revoked: enrol it with a new token"):
            call()


def test_a_renewal_gets_a_new_key_and_asks_for_no_names_of_others(ca: CAProcess, tmp_path: Path) -> None:
    identity = ca.enrolled(tmp_path, "server1")
    before = identity.file.read_bytes()
    with contextlib.closing(AuthorityClient(identity, ca.grpc)) as authority:
        authority.renew()
    assert identity.file.read_bytes().split(b"-----END")[0] != before.split(b"-----END")[0]
    certificate = identity.certificate()
    assert certificate is not None
    assert certificate.subject.rfc4514_string() == "CN=server1"


@pytest.mark.parametrize("method", ["CreateToken", "Issue", "Revoke", "Rotate", "GetState", "GetAudit", "ListCertificates"])
def test_a_certificate_alone_administers_nothing(ca: CAProcess, tmp_path: Path, method: str) -> None:
    client = Client(ca.grpc, token="wrong", tls=ca.enrolled(tmp_path, "client1").tls)
    try:
        with pytest.raises(Unauthorized, match="no valid token"):
            ca.call_with(client, method)
    finally:
        client.close()


def test_a_web_admin_sees_the_certificates_and_others_do_not(ca: CAProcess, tmp_path: Path) -> None:
    for purpose, is_let_in in (("webadmin", True), ("operator", True), ("server", False)):
        grant = messages.Grant(
            name=f"a-{purpose}", alternative_names=["127.0.0.1"] if purpose == "server" else [], purpose=purpose
        )
        identity = Identity(tmp_path / purpose)
        enrol(identity, parse_token(ca.call("CreateToken", grant=grant).token), name=f"a-{purpose}")
        with contextlib.closing(Client(ca.grpc, token="wrong", tls=identity.tls)) as client:
            if is_let_in:
                found = ca.call_with(client, "GetOverview")
                assert f"a-{purpose}" in [each.name for each in found.certificates]
                assert all(not each.certificate for each in found.certificates)
                assert {each.level for each in found.state.authorities} == {"root", "intermediate"}
            else:
                with pytest.raises(Forbidden, match="for web admins and operators"):
                    ca.call_with(client, "GetOverview")


def test_the_enrolment_door_leads_to_nothing_else(ca: CAProcess) -> None:
    client = Client.with_roots(ca.enrol_address, ca.token("x").roots.encode())
    client._token = ADMIN_TOKEN
    try:
        with pytest.raises(ZatoError, match="Method not found"):
            ca.call_with(client, "GetState")
    finally:
        client.close()


def test_what_is_public_is_served_over_http(ca: CAProcess) -> None:
    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://{ca.http}{path}", timeout=5) as response:
            return str(response.read().decode())

    assert x509.load_pem_x509_certificates(get("/authorities.pem").encode())
    metrics = get("/metrics")
    assert 'zato_ca_issued_total{source="own"} 1.0' in metrics
    assert 'zato_ca_authority_expiry_timestamp_seconds{level="root",name="Zato root 1",state="active"}' in metrics
    with pytest.raises(urllib.error.HTTPError):
        get("/work/authority.db")


def test_no_secret_is_in_the_log(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca(log_level="DEBUG").start()
    token = ca.token("server1")
    enrol(Identity(tmp_path / "server1"), token)
    with pytest.raises(ZatoError):
        enrol(Identity(tmp_path / "server2"), token)
    assert ca.stop() == 0
    log = ca.log.read_text()
    secrets = (token.secret, ADMIN_TOKEN, (ca.folder / "secrets.toml").read_text().split('"')[3], "PRIVATE KEY")
    assert [secret for secret in secrets if secret in log] == []
    assert "ca_stopped" in log
