"""
Many small pieces of work at the same time, for little more than they take one after the other.

A greenlet for each costs as much as a short service does. Here one greenlet does the pieces in turn, and while it waits for
something, and only then, another one goes on with the next piece: there are as many as there are pieces that wait.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import gevent
from gevent.event import Event

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Pieces that never wait must not keep all else in the process waiting for longer.
_TURN_S = 0.005


def run_together(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
    """
    Return what `work` returns for each piece, in their order.

    Raises:
        BaseException: The first that `work` raised, once all pieces have ended. What ends the caller meanwhile ends them all.
    """
    return _Together(work, pieces).run()


class _Together(Generic[Piece, Result]):
    def __init__(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> None:
        self._work = work
        self._left = deque(enumerate(pieces))
        self._unfinished = len(pieces)
        self._results: dict[int, Result] = {}
        self._errors: list[BaseException] = []
        self._greenlets: set[gevent.Greenlet[..., None]] = set()
        # One that was told to begin, and does when those that run wait.
        self._has_next = False
        self._all_done = Event()

    def run(self) -> list[Result]:
        self._go_on()
        try:
            if self._unfinished:
                self._all_done.wait()
        finally:
            self._left.clear()
            gevent.killall(self._greenlets, block=False)
        if self._errors:
            raise self._errors[0]
        return [self._results[number] for number in sorted(self._results)]

    def _go_on(self) -> None:
        if self._left and not self._has_next:
            self._has_next = True
            greenlet = gevent.Greenlet(self._take_turns)
            self._greenlets.add(greenlet)
            greenlet.start()

    def _take_turns(self) -> None:
        self._has_next = False
        began = time.perf_counter()
        try:
            while self._left:
                number, piece = self._left.popleft()
                self._go_on()
                self._do(number, piece)
                if self._left and time.perf_counter() - began > _TURN_S:
                    gevent.sleep(0)
                    began = time.perf_counter()
        finally:
            self._greenlets.discard(gevent.getcurrent())

    def _do(self, number: int, piece: Piece) -> None:
        try:
            self._results[number] = self._work(piece)
        except gevent.GreenletExit:
            raise
        except BaseException as exc:  # a time-out of gevent's is no Exception
            self._errors.append(exc)
        finally:
            self._unfinished -= 1
            if not self._unfinished:
                self._all_done.set()
