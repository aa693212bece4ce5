"""Making certificates and revocation lists. What goes into them is decided elsewhere."""

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from zato.ca.grants import PURPOSES, Grant
from zato.ca.requests import PublicKey
from zato.common.rpc.roles import ROLES, role_uri

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# Clocks of machines differ by a little; no more than a small part of a short life, or it would seem due for renewal at once.
_BACKDATED_S = 60.0
_BACKDATED_PART = 0.05
_NO_KEY_USAGE = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True)
class Signer:
    """An authority at work: its certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Revocation:
    """`reason` is as RFC 5280 names it, e.g. "keyCompromise"."""

    serial: int
    revoked_at: float
    reason: str


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def make_authority(name: str, *, now: float, lifetime_s: float, key: PrivateKey, parent: Signer | None) -> x509.Certificate:
    """Make a root (without `parent`) or an intermediate, which issues leafs only."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing_key = (parent.certificate.subject, parent.key) if parent else (subject, key)
    usage = x509.KeyUsage(**{**_NO_KEY_USAGE, "key_cert_sign": True, "crl_sign": True, "digital_signature": True})
    builder = _dated(now, lifetime_s, parent).subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    # A root vouches for the one that follows it too, see make_bridge, so it says nothing of the length of paths.
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0 if parent else None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(_authority_key_identifier(signing_key), critical=False)
    return builder.sign(signing_key, hashes.SHA384())


def make_bridge(root: x509.Certificate, earlier: Signer, *, now: float) -> x509.Certificate:
    """Certify a root's key by an earlier root: who trusts only that one, as old tokens do, believes the new one by this."""
    usage = x509.KeyUsage(**{**_NO_KEY_USAGE, "key_cert_sign": True, "crl_sign": True})
    lifetime_s = root.not_valid_after_utc.timestamp() - now
    builder = _dated(now, lifetime_s, earlier).subject_name(root.subject).issuer_name(earlier.certificate.subject)
    builder = builder.public_key(key := root.public_key()).serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    builder = builder.add_extension(_authority_key_identifier(earlier.key), critical=False)
    return builder.sign(earlier.key, hashes.SHA384())


def make_leaf(grant: Grant, key: PublicKey, signer: Signer, *, now: float) -> x509.Certificate:
    """Make the certificate of a part, which ends at the latest when its authority does."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, grant.name)])
    usage = {**_NO_KEY_USAGE, "digital_signature": True, "key_encipherment": isinstance(key, rsa.RSAPublicKey)}
    builder = _dated(now, grant.lifetime_s, signer).subject_name(subject)
    builder = builder.issuer_name(signer.certificate.subject).public_key(key).serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(PURPOSES[grant.purpose]), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    builder = builder.add_extension(_authority_key_identifier(signer.key), critical=False)
    names = [*map(_general_name, grant.alternative_names)]
    if grant.purpose in ROLES:
        names.append(x509.UniformResourceIdentifier(role_uri(grant.purpose)))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer.key, hashes.SHA256())


def make_revocation_list(
    signer: Signer, revocations: Iterable[Revocation], *, now: float, lifetime_s: float
) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(signer.certificate.subject)
    builder = builder.last_update(_moment(now)).next_update(_moment(now + lifetime_s))
    builder = builder.add_extension(x509.CRLNumber(int(now * 1000)), critical=False)
    builder = builder.add_extension(_authority_key_identifier(signer.key), critical=False)
    for revocation in revocations:
        entry = x509.RevokedCertificateBuilder().serial_number(revocation.serial)
        entry = entry.revocation_date(_moment(revocation.revoked_at))
        if revocation.reason != x509.ReasonFlags.unspecified.value:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signer.key, hashes.SHA256())


def pem_of(made: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> str:
    """Return the key in clear text: to be encrypted, never to be stored like this."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def fingerprint_of(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority_key_identifier(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _dated(now: float, lifetime_s: float, signer: Signer | None) -> x509.CertificateBuilder:
    begin = _moment(now - min(_BACKDATED_S, lifetime_s * _BACKDATED_PART))
    end = _moment(now + lifetime_s)
    if signer is not None:
        begin = max(begin, signer.certificate.not_valid_before_utc)
        end = min(end, signer.certificate.not_valid_after_utc)
    return x509.CertificateBuilder().not_valid_before(begin).not_valid_after(end)


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
