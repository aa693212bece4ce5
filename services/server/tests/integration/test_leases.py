"""Leases of channels that one connector of all may serve at a time."""

import time

import pytest
import redis

from zato.common.connectors.errors import StaleLease
from zato.common.errors import BadRequest
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import HoldLeaseRequest, HoldLeaseResponse
from zato.server.messaging.leases import Leases

pytestmark = pytest.mark.redis


@pytest.fixture
def leases(redis_url: str) -> Leases:
    return Leases(redis.Redis.from_url(redis_url), "test:lease")


def ask(leases: Leases, holder: str, *, lease_ms: int = 60_000, gives_up: bool = False) -> tuple[bool, int, str]:
    request = HoldLeaseRequest(name="channel-test:orders", holder=holder, lease_ms=lease_ms, gives_up=gives_up)
    answer = HoldLeaseResponse.FromString(leases.hold(request.SerializeToString()))
    return answer.is_held, answer.epoch, answer.holder


def test_one_holds_it_until_it_gives_it_back_and_each_has_an_epoch(leases: Leases) -> None:
    assert (ask(leases, "a"), ask(leases, "b"), ask(leases, "a")) == ((True, 1, "a"), (False, 1, "a"), (True, 1, "a"))
    ask(leases, "b", gives_up=True)
    assert ask(leases, "b") == (False, 1, "a")
    ask(leases, "a", gives_up=True)
    assert ask(leases, "b") == (True, 2, "b")


def test_one_that_is_not_renewed_is_the_next_ones_and_the_old_epoch_does_nothing_any_more(leases: Leases) -> None:
    began = time.monotonic()
    assert ask(leases, "a", lease_ms=300) == (True, 1, "a")
    leases.check("channel-test:orders", 1)
    eventually(lambda: ask(leases, "b")[0])
    assert time.monotonic() - began >= 0.29
    with pytest.raises(StaleLease, match="Epoch 1"):
        leases.check("channel-test:orders", 1)
    leases.check("channel-test:orders", 2)


def test_nobody_holds_one_for_ever(leases: Leases) -> None:
    with pytest.raises(BadRequest):
        ask(leases, "a", lease_ms=3_600_000)
