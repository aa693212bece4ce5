"""Certificates for tests of what speaks TLS: an authority of the test's own, made in milliseconds."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zato.common.rpc.tls import TLSFiles

_LIFETIME = datetime.timedelta(hours=1)


class CertificateAuthority:
    """
    Args:
        folder: Where its files and those of its certificates go.
        name: Tells two of them apart.
    """

    def __init__(self, folder: Path, name: str = "test-authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = _builder(self._name, self._name, self._key.public_key())
        certificate = certificate.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(certificate.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *hosts: str, expired: bool = False) -> TLSFiles:
        """Make a key and a certificate for `name`, valid at `hosts` (localhost and 127.0.0.1 without any)."""
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.datetime.now(datetime.UTC) - (2 * _LIFETIME if expired else _LIFETIME / 60)
        certificate = _builder(_name(name), self._name, key.public_key(), start=start)
        alternatives = [_alternative(host) for host in hosts or ("localhost", "127.0.0.1")]
        certificate = certificate.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate_file.write_bytes(_pem(certificate.sign(self._key, hashes.SHA256())))
        key_file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        key_file.chmod(0o600)
        return TLSFiles(certificate=certificate_file, key=key_file, authorities=self.file)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime.datetime | None = None
) -> x509.CertificateBuilder:
    start = start or datetime.datetime.now(datetime.UTC) - _LIFETIME / 60
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + _LIFETIME)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
