"""Whatever names and requests come: a certificate has what was granted and nothing else, or there is none."""

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import NOW, Authority, request_of
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zato.ca.audit import ChainBroken, next_entry, verify
from zato.ca.errors import BadCertificateRequest, BadGrant, NamesNotGranted
from zato.ca.grants import Grant, checked_grant
from zato.ca.lifetimes import Limits
from zato.ca.names import normal_name
from zato.ca.requests import checked_request

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DNS_NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
ADDRESS = st.ip_addresses().map(str)
NAMES = st.lists(DNS_NAME | ADDRESS, min_size=1, max_size=5, unique=True).map(tuple)
KEY = ec.generate_private_key(ec.SECP256R1())
# Made once: signatures differ in length.
REQUEST = request_of("part", (), KEY)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    yield authority
    authority.close()


@given(st.text(max_size=40) | DNS_NAME | ADDRESS)
def test_a_normal_name_is_a_dns_name_or_an_address_and_stays_as_it_is(text: str) -> None:
    try:
        name = normal_name(text)
    except BadGrant:
        return
    assert normal_name(name) == name
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.:*%")
    assert name.count("*") == (1 if name.startswith("*.") else 0)


@given(DNS_NAME, st.randoms())
def test_the_case_of_a_name_does_not_matter(name: str, random: object) -> None:
    mixed = "".join(letter.upper() if index % 2 else letter for index, letter in enumerate(name))
    assert normal_name(mixed) == normal_name(name)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(granted=NAMES, asked=NAMES)
def test_a_certificate_has_the_granted_names_or_there_is_none(
    shared: Authority, granted: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    grant = checked_grant(Grant("part", granted), Limits())
    request = request_of("part", asked, KEY)
    if {normal_name(name) for name in asked} <= set(grant.alternative_names):
        issued = shared.issuing.issue(Grant("part", granted), request)
        names = x509.load_pem_x509_certificate(issued.certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert {str(name.value) for name in names.value} == set(grant.alternative_names)
    else:
        with pytest.raises(NamesNotGranted):
            shared.issuing.issue(Grant("part", granted), request)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_requests_are_refused_with_a_clear_error(data: st.DataObject) -> None:
    pem = bytearray(REQUEST)
    for _ in range(data.draw(st.integers(1, 4))):
        pem[data.draw(st.integers(0, len(pem) - 1))] = data.draw(st.integers(0, 255))
    error, key = "", None
    try:
        key = checked_request(bytes(pem), Grant("part"))
    except (BadCertificateRequest, NamesNotGranted) as exc:
        error = exc.message
    # Where nothing is wrong, what was changed is outside of what is signed: line ends, and text around the request.
    assert error.isprintable()
    assert error or key == KEY.public_key()


@given(st.binary(max_size=300))
def test_bytes_that_are_no_request_are_refused(data: bytes) -> None:
    with pytest.raises(BadCertificateRequest):
        checked_request(data, Grant("part"))


@given(st.lists(st.dictionaries(st.sampled_from(["name", "serial"]), st.text(max_size=20)), min_size=2, max_size=8), st.data())
def test_no_change_of_the_audit_log_goes_unseen(fields: list[dict[str, str]], data: st.DataObject) -> None:
    lines, previous = [], ""
    for number, each in enumerate(fields, start=1):
        line, previous = next_entry(number, previous, NOW + number, "issued", each)
        lines.append(line)
    assert verify(lines) == len(lines)
    index = data.draw(st.integers(0, len(lines) - 2))
    entry = json.loads(lines[index])
    for changed in (
        [*lines[:index], *lines[index + 1 :]],
        [*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]],
        [*lines[:index], json.dumps(entry | {"event": "revoked"}), *lines[index + 1 :]],
        [*lines[:index], "not JSON", *lines[index + 1 :]],
    ):
        with pytest.raises(ChainBroken, match=f"entry {index + 1}"):
            verify(changed)


@given(ADDRESS)
def test_an_address_has_one_form(address: str) -> None:
    exploded = ipaddress.ip_address(address).exploded
    assert normal_name(exploded) == normal_name(address)


def test_what_a_crash_kept_from_the_audit_file_is_added_and_a_torn_line_is_not_left(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "work")
    authority.enrolled()
    authority.close()
    file = tmp_path / "work" / "audit.jsonl"
    whole = file.read_text()
    lines = whole.splitlines(keepends=True)
    for left in (whole, "".join(lines[:-2]), "".join(lines[:-1]) + lines[-1][:30], lines[0][:5], ""):
        file.write_text(left)
        again = Authority(tmp_path / "work")
        again.close()
        assert file.read_text() == whole


def test_a_changed_audit_file_keeps_the_authority_from_starting(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "work")
    authority.enrolled()
    authority.close()
    file = tmp_path / "work" / "audit.jsonl"
    file.write_text(file.read_text().replace('"name":"server1"', '"name":"server2"', 1))
    with pytest.raises(ChainBroken, match="is not what was written, from entry 3 on"):
        Authority(tmp_path / "work")
