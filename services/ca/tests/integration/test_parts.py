"""A part from its first start on: it gets its certificate by itself, keeps it fresh, and lets in by role."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import structlog
from running_ca import CLUSTER_TOKEN, SERVICE, CAProcess, _Drained, calling

from zato.common.certificates.identity import Identity
from zato.common.certificates.keeping import CertificateKeeper
from zato.common.certificates.settings import TrustSettings
from zato.common.errors import Forbidden, InvalidOptions, Unauthorized
from zato.common.rpc.roles import name_of
from zato.common.rpc.server import ThreadedServer
from zato.common.testing.waiting import eventually
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import add_LoadBalancerServicer_to_server


def token_text(ca: CAProcess, name: str, purpose: str, *, is_reusable: bool = False, lifetime_s: float = 0.0) -> str:
    grant = messages.Grant(name=name, alternative_names=["127.0.0.1"], purpose=purpose, lifetime_s=lifetime_s)
    return str(ca.call("CreateToken", grant=grant, is_reusable=is_reusable).token)


def settings_of(folder: Path, token: str = "", **more: str) -> TrustSettings:
    return TrustSettings(identity_folder=folder, enrolment_token=token, **more)


@contextmanager
def kept(settings: TrustSettings) -> Iterator[Identity]:
    keeper = CertificateKeeper(settings, threading.Event().wait)
    assert keeper.begin()
    assert settings.identity_folder is not None
    try:
        yield Identity(settings.identity_folder)
    finally:
        keeper.end()


@contextmanager
def agent(identity: Identity) -> Iterator[str]:
    """A load-balancer's agent, which lets in by role."""
    server = ThreadedServer(
        "127.0.0.1:0",
        token=CLUSTER_TOKEN,
        services=[SERVICE],
        add=lambda grpc_server: add_LoadBalancerServicer_to_server(_Drained(), grpc_server),
        tls=identity.tls,
        checks_roles=True,
    )
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop(1.0)


def test_an_authority_that_is_not_there_yet_is_waited_for(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca().start()
    token = token_text(ca, "server1", "server")
    ca.stop()
    keeper = CertificateKeeper(settings_of(tmp_path / "identity", token), threading.Event().wait)
    with structlog.testing.capture_logs() as lines:
        waiting = threading.Thread(target=keeper.begin)
        waiting.start()
        eventually(lambda: [line for line in lines if line["event"] == "certificate_authority_awaited"])
        ca.start()
        waiting.join(20)
        assert not waiting.is_alive()
    keeper.end()
    said = [line["event"] for line in lines if line["log_level"] in ("info", "warning")]
    assert said == ["certificate_authority_awaited", "certificate_obtained"]
    assert lines[0]["address"] == ca.enrol_address


def test_who_is_told_to_stop_does_not_wait_any_longer(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca().start()
    token = token_text(ca, "server1", "server")
    ca.stop()
    stop = threading.Event()
    stop.set()
    assert not CertificateKeeper(settings_of(tmp_path / "identity", token), stop.wait).begin()


def test_a_part_with_a_valid_certificate_starts_without_the_authority(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca().start()
    with kept(settings_of(tmp_path / "identity", token_text(ca, "server1", "server"))):
        pass
    ca.stop()
    began_at = time.monotonic()
    with kept(settings_of(tmp_path / "identity", ca_address=ca.grpc)) as identity:
        assert identity.certificate() is not None
    assert time.monotonic() - began_at < 5


def test_without_certificate_and_token_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="no 'enrolment_token' to get one: make a token with 'zato ca token'"):
        CertificateKeeper(settings_of(tmp_path), threading.Event().wait).begin()


def test_a_token_that_is_refused_ends_the_start_with_the_reason(ca: CAProcess, tmp_path: Path) -> None:
    token = token_text(ca, "server1", "server")
    with kept(settings_of(tmp_path / "first", token)):
        pass
    with pytest.raises(Unauthorized, match="'server1' was used already"):
        CertificateKeeper(settings_of(tmp_path / "second", token), threading.Event().wait).begin()


def test_a_part_lives_on_over_many_lives_of_its_certificate(ca: CAProcess, tmp_path: Path) -> None:
    """New files are taken up by servers and clients that run, and no call fails."""
    server = settings_of(tmp_path / "server", token_text(ca, "lb-agent", "lb-agent", lifetime_s=3.0))
    client = settings_of(tmp_path / "client", token_text(ca, "me", "operator", lifetime_s=3.0))
    with kept(server) as shown, kept(client) as identity, agent(shown) as address, calling(identity, address) as call:
        seen = set()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            call()
            certificate = identity.certificate()
            assert certificate is not None
            seen.add(certificate.serial_number)
            time.sleep(0.02)
    assert len(seen) >= 4


def test_replicas_enrol_with_one_token_and_come_back_after_they_slept_too_long(ca: CAProcess, tmp_path: Path) -> None:
    token = token_text(ca, "server", "server", is_reusable=True, lifetime_s=1.0)
    with kept(settings_of(tmp_path / "a", token)) as first:
        before = first.certificate()
    with kept(settings_of(tmp_path / "b", token)) as second:
        assert second.certificate() != before
    assert before is not None and name_of(before).startswith("server.")
    eventually(lambda: time.time() > before.not_valid_after_utc.timestamp())
    with kept(settings_of(tmp_path / "a", token)) as again:
        assert again.certificate() != before


@pytest.mark.parametrize("role", ["server", "scheduler", "connector", "lb-agent", "part", "client"])
def test_a_role_that_may_not_call_is_refused_and_logged(ca: CAProcess, tmp_path: Path, role: str) -> None:
    ours = settings_of(tmp_path / "agent", token_text(ca, "lb-agent", "lb-agent"))
    theirs = settings_of(tmp_path / "caller", token_text(ca, "somebody", role))
    with ExitStack() as stack:
        shown, identity = stack.enter_context(kept(ours)), stack.enter_context(kept(theirs))
        call = stack.enter_context(calling(identity, stack.enter_context(agent(shown))))
        lines = stack.enter_context(structlog.testing.capture_logs())
        with pytest.raises(Forbidden, match=f"may not call /{SERVICE}/Drain"):
            call()
    refusal = next(line for line in lines if line["event"] == "call_refused")
    assert (refusal["caller"], refusal["method"]) == ("somebody", f"/{SERVICE}/Drain")


def test_an_operator_is_let_in_until_the_certificate_is_revoked(ca: CAProcess, tmp_path: Path) -> None:
    ours = settings_of(tmp_path / "agent", token_text(ca, "lb-agent", "lb-agent"))
    theirs = settings_of(tmp_path / "me", token_text(ca, "me", "operator"))
    with kept(ours) as shown, kept(theirs) as identity, agent(shown) as address, calling(identity, address) as call:
        call()
        ca.call("Revoke", name="me")
        shown.keep_authorities(ca.call("GetAuthorities").authorities)

        def is_refused() -> bool:
            try:
                call()
            except Unauthorized as exc:
                return "is revoked" in exc.message
            return False

        with structlog.testing.capture_logs() as lines:
            eventually(is_refused)
    assert [line["caller"] for line in lines if line["event"] == "call_refused"][:1] == ["me"]
