"""Moving files by FTP and FTPS."""

from zato.common.kinds import Kind
from zato.server.connections.ftp.client import FTPConnection, connect
from zato.server.connections.ftp.options import OutgoingFTPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(FTPConnection.kind, "Outgoing FTP connection", OutgoingFTPOptions), connect, reached_by=("out.ftp",)
)
