"""What the master has made its workers find made: each page of memory that they need not write to is there once."""

from pathlib import Path

import pytest

from zato.common.bus import MemoryBus
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.common.secrets import generate_key
from zato.server.app import WorkerApp
from zato.server.config import ServerSettings
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds, register_kinds
from zato.server.kinds import own_kinds
from zato.server.metrics import Metrics
from zato.server.odb.database import Database
from zato.server.odb.schema import upgrade


@options
class Pigeons:
    """Messages by pigeon."""

    loft: str = option("Where they come home to")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path}/odb.db")
    upgrade(made)
    return made


def register(database: Database, kind: Kind) -> None:
    register_kinds(database, MemoryBus(), "config", "pigeons", [kind.describe()], Author("test", "cid"))


def test_the_services_of_the_platform_are_those_that_the_master_made(database: Database, tmp_path: Path) -> None:
    register(database, Kind("outgoing-pigeons", "Pigeons", Pigeons))
    settings = ServerSettings(odb_url="sqlite:////", token="none", secret_key=generate_key(), work_folder=tmp_path)
    app = WorkerApp(settings, Metrics(), MemoryBus(), database)
    app.rehearse()
    made = {entry.name: entry.cls for entry in app.documents.store.entries()}
    assert "zato.outgoing-pigeons.create" in made
    app.load()
    assert {entry.name: entry.cls for entry in app.documents.store.entries()} == made


def test_kinds_are_made_anew_only_when_one_has_changed(database: Database) -> None:
    kinds = Kinds(own_kinds())
    seen = []
    for label in ("Pigeons", "Pigeons", "Homing pigeons"):
        register(database, Kind("outgoing-pigeons", label, Pigeons))
        with database.reading() as session:
            kinds.refresh(session)
        seen.append(kinds.registry)
    assert seen[0] is seen[1]
    assert seen[1] is not seen[2]
    assert seen[2].get("outgoing-pigeons").label == "Homing pigeons"
