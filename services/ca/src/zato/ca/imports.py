"""An organisation's own authority instead of one that we make: checked before anything is kept of it."""

import datetime
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from zato.ca.certificates import PrivateKey
from zato.ca.errors import BadAuthority

_MAX_CHAIN = 2


@dataclass(frozen=True)
class Imported:
    """`chain` is the certificate that issues, then its root."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)


def read_imported(certificates: bytes, key: bytes, *, now: float, passphrase: bytes | None = None) -> Imported:
    """
    Args:
        certificates: PEM: the intermediate, then its root.
        key: PEM, of the intermediate.

    Raises:
        BadAuthority: It can't issue; says why.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificates))
    except ValueError:
        raise BadAuthority("The certificates cannot be read: give the intermediate, then its root, in PEM") from None
    if len(chain) != _MAX_CHAIN:
        raise BadAuthority(f"The file has {len(chain)} certificates: it takes the intermediate, then its root")
    _check_chain(chain, now)
    return Imported(chain, _read_key(chain[0], key, passphrase))


def _read_key(certificate: x509.Certificate, key: bytes, passphrase: bytes | None) -> PrivateKey:
    try:
        loaded = load_pem_private_key(key, passphrase)
    except (ValueError, TypeError):
        # Without the cause, which may quote the key.
        raise BadAuthority("The key cannot be read: it takes PEM, and its passphrase if it has one") from None
    if not isinstance(loaded, PrivateKey):
        raise BadAuthority("The key is of a kind that is not taken: use an elliptic curve or RSA")
    if loaded.public_key() != certificate.public_key():
        raise BadAuthority("The key does not belong to the first certificate of the file")
    return loaded


def _check_chain(chain: tuple[x509.Certificate, ...], now: float) -> None:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    for certificate, issuer in zip(chain, (*chain[1:], chain[-1]), strict=True):
        name = certificate.subject.rfc4514_string()
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError):
            raise BadAuthority(f"'{name}' is not issued by '{issuer.subject.rfc4514_string()}'") from None
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begin <= moment < end:
            raise BadAuthority(f"'{name}' is not valid now: it is from {begin} until {end}")
        # Old roots say nothing of the use of their key.
        if not _is_authority(certificate, is_silence_enough=certificate is chain[-1]):
            raise BadAuthority(f"'{name}' must be an authority that may sign revocation lists (CA:TRUE, keyCertSign, cRLSign)")


def _is_authority(certificate: x509.Certificate, *, is_silence_enough: bool) -> bool:
    try:
        extensions = certificate.extensions
        is_ca = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return is_ca and is_silence_enough
    return is_ca and usage.key_cert_sign and usage.crl_sign
