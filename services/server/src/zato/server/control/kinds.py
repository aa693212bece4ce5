"""Which kinds there are: the server's own, and those that other parts registered."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.kinds import Kind, KindRegistry
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription
from zato.server.control.changes import KIND, Author, next_version, record
from zato.server.odb.database import Database
from zato.server.odb.tables import KindRow


class Kinds:
    """The kinds known now; `refresh` takes up those that were registered since."""

    def __init__(self, own: Iterable[Kind]) -> None:
        self._own = tuple(own)
        self.registry = KindRegistry(self._own)

    def refresh(self, session: Session) -> None:
        rows = session.execute(select(KindRow)).scalars()
        registered = [Kind.from_description(KindDescription.FromString(row.description)) for row in rows]
        self.registry = KindRegistry([*registered, *self._own])


def register_kinds(
    database: Database, bus: Bus, topic: str, part: str, kinds: Iterable[KindDescription], author: Author
) -> None:
    """Store the descriptions that are new or differ from what is stored, and tell everyone."""
    version = 0
    with database.transaction() as session:
        for description in kinds:
            Kind.from_description(description)  # what can't be made into a form is refused now
            stored = session.get(KindRow, description.name)
            serialized = description.SerializeToString(deterministic=True)
            if stored is not None and stored.description == serialized:
                continue
            version = next_version(session)
            session.merge(KindRow(name=description.name, part=part, description=serialized))
            record(session, author, version=version, action="register", kind=KIND, name=description.name)
    if version:
        bus.publish(topic, str(version))
