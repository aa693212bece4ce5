"""Who gets a certificate, and who does not: refused, in the audit log, and without a secret anywhere."""

from typing import Any

import pytest
from authority import GRANT, Authority, leaf_of, request_of
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zato.ca.errors import (
    BadCertificateRequest,
    BadGrant,
    CertificateRefused,
    InvalidToken,
    NamesNotGranted,
    TokenUsed,
    WeakKey,
)
from zato.ca.grants import Grant
from zato.common.errors import TooManyRequests, ZatoError


def test_a_token_gives_a_certificate_that_others_trust(authority: Authority) -> None:
    issued = authority.enrolled()
    leaf, intermediate, root = authority.verify(issued)
    assert leaf.subject.rfc4514_string() == "CN=server1"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.DNSName)] == ["server1.example.com"]
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usages = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert life.total_seconds() == 86400 + 60
    assert intermediate.subject.rfc4514_string() == "CN=Zato intermediate 1"
    assert root.subject.rfc4514_string() == "CN=Zato root 1"
    assert (authority.audit()[-1]["event"], authority.audit()[-1]["name"]) == ("issued", "server1")


def test_a_request_may_leave_out_what_the_token_says(authority: Authority) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    assert authority.verify(authority.issuing.enrol(token.secret, request_of("")))


def test_a_token_is_used_once(authority: Authority) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    authority.issuing.enrol(token.secret, request_of())
    with pytest.raises(TokenUsed, match="'server1' was used already"):
        authority.issuing.enrol(token.secret, request_of())
    assert authority.last_refusal() == "TokenUsed"
    assert len(authority.registry.certificates()) == 1


def test_a_lost_answer_may_be_asked_for_again_with_the_same_request(authority: Authority) -> None:
    token, request = authority.issuing.create_token(GRANT)[0], request_of()
    first = authority.issuing.enrol(token.secret, request)
    assert authority.issuing.enrol(token.secret, request).certificate == first.certificate
    assert len(authority.registry.certificates()) == 1


def test_a_refused_request_does_not_spend_the_token(authority: Authority) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    with pytest.raises(NamesNotGranted):
        authority.issuing.enrol(token.secret, request_of("server2"))
    assert authority.issuing.enrol(token.secret, request_of())


def test_tokens_that_are_unknown_expired_or_withdrawn_are_refused(authority: Authority) -> None:
    with pytest.raises(InvalidToken, match="no such enrolment token"):
        authority.issuing.enrol("made-up", request_of())
    assert authority.last_refusal() == "InvalidToken"
    withdrawn = authority.issuing.create_token(GRANT)[0]
    assert authority.registry.revoke(name="server1").tokens == 1
    with pytest.raises(InvalidToken, match="withdrawn"):
        authority.issuing.enrol(withdrawn.secret, request_of())
    expired, expires_at, _ = authority.issuing.create_token(GRANT)
    authority.clock.advance(expires_at - authority.clock.now())
    with pytest.raises(InvalidToken, match="has expired"):
        authority.issuing.enrol(expired.secret, request_of())
    assert authority.registry.certificates() == []


def test_strangers_can_not_fill_the_audit_log(authority: Authority) -> None:
    before = len(authority.audit())
    errors = []
    for _ in range(200):
        with pytest.raises(ZatoError) as refused:
            authority.issuing.enrol("made-up", request_of())
        errors.append(type(refused.value))
    assert errors.count(TooManyRequests) == 140
    assert len(authority.audit()) - before == 60
    authority.clock.advance(61)
    with pytest.raises(InvalidToken):
        authority.issuing.enrol("made-up", request_of())


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (lambda: request_of("server2"), NamesNotGranted, "is for 'server2', granted is 'server1'"),
        (lambda: request_of("server1", ("server2.example.com",)), NamesNotGranted, "has the name 'server2.example.com'"),
        (lambda: request_of("server1", ("10.0.0.8",)), NamesNotGranted, "has the name '10.0.0.8'"),
        (lambda: request_of("server1", ("*.example.com",)), NamesNotGranted, r"has the name '\*.example.com'"),
        (
            lambda: request_of("", (), None, x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")])),
            NamesNotGranted,
            "RFC822Name is no name",
        ),
        (
            lambda: request_of(subject=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Others")])),
            NamesNotGranted,
            "'organizationName' in its subject",
        ),
        (
            lambda: request_of("server1", (), None, x509.BasicConstraints(ca=True, path_length=None)),
            BadCertificateRequest,
            "CA:TRUE",
        ),
        (lambda: request_of("server1", (), None, _signs_certificates()), BadCertificateRequest, "signs certificates"),
        (
            lambda: request_of("server1", (), None, x509.NameConstraints([x509.DNSName("example.com")], None)),
            BadCertificateRequest,
            "extension that is not taken: 2.5.29.30",
        ),
        (lambda: request_of(key=ec.generate_private_key(ec.SECP256K1())), WeakKey, "curve secp256k1"),
        (lambda: request_of(key=ec.generate_private_key(ec.SECP224R1())), WeakKey, "curve secp224r1"),
        (lambda: request_of(key=rsa.generate_private_key(65537, 1024)), WeakKey, "RSA key of 1024 bits"),
        (lambda: request_of(key=rsa.generate_private_key(3, 2048)), WeakKey, "exponent 65537"),
        (lambda: request_of(key=ed25519.Ed25519PrivateKey.generate(), algorithm=(None,)), WeakKey, "Ed25519"),
        (lambda: request_of(key=dsa.generate_private_key(2048)), WeakKey, "DSA"),
        (lambda: b"not a request", BadCertificateRequest, "PKCS #10 in PEM"),
        (lambda: b"x" * 20_000, BadCertificateRequest, "too long: 20000 bytes"),
        (lambda: _with_another_signature(request_of()), BadCertificateRequest, "not signed with its own key|damaged"),
    ],
)
def test_requests_that_ask_for_too_much_are_refused_and_audited(
    authority: Authority, request_: Any, error: type[ZatoError], message: str
) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    with pytest.raises(error, match=message):
        authority.issuing.enrol(token.secret, request_())
    assert authority.last_refusal() == error.__name__
    assert authority.registry.certificates() == []


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP384R1()), lambda: rsa.generate_private_key(65537, 2048)]
)
def test_keys_that_are_strong_enough_are_taken(authority: Authority, make: Any) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    assert authority.verify(authority.issuing.enrol(token.secret, request_of(key=make())))


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        (Grant("", ("a",)), "no name of a part"),
        (Grant("a b", ("a",)), "no name of a part"),
        (Grant("a" * 65, ("a",)), "no name of a part"),
        (Grant("a", ("-a",)), "neither a DNS name nor an IP"),
        (Grant("a", ("a..b",)), "neither a DNS name nor an IP"),
        (Grant("a", ("1.2.3",)), "neither a DNS name nor an IP"),
        (Grant("a", ("*.example.com",)), "stands for any host"),
        (Grant("a", ("*.com",), is_wildcard_allowed=True), "neither a DNS name nor an IP"),
        (Grant("a", ("a.*.com",), is_wildcard_allowed=True), "neither a DNS name nor an IP"),
        (Grant("a", ("bücher.example",)), "neither a DNS name nor an IP"),
        (Grant("a"), "needs the names or addresses"),
        (Grant("a", ("a",), purpose="authority"), "no purpose 'authority'"),
        (Grant("a", ("a",), lifetime_s=86401), "at most 86400 s"),
        (Grant("a", ("a",), lifetime_s=-1), "at most 86400 s"),
    ],
)
def test_grants_that_nobody_may_have_are_refused(authority: Authority, grant: Grant, message: str) -> None:
    with pytest.raises(BadGrant, match=message):
        authority.issuing.create_token(grant)
    assert authority.last_refusal() == "BadGrant"


def test_wildcards_are_issued_where_they_are_allowed_expressly(authority: Authority) -> None:
    issued = authority.enrolled(Grant("edge", ("*.example.com",), is_wildcard_allowed=True))
    assert authority.verify(issued, "anything.example.com")


def test_a_renewal_has_the_same_grant_and_a_key_of_its_own(authority: Authority) -> None:
    first = authority.enrolled(Grant("server1", ("server1.example.com",), lifetime_s=600))
    authority.clock.advance(400)
    second = authority.issuing.renew(leaf_of(first), request_of(""))
    assert authority.verify(second)
    old, new = leaf_of(first), leaf_of(second)
    assert old.extensions.get_extension_for_class(x509.SubjectAlternativeName) == new.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert (new.not_valid_after_utc - old.not_valid_after_utc).total_seconds() == 400
    assert new.public_key() != old.public_key()
    with pytest.raises(NamesNotGranted):
        authority.issuing.renew(new, request_of("server2"))


def test_certificates_that_are_revoked_expired_foreign_or_missing_are_not_renewed(authority: Authority, tmp_path: Any) -> None:
    with pytest.raises(CertificateRefused, match="No certificate was shown"):
        authority.issuing.renew(None, request_of(""))
    other = Authority(tmp_path / "other")
    foreign = leaf_of(other.enrolled())
    other.close()
    with pytest.raises(CertificateRefused, match="not one of this authority"):
        authority.issuing.renew(foreign, request_of(""))
    revoked = leaf_of(authority.enrolled())
    authority.registry.revoke(serial=f"{revoked.serial_number:X}", reason="keyCompromise")
    with pytest.raises(CertificateRefused, match="'server1' is revoked"):
        authority.issuing.renew(revoked, request_of(""))
    expired = leaf_of(authority.enrolled())
    authority.clock.advance(86400)
    with pytest.raises(CertificateRefused, match="has expired"):
        authority.issuing.renew(expired, request_of(""))
    assert authority.last_refusal() == "CertificateRefused"


def test_no_secret_is_in_the_audit_log_the_database_or_a_repr(authority: Authority) -> None:
    token = authority.issuing.create_token(GRANT)[0]
    authority.issuing.enrol(token.secret, request_of())
    with pytest.raises(TokenUsed):
        authority.issuing.enrol(token.secret, request_of())
    authority.store.close()
    kept = b"".join(path.read_bytes() for path in authority.folder.iterdir())
    assert token.secret.encode() not in kept
    assert b"PRIVATE KEY" not in kept
    assert token.secret not in repr(token)
    assert {path.stat().st_mode & 0o077 for path in authority.folder.iterdir()} == {0}


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _with_another_signature(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    der = bytearray(x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER))
    der[-3] ^= 1
    import base64

    body = base64.encodebytes(bytes(der))
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"
