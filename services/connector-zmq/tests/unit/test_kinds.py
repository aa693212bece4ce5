"""What the kinds take, and what they refuse with which words."""

from typing import Any

import pytest
import zmq

from zato.common.errors import InvalidOptions
from zato.connector_zmq.kinds import CHANNEL, OUTGOING


def channel(**values: object) -> Any:
    return CHANNEL.parse({"address": "tcp://127.0.0.1:5555", "service": "a.b", **values}, what="channel")


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "tcp://*:5555", "tcp://[::1]:65535", "tcp://my-host.local:80", "ipc:///run/a b.sock"]
)
def test_an_address_that_can_work_is_taken(address: str) -> None:
    assert channel(address=address).address == (address,)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:5555",
        "udp://127.0.0.1:5555",
        "inproc://a",
        "tcp://127.0.0.1",
        "tcp://:5555",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://a b:5555",
        "tcp://host:٥",
        "ipc://",
        "ipc://relative.sock",
        "ipc:///" + "x" * 107,
        "ipc:///a\nb",
        "TCP://127.0.0.1:5555",
    ],
)
def test_an_address_that_cannot_is_refused(address: str) -> None:
    with pytest.raises(InvalidOptions, match="address"):
        channel(address=address)


def test_only_who_listens_may_leave_the_host_open() -> None:
    with pytest.raises(InvalidOptions, match="name the host"):
        OUTGOING.parse({"address": "tcp://*:5555"}, what="outgoing")
    assert OUTGOING.parse({"address": "tcp://*:5555", "socket_method": "bind"}, what="outgoing")


def test_curve_keys_are_checked_together() -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    assert channel(curve_public_key=public, curve_secret_key=secret).is_curve_server
    assert not channel(curve_public_key=public, curve_secret_key=secret, curve_server_key=public).is_curve_server
    for wrong in (
        {"curve_public_key": public},
        {"curve_secret_key": secret},
        {"curve_server_key": public},
        {"curve_public_key": public, "curve_secret_key": "short"},
        {"curve_public_key": public, "curve_secret_key": " " * 40},
        {"curve_public_key": public, "curve_secret_key": secret, "curve_server_key": public, "curve_client_keys": public},
    ):
        with pytest.raises(InvalidOptions, match=r"curve|CURVE") as caught:
            channel(**wrong)
        assert secret not in str(caught.value)


def test_types_and_bounds_are_checked() -> None:
    with pytest.raises(InvalidOptions, match="socket_type"):
        channel(socket_type="PUSH")
    with pytest.raises(InvalidOptions, match="reconnect_max_ms"):
        channel(reconnect_min_ms=5000)
