"""A part's own certificate: its token, its folder, when it is renewed."""

from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from zato.common.certificates.identity import Identity, new_request
from zato.common.certificates.renewal import renewal_time
from zato.common.certificates.tokens import EnrolmentToken, parse_token
from zato.common.errors import BadRequest, InvalidOptions
from zato.common.testing.certificates import CertificateAuthority

TOKEN = EnrolmentToken("s3cret", "server1", ("server1.example.com", "10.0.0.7"), "ca:20161", "ca:20160", "-----BEGIN …")


def test_a_token_is_one_line_that_says_it_all() -> None:
    text = TOKEN.to_text()
    assert len(text.split()) == 1
    assert parse_token(f" {text}\n") == TOKEN


@given(st.text(max_size=80) | st.text(max_size=60).map("zato-enrol-1.{}".format))
def test_what_is_no_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_token(text)
    assert str(refused.value).startswith("This is no enrolment token")


def test_a_secret_is_not_in_a_repr() -> None:
    assert "s3cret" not in repr(TOKEN)
    begun = new_request("server1", ())
    assert "PRIVATE" not in repr(begun)


def test_a_request_has_the_names_that_it_is_made_for() -> None:
    request = x509.load_pem_x509_csr(new_request("server1", ("server1.example.com", "10.0.0.7", "::1")).request)
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["server1.example.com", "10.0.0.7", "::1"]
    assert request.subject.rfc4514_string() == "CN=server1"


def test_a_key_that_was_begun_is_used_again_after_a_crash(tmp_path: Path) -> None:
    begun = Identity(tmp_path / "id").begun("server1", ())
    assert Identity(tmp_path / "id").begun("server1", ()) == begun
    assert Identity(tmp_path / "id").begun("server2", ()) != begun


@pytest.mark.parametrize("left", ["", "half a key", None])
def test_half_of_what_was_begun_is_begun_anew(tmp_path: Path, left: str | None) -> None:
    identity = Identity(tmp_path)
    before = identity.begun("server1", ())
    file = tmp_path / "request.new.pem"
    file.unlink() if left is None else file.write_text(left)
    assert identity.begun("server1", ()) != before


def test_files_are_for_their_owner_only_and_what_was_begun_is_gone(tmp_path: Path) -> None:
    identity, issuer = Identity(tmp_path / "id"), CertificateAuthority(tmp_path)
    assert identity.certificate() is None
    tls = issuer.issue("server1")
    assert tls.certificate is not None
    assert tls.key is not None
    identity.begun("server1", ())
    identity.keep(tls.key.read_text(), tls.certificate.read_bytes(), issuer.file.read_bytes())
    assert {file.name: file.stat().st_mode & 0o777 for file in identity.folder.iterdir()} == {
        "identity.pem": 0o600,
        "authorities.pem": 0o600,
    }
    assert identity.folder.stat().st_mode & 0o777 == 0o700
    certificate = identity.certificate()
    assert certificate is not None
    assert certificate.subject.rfc4514_string() == "CN=server1"
    assert identity.keep_authorities(issuer.file.read_bytes()) is False
    assert identity.keep_authorities(b"others") is True


def test_a_damaged_certificate_is_named(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    identity.file.write_text("-----BEGIN PRIVATE KEY-----\ns3cret\n")
    with pytest.raises(InvalidOptions, match=r"identity\.pem cannot be read: it is no certificate") as refused:
        identity.certificate()
    assert "s3cret" not in str(refused.value)


def test_a_certificate_is_renewed_after_two_thirds_of_its_life_or_a_little_earlier() -> None:
    assert renewal_time(0, 900, jitter=0) == 600
    assert renewal_time(0, 900, jitter=1) == pytest.approx(510)
