"""Whom a part refused: what gRPC says of it, and how it is kept until it is in an audit log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zato.common.clock import ManualClock
from zato.common.rpc.handshakes import refusal_in
from zato.common.rpc.refusals import HANDSHAKE, Refusal, Refusals
from zato.common.testing.certificates import CertificateAuthority


def refusal(reason: str = "no certificate was shown") -> Refusal:
    return Refusal("", "", "", reason, "", HANDSHAKE)


def test_a_refusal_is_offered_until_it_is_noted() -> None:
    refusals = Refusals()
    refusals.take(refusal())
    (kept,) = refusals.offer()
    assert kept.refusal == refusal()
    assert refusals.offer() == [kept]
    refusals.noted([kept.id, "of another process"])
    assert refusals.offer() == []


def test_what_one_was_offered_another_one_gets_only_after_a_while() -> None:
    clock = ManualClock()
    refusals = Refusals(clock)
    refusals.take(refusal())
    offered = refusals.offer(again_after_s=6.0)
    assert len(offered) == 1
    assert refusals.offer(again_after_s=6.0) == []
    clock.advance(6.0)
    assert refusals.offer(again_after_s=6.0) == offered


def test_who_is_refused_all_the_time_does_not_fill_the_audit_log() -> None:
    clock = ManualClock()
    refusals = Refusals(clock)
    for number in range(200):
        refusals.take(refusal(str(number)))
    kept = refusals.offer()
    refusals.noted(each.id for each in kept)
    kept += refusals.offer()
    assert [each.refusal.reason for each in kept] == [str(number) for number in range(60)]
    clock.advance(60.0)
    refusals.take(refusal("a minute later"))
    assert refusals.offer()[-1].refusal.reason == "a minute later"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE: Invalid certificate verification context", "no certificate was shown"),
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "the certificate that was shown has expired"),
        ("HTTP_REQUEST: Invalid certificate verification context", "no TLS was spoken"),
        ("CERTIFICATE_VERIFY_FAILED: something new", "the certificate that was shown could not be verified"),
        # The other side refused us, and tells of it itself.
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED: Invalid certificate verification context", ""),
    ],
)
def test_what_grpc_says_of_a_handshake_is_understood(said: str, reason: str) -> None:
    line = f"I1124 18:30:31.5 4919 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: error:1:{said}"
    assert refusal_in(line.encode()) == reason


def test_other_lines_are_no_refusals() -> None:
    assert refusal_in(b"W1124 18:30:31.5 4919 log.cc:102] certificate has expired") is None


_SERVES = """
import os, socket, sys
from pathlib import Path
from zato.common import logs
from zato.common.rpc.handshakes import handshakes_watched
from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.waiting import eventually

logs.configure("part")
certificate, key, authorities = map(Path, sys.argv[1:])
tls = TLSFiles(certificate=certificate, key=key, authorities=authorities)
server = ThreadedServer("127.0.0.1:0", token="x", services=[], add=lambda _: None, tls=tls)
taken = []
with handshakes_watched(tls, taken.append):
    server.start()
    os.write(2, b"said by a library\\n")
    print("said by Python", file=sys.stderr)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        eventually(lambda: taken)
    server.stop(0)
os.write(2, b"said afterwards\\n")
print("also by Python", file=sys.stderr)
print(taken[0].reason)
"""


def test_a_refused_handshake_is_an_event_of_the_log_and_all_else_is_where_it_was(tmp_path: Path) -> None:
    files = CertificateAuthority(tmp_path).issue("server")
    paths = [str(path) for path in (files.certificate, files.key, files.authorities)]
    done = subprocess.run(
        [sys.executable, "-c", _SERVES, *paths], capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"}
    )
    assert (done.returncode, done.stdout) == (0, "no TLS was spoken\n"), done.stderr
    lines = done.stderr.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(each["event"], each["reason"], each["part"]) for each in events] == [
        ("handshake_refused", "no TLS was spoken", "part")
    ]
    assert "HTTP_REQUEST" in events[0]["error"]
    assert sorted(line for line in lines if "said" in line or "also" in line) == [
        "also by Python",
        "said afterwards",
        "said by Python",
        "said by a library",
    ]
