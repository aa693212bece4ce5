"""Messages that are worked on at the same time."""

import time

import gevent
import pytest
from gevent.event import Event

from zato.server.messaging.together import run_together


def test_results_are_in_the_order_of_the_pieces_whoever_ends_first() -> None:
    def work(piece: int) -> int:
        gevent.sleep(0.01 * (3 - piece % 3))
        return piece * 2

    assert run_together(work, range(20)) == [piece * 2 for piece in range(20)]


def test_those_that_wait_hold_up_nobody() -> None:
    everybody_is_here = Event()
    here: list[int] = []

    def work(piece: int) -> int:
        here.append(piece)
        if len(here) == 50:
            everybody_is_here.set()
        assert everybody_is_here.wait(30), "not all began"
        return piece

    assert run_together(work, range(50)) == list(range(50))


def test_those_that_do_not_wait_share_a_greenlet() -> None:
    greenlets = set()

    def work(piece: int) -> None:
        greenlets.add(gevent.getcurrent())

    run_together(work, range(50))
    assert len(greenlets) == 1


def test_all_else_has_its_turn_while_many_compute() -> None:
    turns = []

    def others() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    def work(_piece: int) -> None:
        deadline = time.perf_counter() + 0.006
        while time.perf_counter() < deadline:
            pass

    greenlet = gevent.spawn(others)
    try:
        run_together(work, range(10))
    finally:
        greenlet.kill()
    assert len(turns) >= 5


def test_one_that_fails_fails_the_call_after_all_have_ended() -> None:
    ended = []

    def work(piece: int) -> None:
        if piece == 0:
            raise ValueError("the first")
        gevent.sleep(0.01)
        ended.append(piece)

    with pytest.raises(ValueError, match="the first"):
        run_together(work, range(5))
    assert sorted(ended) == [1, 2, 3, 4]


def test_nothing_goes_on_when_the_time_is_up() -> None:
    begun, ended = [], []

    def work(piece: int) -> None:
        begun.append(piece)
        gevent.sleep(60 if piece == 3 else 0.01)
        ended.append(piece)

    with pytest.raises(gevent.Timeout), gevent.Timeout(1.0):
        run_together(work, range(5))
    gevent.sleep(0.05)
    assert sorted(begun) == [0, 1, 2, 3, 4]
    assert sorted(ended) == [0, 1, 2, 4]
