"""Moving files by SFTP."""

from zato.common.kinds import Kind
from zato.server.connections.sftp.client import SFTPConnection, connect
from zato.server.connections.sftp.options import OutgoingSFTPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(SFTPConnection.kind, "Outgoing SFTP connection", OutgoingSFTPOptions), connect, reached_by=("out.sftp",)
)
