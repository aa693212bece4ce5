"""Our own certificate, which outgoing connections show where the other side wants one."""

import ssl
import tempfile
from pathlib import Path

from zato.common.errors import ZatoError
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.control.state import Configuration


class BadCertificate(ZatoError):
    """A certificate or its key can't be used."""


@options
class TLSKeyCertOptions:
    """A certificate and its private key, which outgoing connections show."""

    value: str = option("Certificate, its private key without a passphrase, and its chain, as PEM", secret=True)

    def __post_init__(self) -> None:
        if "-----BEGIN CERTIFICATE-----" not in self.value or "PRIVATE KEY-----" not in self.value:
            raise ValueError("'value' takes a certificate and its private key as PEM")
        if "BEGIN ENCRYPTED PRIVATE KEY" in self.value or "Proc-Type: 4,ENCRYPTED" in self.value:
            raise ValueError("'value' takes a private key without a passphrase: the server encrypts it itself")


KIND = Kind("security-tls-key-cert", "TLS key and certificate", TLSKeyCertOptions)


def tls_key_cert_of(name: str, configuration: Configuration) -> TLSKeyCertOptions | None:
    """Return the certificate that a connection with this security definition shows; None when it is of another kind."""
    for each in configuration.objects.values():
        if name and each.name == name and each.kind == KIND.name and each.is_active:
            given: TLSKeyCertOptions = each.options
            return given
    return None


def client_context(own: TLSKeyCertOptions) -> ssl.SSLContext:
    """
    Return what a client connects with. The other side's certificate is checked by the machine's authorities.

    Raises:
        BadCertificate: The certificate or the key can't be read, or they don't belong together.
    """
    context = ssl.create_default_context()
    # OpenSSL's reader takes files only. This one is in a folder that nobody else can enter, and gone at once.
    with tempfile.TemporaryDirectory(prefix="zato-tls-") as folder:
        pem = Path(folder) / "own.pem"
        pem.write_text(own.value)
        try:
            # A question for the key's passphrase would wait at the terminal.
            context.load_cert_chain(pem, password=lambda: "")
        except (ssl.SSLError, ValueError) as exc:
            raise BadCertificate("A TLS certificate cannot be used: is it PEM, and is the key the certificate's?") from exc
    return context
