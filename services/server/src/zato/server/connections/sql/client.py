"""The client that services use: `with closing(self.out.sql.get("crm").session()) as session: …`."""

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from zato.common.errors import ZatoError
from zato.server.connections.deadline import within
from zato.server.connections.failures import Named, credentials_refused, explained, timed_out
from zato.server.connections.sql.drivers import DRIVERS, MEANINGS, REFUSED, make_engine
from zato.server.connections.sql.options import OutgoingSQLOptions
from zato.server.connections.sql.session import PlainTextSession
from zato.server.control.state import ConfigObject, Configuration

_PING_S = 5.0


class SQLConnection(Named):
    kind = "outgoing-sql"

    def __init__(self, name: str, options: OutgoingSQLOptions) -> None:
        super().__init__(name)
        self._ping_query = options.ping_query or DRIVERS[options.engine].ping_query
        self._ping_s = options.connect_timeout_s + _PING_S
        self._engine = make_engine(options)
        event.listen(self._engine, "checkout", lambda *_: self.note())
        event.listen(self._engine, "handle_error", self._note_error)

    def session(self) -> PlainTextSession:
        """Return a new session. Whoever asked for it commits and closes it; its errors are SQLAlchemy's."""
        return PlainTextSession(self._engine)

    def ping(self) -> None:
        """Raises Unavailable, CredentialsRefused or DeadlineExceeded."""
        longest = within(self._ping_s, lambda: timed_out(self.name))
        with self.errors_explained(SQLAlchemyError, TypeError), longest, self._engine.connect() as connection:
            connection.execute(sqlalchemy.text(self._ping_query))

    def close(self) -> None:
        self._engine.dispose()

    def _note_error(self, context: ExceptionContext) -> None:
        """Sessions raise SQLAlchemy's errors; those that are about the database as a whole are kept as ours."""
        if context.connection is None or context.is_disconnect:
            self.note(explained(self.name, context.original_exception, self.explain))

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        # SQLAlchemy's own words are the driver's, and the statement's.
        if isinstance(exc, SQLAlchemyError) and getattr(exc, "orig", None) is not None:
            return None
        for pattern, meaning in MEANINGS:
            if pattern.search(str(exc)):
                return credentials_refused(self.name) if meaning == REFUSED else meaning
        return None


def connect(config_object: ConfigObject, configuration: Configuration) -> SQLConnection:
    return SQLConnection(config_object.name, config_object.options)
