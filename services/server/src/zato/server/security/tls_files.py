"""TLS of outgoing connections: our certificate with its key, and the authorities that the other side's has to come from."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from zato.common.errors import ZatoError
from zato.common.kinds import Kind
from zato.common.options import option, options


class BadCertificate(ZatoError):
    """A certificate or a key can't be used."""


@options
class TLSKeyCertOptions:
    """A certificate and its private key, which outgoing connections show."""

    value: str = option(
        "Both as PEM, the key without a passphrase, and the certificates between ours and the root", secret=True
    )

    def __post_init__(self) -> None:
        if "-----BEGIN CERTIFICATE-----" not in self.value or "PRIVATE KEY-----" not in self.value:
            raise ValueError("'value' takes a certificate and its private key as PEM")
        if "BEGIN ENCRYPTED PRIVATE KEY" in self.value or "Proc-Type: 4,ENCRYPTED" in self.value:
            raise ValueError("'value' takes a private key without a passphrase: it is encrypted by the server itself")


@options
class TLSCACertOptions:
    """Certificates of authorities; the other side's certificate has to come from one of them."""

    value: str = option("The certificates as PEM")

    def __post_init__(self) -> None:
        if "-----BEGIN CERTIFICATE-----" not in self.value or "PRIVATE KEY-----" in self.value:
            raise ValueError("'value' takes certificates as PEM, without any key")


KEY_CERT = Kind("security-tls-key-cert", "TLS key and certificate", TLSKeyCertOptions)
CA_CERT = Kind("security-tls-ca-cert", "TLS authorities", TLSCACertOptions)


def client_context(own: TLSKeyCertOptions | None = None, authorities: TLSCACertOptions | None = None) -> ssl.SSLContext:
    """
    Return what a client connects with: the other side is always checked, by the system's authorities unless others are given.

    Raises:
        BadCertificate: A certificate or a key can't be read, or they don't fit each other.
    """
    try:
        context = ssl.create_default_context(cadata=authorities.value if authorities is not None else None)
        if own is not None:
            with _private_file(own.value) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, ValueError, OSError) as exc:
        raise BadCertificate(
            "A TLS certificate or key cannot be used: check that it is PEM, and the key the certificate's"
        ) from exc
    return context


@contextlib.contextmanager
def _private_file(text: str) -> Iterator[str]:
    """OpenSSL's reader takes files only. This one is ours alone, and gone at once."""
    handle, path = tempfile.mkstemp(prefix="zato-tls-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)
