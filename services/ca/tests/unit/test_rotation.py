"""Authorities over time: which issues, which are trusted, how they are made, imported and replaced."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import GRANT, NOW, Authority, leaf_of, request_of
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.verification import VerificationError

from zato.ca.certificates import Signer, make_authority, make_leaf, new_key, pem_of
from zato.ca.errors import BadAuthority, RotationPending, StateNotUsable
from zato.ca.grants import Grant
from zato.ca.imports import Imported, read_imported
from zato.ca.issuing import Issued
from zato.common.secrets import generate_key

DAY_S = 86400.0


def issuer_of(authority: Authority) -> str:
    return leaf_of(authority.enrolled()).issuer.rfc4514_string().removeprefix("CN=Zato ")


def test_a_new_intermediate_issues_at_once_and_what_the_old_one_issued_stays_good(authority: Authority) -> None:
    before = authority.enrolled()
    authority.hierarchy.rotate("intermediate")
    assert issuer_of(authority) == "intermediate 2"
    assert authority.verify(before)
    assert authority.verify(authority.issuing.renew(leaf_of(before), request_of("")))
    assert authority.trusted() == ["Zato root 1"]


def test_a_new_root_is_trusted_first_and_the_old_one_as_long_as_it_is_needed(authority: Authority) -> None:
    authority.hierarchy.rotate("root")
    assert authority.trusted() == ["Zato root 1", "Zato root 2"]
    assert issuer_of(authority) == "intermediate 1"
    authority.clock.advance(DAY_S - 1)
    last_of_old = authority.enrolled()
    authority.clock.advance(1)
    assert issuer_of(authority) == "intermediate 2"
    assert authority.verify(last_of_old)
    authority.clock.advance(DAY_S - 2)
    assert authority.trusted() == ["Zato root 1", "Zato root 2"]
    assert authority.verify(last_of_old)
    authority.clock.advance(1)
    assert authority.trusted() == ["Zato root 2"]
    states = {record.authority.name: record.state for record in authority.registry.state().authorities}
    assert states == {
        "Zato root 1": "retired",
        "Zato intermediate 1": "retired",
        "Zato root 2": "active",
        "Zato intermediate 2": "active",
    }


def test_who_trusts_an_earlier_root_alone_is_led_to_the_one_that_issues(authority: Authority) -> None:
    first = authority.root()
    assert authority.bridges() == b""
    for _ in range(3):
        authority.hierarchy.rotate("root")
        authority.clock.advance(2 * DAY_S)
    issued = authority.enrolled()
    bridged = Issued(issued.certificate + authority.bridges(), issued.authorities)
    assert len(authority.verify(bridged, roots=[first])) == 6
    with pytest.raises(VerificationError):
        authority.verify(issued, roots=[first])


def test_our_root_vouches_for_an_organisations_which_vouches_for_none(authority: Authority) -> None:
    for number, count in ((1, 1), (2, 0)):
        chain = imported(f"Example Root {number}", f"Example Issuing {number}")
        authority.hierarchy.rotate("intermediate", imported=chain, after_s=0)
        assert authority.bridges().count(b"BEGIN") == count


def test_a_root_is_not_rotated_while_the_next_one_waits(authority: Authority) -> None:
    authority.hierarchy.rotate("root")
    with pytest.raises(RotationPending, match="'Zato root 2' is the next root already"):
        authority.hierarchy.rotate("root")
    with pytest.raises(BadAuthority, match="no level 'leaf'"):
        authority.hierarchy.rotate("leaf")


def test_authorities_rotate_themselves_before_they_end(new_authority: Callable[..., Authority]) -> None:
    authority = new_authority(root_lifetime_s=900 * DAY_S, intermediate_lifetime_s=300 * DAY_S)
    named = []
    for _ in range(110):
        authority.clock.advance(10 * DAY_S)
        authority.hierarchy.rotate_when_due()
        issued = authority.issuing.issue(GRANT, request_of())
        named.append(leaf_of(issued).issuer.rfc4514_string().removeprefix("CN=Zato "))
        assert len(authority.verify(issued)) == 3
    assert list(dict.fromkeys(named)) == [f"intermediate {number}" for number in range(1, len(set(named)) + 1)]
    assert len(set(named)) >= 5
    assert authority.trusted()[-1] == "Zato root 2"


def test_a_leaf_never_outlives_who_issued_it(new_authority: Callable[..., Authority]) -> None:
    authority = new_authority(intermediate_lifetime_s=DAY_S)
    authority.clock.advance(DAY_S / 2)
    leaf, intermediate, _root = authority.verify(authority.enrolled())
    assert leaf.not_valid_after_utc == intermediate.not_valid_after_utc


def test_revocation_lists_name_what_is_revoked_until_it_would_have_ended(authority: Authority) -> None:
    revoked, other = leaf_of(authority.enrolled()), leaf_of(authority.enrolled())
    authority.hierarchy.rotate("intermediate")
    assert authority.registry.revoke(serial=f"{revoked.serial_number:x}", reason="keyCompromise").serials
    assert authority.revoked() == {revoked.serial_number}
    assert other.serial_number not in authority.revoked()
    authority.clock.advance(DAY_S + 1)
    assert authority.revoked() == set()


def test_keys_are_not_usable_without_the_secret_key(authority: Authority, tmp_path: Path) -> None:
    authority.close()
    with pytest.raises(StateNotUsable, match="encrypted with another secret key"):
        Authority(tmp_path / "work", secret_key=generate_key())
    again = Authority(tmp_path / "work")
    assert issuer_of(again) == "intermediate 1"
    again.close()


def test_one_authority_at_a_time_has_the_folder(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(StateNotUsable, match="Another authority runs from"):
        Authority(tmp_path / "work")


# An organisation's own


def organisation(root_name: str = "Example Root", name: str = "Example Issuing", now: float = NOW) -> tuple[bytes, bytes]:
    """Return the PEM of a chain and of its intermediate's key."""
    root_key, key = new_key(), new_key()
    root = make_authority(root_name, now=now, lifetime_s=1000 * DAY_S, key=root_key, parent=None)
    issuing = make_authority(name, now=now, lifetime_s=500 * DAY_S, key=key, parent=Signer(root, root_key))
    return pem_of(issuing) + pem_of(root), pem_key(key)


def pem_key(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, passphrase: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def imported(*args: str) -> Imported:
    return read_imported(*organisation(*args), now=NOW)


def test_an_organisations_authority_issues_instead_of_ours(new_authority: Callable[..., Authority]) -> None:
    authority = new_authority(name="Unused")
    authority.hierarchy.rotate("intermediate", imported=imported(), after_s=0)
    _, issuing, root = authority.verify(authority.enrolled())
    assert (issuing.subject.rfc4514_string(), root.subject.rfc4514_string()) == ("CN=Example Issuing", "CN=Example Root")
    with pytest.raises(BadAuthority, match="'Example Root' is kept by its organisation"):
        authority.hierarchy.rotate("intermediate")


def test_an_imported_root_that_is_new_gets_its_notice_as_well(authority: Authority) -> None:
    authority.hierarchy.rotate("intermediate", imported=imported())
    assert authority.trusted() == ["Zato root 1", "Example Root"]
    assert issuer_of(authority) == "intermediate 1"
    authority.clock.advance(DAY_S)
    assert leaf_of(authority.enrolled()).issuer.rfc4514_string() == "CN=Example Issuing"


def test_a_key_with_a_passphrase_is_imported(tmp_path: Path) -> None:
    chain, key = organisation()
    loaded = serialization.load_pem_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    sealed = pem_key(loaded, b"open sesame")
    assert read_imported(chain, sealed, now=NOW, passphrase=b"open sesame").key.public_key() == loaded.public_key()
    with pytest.raises(BadAuthority, match="key cannot be read") as refused:
        read_imported(chain, sealed, now=NOW, passphrase=b"wrong")
    assert "wrong" not in str(refused.value)


def test_what_can_not_issue_is_not_imported() -> None:
    chain, key = organisation()
    other_chain, other_key = organisation()
    leaf_key = new_key()
    root_key = new_key()
    root = make_authority("Root", now=NOW, lifetime_s=DAY_S, key=root_key, parent=None)
    leaf = make_leaf(Grant("leaf", ("leaf",), lifetime_s=DAY_S), leaf_key.public_key(), Signer(root, root_key), now=NOW)
    first, second = chain.split(b"-----END CERTIFICATE-----\n")[:2]
    end = b"-----END CERTIFICATE-----\n"
    mixed = first + end + other_chain.split(end)[1] + end
    for certificates, given, at, message in (
        (chain, other_key, NOW, "does not belong to the first certificate"),
        (first + end, key, NOW, "has 1 certificates"),
        (second + end + first + end, key, NOW, "is not issued by"),
        (mixed, key, NOW, "is not issued by"),
        (b"nonsense", key, NOW, "cannot be read"),
        (chain, b"nonsense", NOW, "key cannot be read"),
        (chain, key, NOW + 600 * DAY_S, "is not valid now"),
        (pem_of(leaf) + pem_of(root), pem_key(leaf_key), NOW, "must be an authority"),
        (chain, pem_key(ed25519.Ed25519PrivateKey.generate()), NOW, "of a kind that is not taken"),
    ):
        with pytest.raises(BadAuthority, match=message):
            read_imported(certificates, given, now=at)


def test_dates_are_in_the_future_of_nobody_whose_clock_is_a_little_slow(authority: Authority) -> None:
    leaf = leaf_of(authority.enrolled())
    now = datetime.datetime.fromtimestamp(authority.clock.now(), datetime.UTC)
    assert now - leaf.not_valid_before_utc == datetime.timedelta(seconds=60)
    # A short life would seem due for renewal at once.
    short = leaf_of(authority.issuing.issue(Grant("a", ("a",), lifetime_s=100), request_of("a")))
    assert now - short.not_valid_before_utc == datetime.timedelta(seconds=5)
