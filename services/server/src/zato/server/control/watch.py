"""What other parts are told of the configuration: a snapshot, or what changed since their version."""

import orjson

from zato.common.errors import Unavailable
from zato.common.options import option_values
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject as ConfigObjectMessage
from zato.proto.control_plane.v1.control_plane_pb2 import WatchEvent, WatchRequest
from zato.server.control.changes import DEPLOYMENT, KIND, changes_since, oldest_logged_version
from zato.server.control.follower import Follower
from zato.server.control.state import ConfigObject, Configuration
from zato.server.odb.database import Database


class Watch:
    def __init__(self, database: Database, follower: Follower) -> None:
        self._database = database
        self._follower = follower

    def next_event(self, request: WatchRequest, wait_s: float) -> WatchEvent:
        """
        Return what a watcher does not have yet; an event with its own version when nothing came within `wait_s`.

        A watcher at version 0, or at one that the change log does not reach back to, gets a snapshot; and so does one at a
        version that does not come within `wait_s`, as after the ODB was restored from a backup.

        Raises:
            Unavailable: The worker stops.
        """
        configuration = self._follower.configuration
        if request.from_version >= configuration.version and request.from_version:
            # Later than ours is what another worker, a moment ahead of us, told the watcher: it must not go back.
            configuration = self._follower.wait_for_version_after(request.from_version, wait_s)
        if self._follower.is_stopping:
            raise Unavailable("This worker stops: ask another one")
        if request.from_version == configuration.version and request.from_version:
            return WatchEvent(version=configuration.version)
        ids = self._changed_ids(request.from_version, configuration.version)
        wanted = frozenset(request.kinds)
        return _snapshot(configuration, wanted) if ids is None else _changes(configuration, wanted, ids)

    def _changed_ids(self, from_version: int, version: int) -> set[int] | None:
        """None when the change log does not tell: then everything has to be sent."""
        if not 0 < from_version < version:
            return None
        with self._database.reading() as session:
            if oldest_logged_version(session) > from_version + 1:
                return None
            changes = changes_since(session, from_version)
        return {
            change.object_id
            for change in changes
            if change.object_id is not None and change.version <= version and change.kind not in (DEPLOYMENT, KIND)
        }


def _snapshot(configuration: Configuration, wanted: frozenset[str]) -> WatchEvent:
    objects = [_message(each) for each in configuration.objects.values() if not wanted or each.kind in wanted]
    return WatchEvent(version=configuration.version, is_snapshot=True, objects=objects)


def _changes(configuration: Configuration, wanted: frozenset[str], ids: set[int]) -> WatchEvent:
    present = [configuration.objects[object_id] for object_id in sorted(ids) if object_id in configuration.objects]
    objects = [_message(each) for each in present if not wanted or each.kind in wanted]
    # Of what is gone the kind is not known any more; a watcher ignores ids that it never had.
    deleted = [object_id for object_id in sorted(ids) if object_id not in configuration.objects]
    return WatchEvent(version=configuration.version, objects=objects, deleted_ids=deleted)


def _message(each: ConfigObject) -> ConfigObjectMessage:
    options = orjson.dumps(option_values(each.options))
    return ConfigObjectMessage(
        id=each.id, kind=each.kind, name=each.name, is_active=each.is_active, version=each.version, options_json=options
    )
