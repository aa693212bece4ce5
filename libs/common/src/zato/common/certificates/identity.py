"""
The folder of a part's certificate:

    identity.pem        its key, its certificate, the chain. One file, so that they are replaced together
    authorities.pem     whom it trusts, and what of theirs is revoked
"""

import contextlib
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zato.common.errors import InvalidOptions
from zato.common.lifecycle.folders import write_secret
from zato.common.rpc.tls import TLSFiles

_NEW_KEY, _REQUEST = "key.new.pem", "request.new.pem"


@dataclass(frozen=True)
class KeyAndRequest:
    """A key of ours in PEM, and the request (PKCS #10) to certify it."""

    key: str = field(repr=False)
    request: bytes


class Identity:
    """
    Args:
        folder: Made when it is missing; for its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "identity.pem"
        self.authorities_file = folder / "authorities.pem"

    @property
    def tls(self) -> TLSFiles:
        return TLSFiles(certificate=self.file, key=self.file, authorities=self.authorities_file)

    def certificate(self) -> x509.Certificate | None:
        """Return the certificate that is there. Raises InvalidOptions when it is damaged."""
        try:
            return x509.load_pem_x509_certificate(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is no certificate"
            raise InvalidOptions(f"{self.file} cannot be read: {reason}") from None

    def begun(self, name: str, alternative_names: tuple[str, ...]) -> KeyAndRequest:
        """
        Return a key on disk and its request. After a crash it is the same one, so that a token whose answer was lost
        gives the certificate still.
        """
        self._make_folder()
        request_file = self.folder / _REQUEST
        with contextlib.suppress(OSError):
            begun = KeyAndRequest((self.folder / _NEW_KEY).read_text(), request_file.read_bytes())
            if _is_request_of(begun, name):
                return begun
        begun = new_request(name, alternative_names)
        write_secret(self.folder / _NEW_KEY, begun.key)
        write_secret(request_file, begun.request.decode())
        return begun

    def keep(self, key: str, certificate: bytes, authorities: bytes) -> None:
        """Take a new key, certificate and authorities; each file is replaced whole."""
        # Whom to trust first: others may show what only the new ones vouch for.
        self.keep_authorities(authorities)
        write_secret(self.file, key + certificate.decode())
        for name in (_NEW_KEY, _REQUEST):
            (self.folder / name).unlink(missing_ok=True)

    def keep_authorities(self, authorities: bytes) -> bool:
        """Take new authorities; says whether they differ from the ones before."""
        with contextlib.suppress(FileNotFoundError):
            if self.authorities_file.read_bytes() == authorities:
                return False
        self._make_folder()
        write_secret(self.authorities_file, authorities.decode())
        return True

    def _make_folder(self) -> None:
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        except OSError as exc:
            raise InvalidOptions(f"Folder {self.folder} cannot be made: {exc.strerror}") from exc


def new_request(name: str, alternative_names: tuple[str, ...]) -> KeyAndRequest:
    """Make a key and the request to certify it; names may be left out where the authority knows them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names: list[x509.GeneralName] = []
    for alternative in alternative_names:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(alternative)))
        except ValueError:
            names.append(x509.DNSName(alternative))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return KeyAndRequest(key.private_bytes(encoding, form, serialization.NoEncryption()).decode(), request)


def _is_request_of(begun: KeyAndRequest, name: str) -> bool:
    """Whether what a crash left behind is whole and for this name."""
    try:
        request = x509.load_pem_x509_csr(begun.request)
        is_pair = serialization.load_pem_private_key(begun.key.encode(), None).public_key() == request.public_key()
    except (ValueError, TypeError):
        return False
    return is_pair and [attribute.value for attribute in request.subject] == [name]
