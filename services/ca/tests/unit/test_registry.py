"""Lists, revocation, counts and numbers."""

import pytest
from authority import GRANT, Authority, leaf_of

from zato.ca.grants import Grant
from zato.common.errors import BadRequest, NotFound


def test_certificates_are_listed_with_their_state(authority: Authority) -> None:
    expired = authority.enrolled(Grant("server2", ("server2",), lifetime_s=10))
    authority.clock.advance(11)
    valid, revoked = authority.enrolled(), authority.enrolled()
    serial = f"{leaf_of(revoked).serial_number:x}"
    authority.registry.revoke(serial=serial, reason="superseded")
    assert {(each.name, each.state, each.reason) for each in authority.registry.certificates(is_all=True)} == {
        ("server2", "expired", ""),
        ("server1", "valid", ""),
        ("server1", "revoked", "superseded"),
    }
    assert {each.state for each in authority.registry.certificates()} == {"valid", "revoked"}
    assert authority.registry.certificates(name="server2") == []
    shown = authority.registry.certificate(f"{leaf_of(expired).serial_number:X}")
    assert (shown.name, shown.certificate, shown.issuer) == ("server2", expired.certificate, "Zato intermediate 1")
    state = authority.registry.state()
    assert (state.valid, state.revoked, state.open_tokens) == (1, 1, 0)
    assert state.next_expiry == leaf_of(valid).not_valid_after_utc.timestamp()


def test_all_of_a_part_are_revoked_with_its_open_tokens(authority: Authority) -> None:
    authority.enrolled()
    authority.enrolled()
    authority.issuing.create_token(GRANT)
    other = authority.enrolled(Grant("server2", ("server2",)))
    revoked = authority.registry.revoke(name="server1")
    assert (len(revoked.serials), revoked.tokens) == (2, 1)
    assert leaf_of(other).serial_number not in authority.revoked()
    with pytest.raises(NotFound, match="nothing valid of 'server1'"):
        authority.registry.revoke(name="server1")


def test_what_can_not_be_revoked_is_said(authority: Authority) -> None:
    authority.enrolled()
    with pytest.raises(BadRequest, match="no reason 'whim'; there are: unspecified, keyCompromise"):
        authority.registry.revoke(name="server1", reason="whim")
    with pytest.raises(BadRequest, match="one of them"):
        authority.registry.revoke()
    with pytest.raises(NotFound):
        authority.registry.revoke(serial="abc")
    with pytest.raises(NotFound, match="zato ca list"):
        authority.registry.certificate("abc")


def test_numbers_tell_what_was_issued_and_what_expires(authority: Authority) -> None:
    issued = authority.enrolled()
    with pytest.raises(NotFound):
        authority.registry.revoke(name="nobody")
    text = authority.metrics.render(authority.registry.state()).decode()
    assert 'zato_ca_issued_total{source="token"} 1.0' in text
    assert "zato_ca_valid_certificates 1.0" in text
    expiry = leaf_of(issued).not_valid_after_utc.timestamp()
    line = next(each for each in text.splitlines() if each.startswith("zato_ca_next_expiry_timestamp_seconds "))
    assert float(line.split()[1]) == expiry
