"""Certificate requests (PKCS #10): what they may ask for. Names and key come from them, all else from the grant."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from zato.ca.errors import BadCertificateRequest, BadGrant, NamesNotGranted, WeakKey
from zato.ca.grants import Grant
from zato.ca.names import normal_name

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_MAX_BYTES = 16 * 1024
# What TLS of gRPC takes.
_CURVES = ("secp256r1", "secp384r1")
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENT = 65537
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# An extension that we know nothing of must not be granted by silence.
_KNOWN_EXTENSIONS = frozenset(
    {
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)


def checked_request(pem: bytes, grant: Grant) -> PublicKey:
    """
    Return the public key to certify.

    Raises:
        BadCertificateRequest: It can't be read, is not signed by its key, or asks to be an authority.
        WeakKey: The key is of a kind or size that is not taken.
        NamesNotGranted: It has a name that `grant` does not have.
    """
    request = _parsed(pem)
    try:
        extensions = request.extensions
        key = _checked_key(request)
        if not isinstance(request.signature_hash_algorithm, _HASHES):
            raise WeakKey("The certificate request is signed with a hash that is too weak: it takes SHA-256 or better")
        is_signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as exc:
        raise BadCertificateRequest(f"The certificate request is damaged ({type(exc).__name__}): make a new one") from None
    if not is_signed:
        raise BadCertificateRequest("The certificate request is not signed with its own key: make a new one")
    _check_subject(request, grant)
    _check_extensions(extensions, grant)
    return key


def requested_name(pem: bytes) -> str:
    """Return the common name that a request asks for, "" without one. Raises BadCertificateRequest when it can't be read."""
    try:
        subject = _parsed(pem).subject
    except ValueError:
        raise BadCertificateRequest("The certificate request's subject cannot be read: make a new one") from None
    return next((str(attribute.value) for attribute in subject if attribute.oid == NameOID.COMMON_NAME), "")


def _parsed(pem: bytes) -> x509.CertificateSigningRequest:
    if len(pem) > _MAX_BYTES:
        raise BadCertificateRequest(f"The certificate request is too long: {len(pem)} bytes, at most {_MAX_BYTES} are read")
    try:
        return x509.load_pem_x509_csr(pem)
    except ValueError:
        raise BadCertificateRequest("This is no certificate request: it takes PKCS #10 in PEM") from None


def _checked_key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise WeakKey(f"Keys on the curve {key.curve.name} are not taken: use P-256 or P-384")
        return key
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS or key.public_numbers().e != _RSA_EXPONENT:
            raise WeakKey(f"An RSA key of {key.key_size} bits is not taken: use 2048 to 4096 bits, exponent {_RSA_EXPONENT}")
        return key
    raise WeakKey(f"A {type(key).__name__} is not taken: use an elliptic curve, P-256 or P-384, or RSA")


def _check_subject(request: x509.CertificateSigningRequest, grant: Grant) -> None:
    for attribute in request.subject:
        if attribute.oid != NameOID.COMMON_NAME:
            raise NamesNotGranted(f"The request has {attribute.oid._name!r} in its subject: give only the common name")
        if attribute.value != grant.name:
            raise NamesNotGranted(f"The request is for {str(attribute.value)[:100]!r}, granted is {grant.name!r}")


def _check_extensions(extensions: x509.Extensions, grant: Grant) -> None:
    for extension in extensions:
        value = extension.value
        if extension.oid not in _KNOWN_EXTENSIONS:
            raise BadCertificateRequest(f"The request has an extension that is not taken: {extension.oid.dotted_string}")
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise BadCertificateRequest("The request asks for an authority (CA:TRUE): parts get leaf certificates only")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            raise BadCertificateRequest("The request asks for a key that signs certificates: parts get leaf certificates only")
        if isinstance(value, x509.SubjectAlternativeName):
            _check_names(value, grant)


def _check_names(names: x509.SubjectAlternativeName, grant: Grant) -> None:
    for general in names:
        try:
            name = _name_of(general)
        except BadGrant as exc:
            raise NamesNotGranted(exc.message) from None
        if name not in grant.alternative_names:
            granted = ", ".join(grant.alternative_names) or "none"
            raise NamesNotGranted(f"The request has the name {name[:100]!r}, which {grant.name!r} was not granted: {granted}")


def _name_of(general: x509.GeneralName) -> str:
    if isinstance(general, x509.DNSName | x509.IPAddress):
        return normal_name(str(general.value))
    raise BadGrant(f"A {type(general).__name__} is no name that certificates of parts have: DNS names and IP addresses are")
