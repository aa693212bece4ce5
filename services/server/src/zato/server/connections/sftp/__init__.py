"""Moving files by SFTP."""

from zato.common.kinds import Kind
from zato.server.connections.sftp.options import OutgoingSFTPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-sftp", "Outgoing SFTP connection", OutgoingSFTPOptions),
    connect_by("zato.server.connections.sftp.client"),
    reached_by=("out.sftp",),
)
