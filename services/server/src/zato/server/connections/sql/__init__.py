"""SQL databases of others."""

from zato.common.kinds import Kind
from zato.server.connections.sql.options import OutgoingSQLOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-sql", "Outgoing SQL connection", OutgoingSQLOptions),
    connect_by("zato.server.connections.sql.client"),
    reached_by=("out.sql",),
)
