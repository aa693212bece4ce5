"""TLS towards other systems, as the options of a connection say."""

import ssl
import tempfile
from pathlib import Path


def client_context(*, verify: bool, ca_certificates: str, client_certificate: str = "", client_key: str = "") -> ssl.SSLContext:
    """
    Args:
        verify: Without it any certificate is taken, and somebody in between can read along.
        ca_certificates: PEM of the authorities to trust; those of the machine when empty.
        client_certificate: PEM of who we are, with the chain behind it.
        client_key: PEM of its key, not encrypted.

    Raises:
        ValueError: One of them is no PEM, or the key is not the certificate's.
    """
    try:
        ca_certificates.encode("ascii")  # with anything else in it the next line raises a TypeError
        context = ssl.create_default_context(cadata=ca_certificates or None)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if client_certificate:
            _load(context, client_certificate, client_key)
    except (ssl.SSLError, ValueError) as exc:
        raise ValueError("The certificates or the key are not valid PEM, or do not belong together") from exc
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL takes these from files only: they exist for this moment, in a folder that nobody else can enter."""
    with tempfile.TemporaryDirectory(prefix="zato-tls-") as folder:
        pem = Path(folder) / "client.pem"
        pem.write_text(f"{certificate}\n{key}\n")
        # A question for the key's password would wait at the terminal.
        context.load_cert_chain(pem, password=lambda: "")
