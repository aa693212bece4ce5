"""Moving files by FTP and FTPS."""

from zato.common.kinds import Kind
from zato.server.connections.ftp.options import OutgoingFTPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-ftp", "Outgoing FTP connection", OutgoingFTPOptions),
    connect_by("zato.server.connections.ftp.client"),
    reached_by=("out.ftp",),
)
