"""When HAProxy is started again."""

import pytest

from zato.common.clock import ManualClock
from zato.lb_agent.restarts import Restarts


def test_restarts_come_at_once_and_then_later_and_later() -> None:
    clock = ManualClock()
    restarts = Restarts(clock)
    restarts.started()
    waited = []
    for _ in range(7):
        began_at = clock.monotonic()
        while not restarts.is_due():
            clock.advance(0.1)
        waited.append(round(clock.monotonic() - began_at, 1))
        restarts.failed()
    assert waited[0] == 0
    assert waited[1:] == sorted(waited[1:])
    assert waited[-1] == pytest.approx(5.0, abs=0.15)


def test_what_ran_for_long_is_restarted_at_once() -> None:
    clock = ManualClock()
    restarts = Restarts(clock)
    for _ in range(5):
        restarts.is_due()
        restarts.failed()
    restarts.started()
    clock.advance(11.0)
    assert restarts.is_due()


def test_what_ends_right_after_its_start_is_not() -> None:
    clock = ManualClock()
    restarts = Restarts(clock)
    assert restarts.is_due()
    restarts.started()
    clock.advance(0.1)
    assert not restarts.is_due()
