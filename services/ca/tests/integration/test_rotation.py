"""Certificates, intermediates and roots change while parts talk, and no call fails."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from running_ca import CAProcess, Traffic, serving

from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.renewal import Renewer
from zato.common.certificates.tokens import parse_token
from zato.common.errors import Unavailable
from zato.common.testing.waiting import eventually
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages

pytestmark = pytest.mark.timeout(120)

LIFETIME_S = 6.0
# Parts hear of a new root when they renew, after two thirds of their lifetime at the latest: no poll comes to help.
NOTICE_S = 5.5
POLL_S = 60.0


def issuer_of(identity: Identity) -> str:
    certificate = identity.certificate()
    assert certificate is not None
    return certificate.issuer.rfc4514_string().removeprefix("CN=Zato ")


def trusted_by(identity: Identity) -> tuple[str, ...]:
    roots = x509.load_pem_x509_certificates(identity.authorities_file.read_bytes())
    return tuple(root.subject.rfc4514_string().removeprefix("CN=Zato ") for root in roots)


def test_no_call_fails_while_root_and_intermediate_rotate(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca(lifetime_s=LIFETIME_S, root_notice_s=NOTICE_S).start()
    server, client = ca.enrolled(tmp_path, "server1"), ca.enrolled(tmp_path, "client1")
    identities = (server, client, ca.identity)
    with contextlib.ExitStack() as stack:
        for identity in (server, client):
            renewer = Renewer(identity, ca.grpc, poll_s=POLL_S)
            renewer.start()
            stack.callback(renewer.stop)
        address = stack.enter_context(serving(server))
        kept = stack.enter_context(Traffic(client, address, is_kept=True))
        fresh = stack.enter_context(Traffic(client, address, is_kept=False))
        first = {identity: identity.file.read_bytes() for identity in identities}

        ca.call("Rotate", level="intermediate", after_s=-1)
        eventually(lambda: {issuer_of(each) for each in identities} == {"intermediate 2"}, timeout_s=30)

        ca.call("Rotate", level="root", after_s=-1)
        assert ca.states()["root 2"] == "next"
        eventually(lambda: {issuer_of(each) for each in identities} == {"intermediate 3"}, timeout_s=30)
        eventually(lambda: ca.states()["root 1"] == "retired", timeout_s=30)
        eventually(lambda: {trusted_by(each) for each in identities} == {("root 2",)}, timeout_s=30)

        wanted = kept.succeeded + 50, fresh.succeeded + 50
        eventually(lambda: kept.succeeded > wanted[0] and fresh.succeeded > wanted[1], timeout_s=30)
    assert (kept.failures, fresh.failures) == ([], [])
    assert all(identity.file.read_bytes() != before for identity, before in first.items())
    print(f"{kept.succeeded + fresh.succeeded} calls, 0 failed")


def test_a_part_is_renewed_in_time_again_and_again_and_outlives_the_authority_for_a_while(
    new_ca: Callable[..., CAProcess], tmp_path: Path
) -> None:
    ca = new_ca(lifetime_s=LIFETIME_S).start()
    identity = ca.enrolled(tmp_path, "server1")
    renewer = Renewer(identity, ca.grpc, poll_s=0.2)
    renewer.start()
    try:
        seen = {identity.file.read_bytes()}
        ca.kill()
        # An authority that is away for a moment is asked again; the certificate lives on.
        ca.start()

        def is_renewed_twice() -> bool:
            seen.add(identity.file.read_bytes())
            return len(seen) >= 3

        eventually(is_renewed_twice, timeout_s=40)
    finally:
        renewer.stop()
    assert [entry["source"] for entry in ca.audit() if entry.get("name") == "server1" and entry["event"] == "issued"][:3] == [
        "token",
        "renewal",
        "renewal",
    ]


def test_a_token_made_before_the_root_rotated_enrols_after_it_and_trusts_the_new_root_alone(
    new_ca: Callable[..., CAProcess], tmp_path: Path
) -> None:
    ca = new_ca(lifetime_s=2.0, root_notice_s=0.5).start()
    grant = messages.Grant(name="server", alternative_names=["server"], purpose="server")
    token = parse_token(ca.call("CreateToken", grant=grant, is_reusable=True).token)
    for retired in ("root 1", "root 2"):
        ca.call("Rotate", level="root", after_s=-1)
        eventually(lambda retired=retired: ca.states()[retired] == "retired", timeout_s=30)
    late = Identity(tmp_path / "late")
    enrol(late, token, own_name="server.late")
    assert (trusted_by(late), issuer_of(late)) == (("root 3",), "intermediate 3")


def test_a_token_of_another_authority_does_not_enrol_here(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    here, elsewhere = new_ca().start(), new_ca().start()
    token = replace(elsewhere.token("server"), enrol_address=here.enrol_address)
    with pytest.raises(Unavailable):
        enrol(Identity(tmp_path / "stranger"), token)
