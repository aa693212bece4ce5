"""SQL databases of others."""

from zato.common.kinds import Kind
from zato.server.connections.sql.client import SQLConnection, connect
from zato.server.connections.sql.options import OutgoingSQLOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(SQLConnection.kind, "Outgoing SQL connection", OutgoingSQLOptions), connect, reached_by=("out.sql",)
)
