"""Following the configuration: a nudge, or a slow poll, then the change log, then one assignment."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import gevent
from gevent.event import Event
from sqlalchemy import select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.server.control.changes import DEPLOYMENT, KIND, changes_since, current_version, oldest_logged_version
from zato.server.control.deployments import load_live, load_newest, load_removed
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.control.state import Configuration
from zato.server.odb.database import Database
from zato.server.odb.tables import ObjectRow
from zato.server.packages.package import Package

log = get_logger(__name__)

_CATCH_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Update:
    """
    What has to be taken up to get from one version to the next.

    Args:
        removed_files: The version of each that says so.
        is_whole: `changed_files` are all that there are.
        changed_at: When each change was made that this brings, by the clock of who made it; none for a whole one.
    """

    configuration: Configuration
    changed_files: tuple[Package, ...] = ()
    removed_files: Mapping[str, int] = field(default_factory=dict)
    is_whole: bool = False
    changed_at: tuple[datetime, ...] = ()


class Follower:
    """
    Args:
        take_up: Makes the worker run with an update; called in the order of versions, never twice at a time.
        poll_interval_s: Between looks into the ODB when no nudge comes.
    """

    def __init__(
        self,
        database: Database,
        kinds: Kinds,
        objects: Objects,
        take_up: Callable[[Update], None],
        *,
        poll_interval_s: float,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._objects = objects
        self._take_up = take_up
        self._poll_interval_s = poll_interval_s
        self._configuration = Configuration()
        self._is_stopping = False
        self._nudged = Event()
        self._applied = Event()

    @property
    def configuration(self) -> Configuration:
        return self._configuration

    def load(self) -> None:
        """
        Read everything and take it up: what a worker does before it serves.

        Raises:
            Unavailable: The ODB can't be reached.
        """
        with self._database.reading() as session:
            self._kinds.refresh(session)
            configuration = Configuration(current_version(session), self._objects.load(session))
            files = tuple(load_live(session))
            # Who undeploys waits for every worker to say so, also for one that starts meanwhile or has to read all anew.
            removed = load_removed(session)
        self._apply(Update(configuration, files, removed, is_whole=True))

    def listen(self, bus: Bus, topic: str) -> None:
        """Follow nudges from `bus`, and poll behind them, until the process ends."""
        gevent.spawn(self._follow_forever)
        bus.subscribe(topic, lambda _message: self._nudged.set())

    def wait_for_version_after(self, version: int, timeout_s: float) -> Configuration:
        """Return the configuration as soon as it is newer than `version`, or as it is when the time is up."""
        deadline = time.monotonic() + timeout_s
        while self._configuration.version <= version and not self._is_stopping:
            applied, remaining = self._applied, deadline - time.monotonic()
            if remaining <= 0 or not applied.wait(remaining):
                break
        return self._configuration

    def catch_up_with(self, version: int) -> None:
        """Return when `version` is taken up, or when it was not within a few seconds."""
        if self._configuration.version < version:
            self._nudged.set()
            self.wait_for_version_after(version - 1, _CATCH_UP_S)

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def stop_waiting(self) -> None:
        """The worker stops: whoever waits for a version is woken, and waits for none any more."""
        self._is_stopping = True
        self._applied.set()

    def _follow_forever(self) -> None:
        is_reported = False
        while True:
            self._nudged.wait(self._poll_interval_s)
            self._nudged.clear()
            try:
                self._catch_up()
                is_reported = False
            except ZatoError as exc:
                if not is_reported:
                    log.warning("configuration_not_readable", error=exc.message)
                is_reported = True
            except Exception:
                log.exception("configuration_not_taken_up")

    def _catch_up(self) -> None:
        with self._database.reading() as session:
            newest = current_version(session)
            if newest == self._configuration.version:
                return
            has_gap = oldest_logged_version(session) > self._configuration.version + 1
            update = None if has_gap or newest < self._configuration.version else self._changes(session, newest)
        if update is None:
            log.warning("configuration_reloaded", had=self._configuration.version, has=newest)
            self.load()
        else:
            self._apply(update)

    def _changes(self, session: Session, newest: int) -> Update:
        objects = dict(self._configuration.objects)
        changed: dict[str, Package] = {}
        removed: dict[str, int] = {}
        changes = changes_since(session, self._configuration.version)
        registered = {change.name for change in changes if change.kind == KIND}
        if registered:
            self._kinds.refresh(session)
        for file_name in {change.name for change in changes if change.kind == DEPLOYMENT}:
            file, is_deployed = load_newest(session, file_name)
            if is_deployed:
                changed[file_name] = file
            else:
                removed[file_name] = file.version
        ids = {change.object_id for change in changes if change.object_id is not None}
        if registered:
            # Its objects are read by the new declaration, those that the old one could not read included.
            ids.update(session.execute(select(ObjectRow.id).where(ObjectRow.kind.in_(registered))).scalars())
        loaded = self._objects.load(session, sorted(ids))
        for object_id in ids.difference(loaded):
            objects.pop(object_id, None)
        objects.update(loaded)
        changed_at = tuple(change.created_at for change in changes)
        return Update(Configuration(newest, objects), tuple(changed.values()), removed, changed_at=changed_at)

    def _apply(self, update: Update) -> None:
        self._take_up(update)
        self._configuration = update.configuration
        # Whoever waits now is woken, whoever comes later waits for the next one.
        applied, self._applied = self._applied, Event()
        applied.set()
