"""What a worker tells the others of itself: that it lives, and which versions it runs."""

import os
from collections.abc import Callable, Sequence
from functools import partial

import gevent
from sqlalchemy.orm import Session

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.server.control.workers import (
    REPORT_EVERY_S,
    forget_dead_workers,
    forget_silent_workers,
    forget_worker,
    report_worker,
)
from zato.server.odb.database import Database
from zato.server.services.deployer import Outcome

log = get_logger(__name__)


class Presence:
    """
    Whoever deploys waits for each worker's outcome, so none is dropped: what could not be written while the ODB was away is
    written with the next report.

    Args:
        chores: Done after each sign of life.
    """

    def __init__(self, database: Database, server: str, chores: Sequence[Callable[[], object]]) -> None:
        self._database = database
        self._server = server
        self._chores = chores
        self._version = 0
        self._unreported: list[Outcome] = []
        self._is_known = False

    def report(self, version: int, outcomes: Sequence[Outcome]) -> None:
        """Say what this worker runs now. Those of this server that were killed are forgotten, once it is there itself."""
        self._version = version
        self._unreported += outcomes
        forget = partial(forget_dead_workers, server=self._server)
        try:
            self._write(_nothing if self._is_known else forget)
        except ZatoError as exc:
            log.warning("worker_report_failed", error=exc.message)
        else:
            self._is_known = True

    def report_for_ever(self) -> None:
        """Give signs of life until the process ends."""
        while True:
            gevent.sleep(REPORT_EVERY_S)
            # Whatever comes of one of these, there has to be a next time.
            for chore in (self._say_that_it_lives, *self._chores):
                try:
                    chore()
                except ZatoError as exc:
                    log.warning("worker_report_failed", error=exc.message)
                except Exception:
                    log.exception("worker_report_failed")

    def end(self) -> None:
        """Say that this worker runs no more."""
        try:
            with self._database.transaction() as session:
                forget_worker(session, self._server, os.getpid())
        except ZatoError as exc:
            log.warning("worker_not_signed_off", error=exc.message)

    def _say_that_it_lives(self) -> None:
        self._write(forget_silent_workers)

    def _write(self, forget: Callable[[Session], None]) -> None:
        reported = list(self._unreported)
        with self._database.transaction() as session:
            report_worker(session, self._server, os.getpid(), self._version, reported)
            forget(session)
        self._unreported = [outcome for outcome in self._unreported if outcome not in reported]


def _nothing(_session: Session) -> None:
    """Nobody is to be forgotten."""
