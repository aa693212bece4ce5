"""`zato ca keep`: certificates for servers that are not ours."""

import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from running_ca import CAProcess

from zato.common.testing.waiting import eventually

ZATO = str(Path(sys.executable).parent / "zato")


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def keep(*servers: str) -> subprocess.Popen[str]:
        command = [ZATO, "ca", "keep", str(tmp_path / "kept"), *servers, "--poll", "0.2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield keep
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_servers_of_others_have_certificates_that_are_renewed(
    new_ca: Callable[..., CAProcess], keep: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    ca = new_ca(lifetime_s=4.0, root_notice_s=0.1).start()
    for name in ("postgres", "rabbitmq"):
        (tmp_path / f"{name}.token").write_text(ca.token(name, name, "localhost").to_text())
    ca.kill()
    process = keep(*(f"{name}={tmp_path / name}.token" for name in ("postgres", "rabbitmq")))
    # An authority that is away is waited for.
    ca.start()
    kept = tmp_path / "kept"
    eventually((kept / "authorities.pem").exists, timeout_s=30)
    first = {name: (kept / name / "identity.pem").read_bytes() for name in ("postgres", "rabbitmq")}
    assert stat.S_IMODE((kept / "authorities.pem").stat().st_mode) == 0o644
    for name in first:
        assert stat.S_IMODE((kept / name / "identity.pem").stat().st_mode) == 0o600
        # As a server loads it: key, certificate and chain of one file.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(kept / name / "identity.pem")
        eventually(lambda name=name: (kept / name / "identity.pem").read_bytes() != first[name], timeout_s=30)
    assert b"CRL" not in (kept / "authorities.pem").read_bytes()
    ca.call("Rotate", level="root", after_s=-1)
    eventually(lambda: len(x509.load_pem_x509_certificates((kept / "authorities.pem").read_bytes())) == 2, timeout_s=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.mark.parametrize("servers", ["postgres", "=file", "../x=file", "a/b=file"])
def test_what_is_no_name_and_file_is_said(keep: Callable[..., subprocess.Popen[str]], servers: str) -> None:
    output, _ = keep(servers).communicate(timeout=30)
    assert "NAME=TOKEN_FILE" in output and "Traceback" not in output
