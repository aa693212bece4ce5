"""Reading mail."""

from zato.common.kinds import Kind
from zato.server.connections.imap.options import OutgoingIMAPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-imap", "IMAP connection", OutgoingIMAPOptions),
    connect_by("zato.server.connections.imap.client"),
    reached_by=("email.imap",),
)
