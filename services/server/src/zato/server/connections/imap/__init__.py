"""Reading mail."""

from zato.common.kinds import Kind
from zato.server.connections.imap.client import IMAPConnection, connect
from zato.server.connections.imap.options import OutgoingIMAPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(IMAPConnection.kind, "IMAP connection", OutgoingIMAPOptions), connect, reached_by=("email.imap",)
)
