"""The objects of a connector as configured: each with the options that it was given and what it references."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.common.errors import ZatoError
from zato.common.kinds import Kind
from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject, WatchEvent

log = get_logger(__name__)


@dataclass(frozen=True)
class Configured:
    """
    One object.

    Args:
        options: An instance of its kind's `@options` class.
        references: What its options name, by the option's name, e.g. "definition".
        error: Why it can't run as it is configured; "" when it can.
    """

    id: int
    kind: str
    name: str
    is_active: bool
    version: int
    options: Any
    references: Mapping[str, "Configured"] = field(default_factory=dict)
    error: str = ""

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Differs when the object, or anything that it references, has changed."""
        versions = tuple((name, each.fingerprint) for name, each in sorted(self.references.items()))
        return self.id, self.version, self.is_active, self.error, versions


class Objects:
    """All objects of some kinds; takes up what `ControlPlane.Watch` sends. Belongs to one thread."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._messages: dict[int, ConfigObject] = {}
        self.version = 0

    def apply(self, event: WatchEvent) -> None:
        if event.is_snapshot:
            self._messages.clear()
        for message in event.objects:
            self._messages[message.id] = message
        for object_id in event.deleted_ids:
            self._messages.pop(object_id, None)
        self.version = event.version

    def all(self) -> dict[int, Configured]:
        """Return the objects by their ids."""
        bare = {message.id: self._parse(message) for message in self._messages.values() if message.kind in self._kinds}
        by_name = {(each.kind, each.name): each for each in bare.values()}
        return {object_id: self._resolve(each, by_name) for object_id, each in bare.items()}

    def _parse(self, message: ConfigObject) -> Configured:
        options, error = None, ""
        what = f"{message.kind} '{message.name}'"
        try:
            options = self._kinds[message.kind].parse(json.loads(message.options_json), what=what)
        except ZatoError as exc:
            # A server knows our kind by its description; what only we can check comes out here.
            error = exc.message
            log.warning("object_not_usable", kind=message.kind, name=message.name, error=error)
        return Configured(message.id, message.kind, message.name, message.is_active, message.version, options, error=error)

    def _resolve(self, configured: Configured, by_name: Mapping[tuple[str, str], Configured]) -> Configured:
        references: dict[str, Configured] = {}
        error = configured.error
        for option_name, kinds in self._kinds[configured.kind].references.items():
            wanted = getattr(configured.options, option_name, "")
            for kind in kinds:
                if (found := by_name.get((kind, wanted))) is not None:
                    references[option_name] = found
                    if not found.is_active:
                        error = error or f"{found.kind} '{found.name}' is switched off"
                    error = error or found.error
        return Configured(
            configured.id,
            configured.kind,
            configured.name,
            configured.is_active,
            configured.version,
            configured.options,
            references,
            error,
        )
