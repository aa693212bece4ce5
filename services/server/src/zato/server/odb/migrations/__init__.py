"""The ODB's migrations (Alembic)."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

_FOLDER = str(Path(__file__).parent)


def known_revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory(_FOLDER).walk_revisions()}


def migrate(connection: Connection) -> None:
    """Run what is missing, on this connection and in its transaction."""
    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
