"""Creating the ODB's tables and bringing them up to date."""

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from zato.common.errors import ZatoError
from zato.server.odb.database import Database

# The newest migration's revision; a test compares it with the scripts.
HEAD = "0006"
# Any number, the same for everyone: servers that start together wait for the one that migrates.
_POSTGRESQL_LOCK = 7_233_117


class SchemaTooNew(ZatoError):
    """The ODB was migrated by a newer release than this one."""


def upgrade(database: Database) -> bool:
    """
    Bring the ODB to this release's schema, and return whether there was something to do.

    Safe to call from any number of servers at once.

    Raises:
        SchemaTooNew: A newer release was here before.
        Unavailable: The ODB can't be reached, or another server migrates it and takes long.
    """
    with database.migrating() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
        current = current_revision(connection)
        if current == HEAD:
            return False
        # Imported for the rare start that migrates: it takes 10 MB, and half of a start's time.
        from zato.server.odb.migrations import known_revisions, migrate

        if current is not None and current not in known_revisions():
            raise SchemaTooNew(f"The ODB has schema '{current}', which this release does not know: install the newer release")
        migrate(connection)
        return True


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the ODB; None of one without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
