"""Which kinds there are: the server's own, and those that other parts registered."""

import re
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.errors import BadRequest
from zato.common.kinds import Kind, KindRegistry
from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription
from zato.server.control.changes import KIND, Author, lock_changes, next_version, record
from zato.server.odb.database import Database
from zato.server.odb.tables import KindRow

log = get_logger(__name__)


class Kinds:
    """
    The kinds known now; `refresh` takes up those that were registered since.

    `parts` says of these which part brought each, by the kind's name.
    """

    def __init__(self, own: Iterable[Kind]) -> None:
        self._own = tuple(own)
        self.registry = KindRegistry(self._own)
        self.parts: Mapping[str, str] = {}
        self._descriptions: list[bytes] = []

    def refresh(self, session: Session) -> None:
        """Of descriptions that are as they were the registry stays the same object."""
        rows = session.execute(select(KindRow).order_by(KindRow.name)).scalars().all()
        descriptions = [row.description for row in rows]
        if descriptions == self._descriptions:
            return
        registered, parts = [], {}
        for row in rows:
            try:
                registered.append(Kind.from_description(KindDescription.FromString(row.description)))
                parts[row.name] = row.part
            except BadRequest as exc:
                # One of a newer release for instance: it must not keep all others from being known.
                log.error("kind_not_usable", kind=row.name, part=row.part, error=exc.message)
        self._descriptions = descriptions
        self.registry, self.parts = KindRegistry([*registered, *self._own]), parts


def register_kinds(
    database: Database,
    bus: Bus,
    topic: str,
    part: str,
    kinds: Iterable[KindDescription],
    author: Author,
    own: Collection[str] = (),
) -> None:
    """
    Store the descriptions that are new or differ from what is stored, and tell everyone.

    Raises:
        BadRequest: A description can't be made into a form, or is of a kind of the server's own. Nothing was stored.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,99}", part):
        raise BadRequest(f"'{part:.120}' is no name of a part, such as connector-amqp")
    version = 0
    with database.transaction() as session:
        lock_changes(session)
        for description in kinds:
            _check(description, own)
            stored = session.get(KindRow, description.name)
            serialized = description.SerializeToString(deterministic=True)
            if stored is not None and stored.description == serialized:
                continue
            version = next_version(session)
            session.merge(KindRow(name=description.name, part=part, description=serialized))
            record(session, author, version=version, action="register", kind=KIND, name=description.name)
    if version:
        bus.publish(topic, str(version))


def _check(description: KindDescription, own: Collection[str]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,99}", description.name):
        raise BadRequest(f"'{description.name:.120}' is no name of a kind, such as channel-amqp")
    if description.name in own:
        raise BadRequest(f"The kind '{description.name}' is the server's own: choose another name")
    Kind.from_description(description)
