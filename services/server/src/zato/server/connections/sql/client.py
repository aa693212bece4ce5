"""The client that services use: `with closing(self.out.sql.get("crm").session()) as session: …`."""

from typing import Any

import sqlalchemy
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from zato.common.errors import Unavailable
from zato.server.connections.sql.options import OutgoingSQLOptions
from zato.server.control.state import ConfigObject, Configuration


class PlainTextSession(Session):
    """A session that takes SQL as plain text too, as services have always written it."""

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(statement, str):
            statement = sqlalchemy.text(statement)
        return super().execute(statement, *args, **kwargs)


class SQLConnection:
    def __init__(self, name: str, options: OutgoingSQLOptions) -> None:
        self.name = name
        url = sqlalchemy.URL.create(
            "postgresql+psycopg2" if options.engine == "postgresql" else "sqlite",
            username=options.username or None,
            password=options.password or None,
            host=options.host or None,
            port=options.port or None,
            database=options.db_name,
        )
        if options.engine == "postgresql":
            self._engine = sqlalchemy.create_engine(
                url, pool_size=options.pool_size, pool_pre_ping=True, connect_args={"connect_timeout": 5}
            )
        else:
            self._engine = sqlalchemy.create_engine(url, poolclass=NullPool)

    @property
    def conn(self) -> "SQLConnection":
        return self

    def session(self) -> PlainTextSession:
        """Return a new session. Whoever asked for it commits and closes it."""
        return PlainTextSession(self._engine)

    def ping(self) -> None:
        try:
            with self._engine.connect() as connection:
                connection.execute(sqlalchemy.text("SELECT 1"))
        except sqlalchemy.exc.SQLAlchemyError as exc:
            reason = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
            raise Unavailable(
                f"Connection '{self.name}' could not reach its database: {reason}",
                public=f"Connection '{self.name}' could not reach its database",
            ) from exc

    def close(self) -> None:
        self._engine.dispose()


def connect(config_object: ConfigObject, configuration: Configuration) -> SQLConnection:
    return SQLConnection(config_object.name, config_object.options)
