"""A server makes the tables of its database itself; servers of other tests begin with ones that have them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zato.server.odb import schema
from zato.server.odb.database import Database

from .conftest import StartServer

pytestmark = pytest.mark.redis


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_server_that_starts_with_an_empty_database_makes_its_tables_and_serves(
    request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path, dialect: str
) -> None:
    url = f"sqlite:///{tmp_path}/odb.db"
    if dialect == "postgresql":
        new_postgresql_url: Callable[[], str] = request.getfixturevalue("new_postgresql_url")
        url = new_postgresql_url()
    server = start_server(odb_url=url)
    server.admin("zato.security-basic-auth.create", name="first", username="first", password="first of all")
    database = Database(url)
    with database.engine.connect() as connection:
        assert schema.current_revision(connection) == schema.HEAD
    database.close()
