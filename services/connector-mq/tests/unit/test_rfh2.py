"""The header MQRFH2, built and parsed. The bytes of the examples are written down here as IBM's documentation has them."""

import random
import struct

import pytest

from zato.connector_mq.rfh2 import BadHeader, Header, build, parse

FOLDERS = {
    "mcd": {"Msd": "jms_text"},
    "jms": {"Dst": "queue:///Q", "Dlv": "2", "Pri": "5"},
    "usr": {"text": "a <b> & 'ż'", "flag": True, "small": -5, "large": 2**40, "exact": 1.5, "empty": ""},
}
NATIVE = 546


def test_what_was_built_is_parsed() -> None:
    header = Header("MQSTR", NATIVE, 1208, FOLDERS)
    assert parse(build(header) + b"the body", NATIVE) == (header, b"the body")


def test_a_header_has_its_fixed_part_and_folders_of_a_multiple_of_four() -> None:
    made = build(Header("MQSTR", NATIVE, 1208, {"mcd": {"Msd": "jms_text"}}))
    folder = b"<mcd><Msd>jms_text</Msd></mcd>  "
    assert len(folder) % 4 == 0
    assert made == struct.pack("<4s4i8s2i", b"RFH ", 2, 36 + 4 + len(folder), 546, 1208, b"MQSTR   ", 0, 1208) + (
        struct.pack("<i", len(folder)) + folder
    )


def test_a_header_of_a_machine_with_the_other_order_of_bytes_is_parsed() -> None:
    folder = b'<usr><n dt="i4">7</n><nothing xsi:nil="true"></nothing></usr>   '
    made = struct.pack(">4s4i8s2i", b"RFH ", 2, 36 + 4 + len(folder), 273, 1208, b"MQSTR   ", 0, 1208)
    header, body = parse(made + struct.pack(">i", len(folder)) + folder + b"x", 273)
    assert header.folders == {"usr": {"n": 7, "nothing": None}} and (header.encoding, body) == (273, b"x")


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        (b"<usr><a></usr>", "no XML"),
        (b'<usr><n dt="i4">many</n></usr>', "'n'"),
        (b'<usr><n dt="i2">70000</n></usr>', "'n'"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><usr>&b;</usr>', "declarations"),
        (b"<usr>\xff</usr>", "no text"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder: bytes, named: str) -> None:
    folder += b" " * (-len(folder) % 4)
    made = struct.pack("<4s4i8s2i", b"RFH ", 2, 36 + 4 + len(folder), NATIVE, 1208, b"MQSTR   ", 0, 1208)
    with pytest.raises(BadHeader, match=named):
        parse(made + struct.pack("<i", len(folder)) + folder, NATIVE)


def test_ten_thousand_damaged_headers_are_each_refused_or_parsed() -> None:
    chosen = random.Random(6)
    whole = build(Header("MQSTR", NATIVE, 1208, FOLDERS)) + b"body"
    refused = 0
    for _ in range(10_000):
        damaged = bytearray(whole[: chosen.choice((len(whole), chosen.randrange(len(whole))))])
        for _ in range(chosen.randrange(1, 6)):
            if damaged:
                damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
        try:
            header, _ = parse(bytes(damaged), chosen.choice((NATIVE, 273)))
        except BadHeader:
            refused += 1
        else:
            assert isinstance(header, Header)
    assert 1000 < refused < 10_000
