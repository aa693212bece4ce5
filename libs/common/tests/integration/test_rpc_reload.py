"""Certificates, keys and authorities change while servers and clients run: all take them up, no call fails."""

import datetime
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from zato.common.errors import InvalidOptions, Unauthorized, Unavailable
from zato.common.rpc.material import MaterialReader
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.waiting import eventually


@pytest.fixture
def old(tmp_path: Path) -> CertificateAuthority:
    (tmp_path / "old").mkdir()
    return CertificateAuthority(tmp_path / "old", "old-authority")


@pytest.fixture
def new(tmp_path: Path) -> CertificateAuthority:
    (tmp_path / "new").mkdir()
    return CertificateAuthority(tmp_path / "new", "new-authority")


def replace(tls: TLSFiles, certificates: TLSFiles, *authorities: CertificateAuthority) -> None:
    """Put other files in the place of the ones in use, one after the other."""
    assert tls.certificate and tls.key and tls.authorities and certificates.certificate and certificates.key
    tls.key.write_bytes(certificates.key.read_bytes())
    tls.certificate.write_bytes(certificates.certificate.read_bytes())
    tls.authorities.write_bytes(b"".join(authority.file.read_bytes() for authority in authorities))


def copy_of(tls: TLSFiles, folder: Path) -> TLSFiles:
    folder.mkdir()
    files = {"certificate": tls.certificate, "key": tls.key, "authorities": tls.authorities}
    for name, file in files.items():
        assert file is not None
        (folder / name).write_bytes(file.read_bytes())
    return TLSFiles(**{name: folder / name for name in files})


def test_calls_go_on_while_authorities_are_exchanged(
    caller: Any, serve: Any, part: Any, old: CertificateAuthority, new: CertificateAuthority, tmp_path: Path
) -> None:
    server, client = copy_of(old.issue("server"), tmp_path / "s"), copy_of(old.issue("client"), tmp_path / "c")
    served = serve(part, tls=server)
    connected = caller.connect(served.target, tls=client)
    calls = 0

    def takes(tls: TLSFiles) -> bool:
        nonlocal calls
        # Fails the test if a call does, whichever files are taken by now.
        assert connected.join()
        calls += 1
        try:
            return bool(caller.connect(served.target, tls=tls).join(timeout_s=2))
        except Unavailable:
            return False

    # Both are trusted first, then both show the new certificates, then the old authority is forgotten.
    for tls, name in ((server, "server"), (client, "client")):
        replace(tls, old.issue(name), old, new)
    stranger = new.issue("stranger")
    both = TLSFiles(certificate=stranger.certificate, key=stranger.key, authorities=client.authorities)
    eventually(lambda: takes(both))
    for tls, name in ((server, "server"), (client, "client")):
        replace(tls, new.issue(name), new, old)
    eventually(lambda: takes(TLSFiles(certificate=stranger.certificate, key=stranger.key, authorities=new.file)))
    for tls, name in ((server, "server"), (client, "client")):
        replace(tls, new.issue(name), new)
    before = TLSFiles(certificate=old.issue("late").certificate, key=old.issue("late").key, authorities=new.file)
    eventually(lambda: not takes(before))
    assert connected.join()
    assert calls >= 3


def test_a_revoked_client_is_refused_on_the_connection_that_it_has(
    caller: Any, serve: Any, part: Any, old: CertificateAuthority, tmp_path: Path
) -> None:
    server, client, other = old.issue("server"), old.issue("client"), old.issue("other")
    own = copy_of(server, tmp_path / "s")
    served = serve(part, tls=own)
    revoked, good = caller.connect(served.target, tls=client), caller.connect(served.target, tls=other)
    assert revoked.join()
    assert own.authorities
    with own.authorities.open("ab") as file:
        file.write(revocation_list(old, client))

    def is_refused() -> bool:
        try:
            revoked.join()
        except Unauthorized as exc:
            return "is revoked" in exc.message
        return False

    eventually(is_refused)
    assert good.join()


def revocation_list(authority: CertificateAuthority, revoked: TLSFiles) -> bytes:
    assert revoked.certificate is not None
    now = datetime.datetime.now(datetime.UTC)
    serial = x509.load_pem_x509_certificate(revoked.certificate.read_bytes()).serial_number
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority._name).last_update(now)
    builder = builder.next_update(now + datetime.timedelta(hours=1)).add_revoked_certificate(entry)
    return builder.sign(authority._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_files_that_do_not_fit_together_are_not_taken(old: CertificateAuthority, new: CertificateAuthority) -> None:
    class Clock:
        """Each look is later than the one before."""

        now_s = 0.0

        def now(self) -> float:
            return time.time()

        def monotonic(self) -> float:
            self.now_s += 10
            return self.now_s

    tls = old.issue("server")
    reader = MaterialReader(tls, Clock())
    first = reader.newest()
    assert tls.certificate
    whole = tls.certificate.read_bytes()
    for content in (new.issue("server").certificate, None):
        tls.certificate.write_bytes(content.read_bytes() if content else b"nonsense")
        assert reader.newest() is first
    tls.certificate.unlink()
    assert reader.newest() is first
    tls.certificate.write_bytes(whole + b"\n")
    assert reader.newest() is not first
    tls.certificate.write_bytes(b"nonsense")
    with pytest.raises(InvalidOptions, match="not a certificate and its key"):
        tls.reader()


def test_a_key_is_not_in_a_repr(old: CertificateAuthority) -> None:
    assert "PRIVATE" not in repr(old.issue("server").reader().newest())


def test_a_call_that_runs_ends_on_the_connection_that_it_began_on(
    caller: Any,
    serve: Any,
    part: Any,
    old: CertificateAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = copy_of(old.issue("client"), tmp_path / "c")
    served = serve(part, tls=old.issue("server"))
    connected = caller.connect(served.target, tls=client)
    connected.join()
    seconds = [2.0]
    # The first call that asks takes so long, the others take no time.
    monkeypatch.setattr(type(part), "takes_s", property(lambda _self: seconds.pop() if seconds else 0.0), raising=False)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(connected.join, timeout_s=20)
        eventually(lambda: seconds == [])
        replace(client, old.issue("client"), old)
        eventually(lambda: connected.join() and connections(served.port) == 2)
        assert running.result()
    eventually(lambda: connected.join() and connections(served.port) == 1)


def connections(port: int) -> int:
    """How many clients are connected."""
    return len([each for each in psutil.Process().net_connections("tcp") if each.raddr and each.raddr.port == port])
