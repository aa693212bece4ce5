"""Which versions of TLS parts speak to one another."""

import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority


@pytest.fixture
def files(tmp_path: Path) -> TLSFiles:
    return CertificateAuthority(tmp_path).issue("part")


@pytest.fixture
def port(files: TLSFiles) -> Iterator[int]:
    server = ThreadedServer("127.0.0.1:0", token="x", services=[], add=lambda _: None, tls=files)
    server.start()
    yield server.port
    server.stop(0)


def version_spoken(port: int, files: TLSFiles, version: ssl.TLSVersion) -> str | None:
    """Offer this version and no other one. Raises OSError when it is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert files.certificate is not None
    context.load_verify_locations(files.authorities)
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    # Our side has to be willing, or it would be the one that refuses.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # That some are out of date is the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        # In 1.3 a refusal comes after our side is done: its first frame says that it has let us in.
        assert connection.recv(1)
        return connection.version()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_versions_below_1_2_are_refused(port: int, files: TLSFiles, version: ssl.TLSVersion) -> None:
    # With an alert or without one.
    with pytest.raises(OSError):
        version_spoken(port, files, version)


@pytest.mark.parametrize(("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_versions_1_2_and_1_3_are_taken(port: int, files: TLSFiles, version: ssl.TLSVersion, name: str) -> None:
    assert version_spoken(port, files, version) == name
