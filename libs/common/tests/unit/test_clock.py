import time

from zato.common.clock import ManualClock, SystemClock


def test_the_systems_clock_tells_the_time() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1
    assert clock.monotonic() <= clock.monotonic()


def test_a_manual_clock_moves_only_when_it_is_moved() -> None:
    clock = ManualClock(100)
    assert clock.now() == clock.now() == 100
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 102.5)
