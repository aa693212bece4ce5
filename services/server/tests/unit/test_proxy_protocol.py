import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.errors import BadRequest
from zato.server.http.proxy_protocol import read_proxy_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def read(data: bytes) -> tuple[str, bytes]:
    """Return the address, and what was left for HTTP."""
    left = data

    def receive(count: int) -> bytes:
        nonlocal left
        if len(left) < count:
            raise EOFError
        taken, left = left[:count], left[count:]
        return taken

    return read_proxy_header(receive), left


def binary(family: int, addresses: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


def hosts(source: str, destination: str) -> bytes:
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return packed + struct.pack("!HH", 40000, 80)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 40000 80\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n", "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""),
        (binary(0x11, hosts("192.0.2.7", "10.0.0.1")), "192.0.2.7"),
        (binary(0x11, hosts("192.0.2.7", "10.0.0.1") + b"\x04\x00\x03abc"), "192.0.2.7"),
        (binary(0x21, hosts("2001:db8::7", "::1")), "2001:db8::7"),
        (binary(0x21, hosts("::ffff:192.0.2.7", "::1")), "192.0.2.7"),
        (binary(0x00, b""), ""),
        (binary(0x31, b"/socket".ljust(216, b"\0")), ""),
        (binary(0x11, hosts("192.0.2.7", "10.0.0.1"), command=0x20), ""),
        (binary(0x00, b"", command=0x20), ""),
    ],
)
def test_who_the_client_is_is_read_and_nothing_behind_it(header: bytes, address: str) -> None:
    assert read(header + b"GET / HTTP/1.1\r\n") == (address, b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"proxy TCP4 192.0.2.7 10.0.0.1 40000 80\r\n",
        b"PROXY  TCP4 192.0.2.7 10.0.0.1 40000 80\r\n",
        b"PROXY TCP5 192.0.2.7 10.0.0.1 40000 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 40000\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80 \r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 65536\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 080\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 -1 80\r\n",
        b"PROXY TCP4 192.0.2.777 10.0.0.1 40000 80\r\n",
        b"PROXY TCP4 ::1 ::1 40000 80\r\n",
        b"PROXY TCP6 192.0.2.7 10.0.0.1 40000 80\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 40000 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\n" + b"x" * 200,
        b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
        binary(0x11, hosts("192.0.2.7", "10.0.0.1"), command=0x11),
        binary(0x11, hosts("192.0.2.7", "10.0.0.1"), command=0x22),
        binary(0x11, hosts("192.0.2.7", "10.0.0.1")[:11]),
        binary(0x21, hosts("192.0.2.7", "10.0.0.1")),
        binary(0x41, hosts("192.0.2.7", "10.0.0.1")),
        binary(0x11, b"x" * 5000),
        SIGNATURE[:-1] + b"X" + b"\x21\x11\x00\x00",
    ],
)
def test_what_is_malformed_is_refused(header: bytes) -> None:
    with pytest.raises(BadRequest):
        read(header)


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n", binary(0x11, hosts("192.0.2.7", "10.0.0.1"))]
)
def test_what_ends_too_early_is_not_taken_for_whole(header: bytes) -> None:
    for size in range(len(header)):
        with pytest.raises(EOFError):
            read(header[:size])


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary(max_size=200))
def test_bytes_of_any_sort_are_read_or_refused(begin: bytes, rest: bytes) -> None:
    try:
        address, _ = read(begin + rest)
    except (BadRequest, EOFError):
        return
    assert not address or ipaddress.ip_address(address)
