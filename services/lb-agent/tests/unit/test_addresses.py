"""Addresses that servers give."""

import pytest

from zato.common.errors import BadRequest
from zato.lb_agent.addresses import resolve, split_address


def test_addresses_are_split_at_the_last_colon() -> None:
    assert split_address("server1:17010") == ("server1", 17010)
    assert split_address("[::1]:17010") == ("::1", 17010)


@pytest.mark.parametrize("address", ["", "server1", "server1:", ":80", "server1:0", "server1:65536", "server1:http", "a:²"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadRequest, match="is not an address"):
        split_address(address)


def test_haproxy_is_told_ip_addresses() -> None:
    assert resolve("127.0.0.1:80") == "127.0.0.1:80"
    assert resolve("[0:0::1]:80") == "[::1]:80"
    assert resolve("localhost:80") in ("127.0.0.1:80", "[::1]:80")


@pytest.mark.parametrize("address", ["a..b:80", f"{'x' * 300}:80", "no.such.host.invalid:80"])
def test_a_host_that_cannot_be_found_is_named(address: str) -> None:
    with pytest.raises(BadRequest, match="cannot be found"):
        resolve(address)
