"""Sending mail."""

from zato.common.kinds import Kind
from zato.server.connections.smtp.options import OutgoingSMTPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-smtp", "Outgoing SMTP connection", OutgoingSMTPOptions),
    connect_by("zato.server.connections.smtp.client"),
    reached_by=("email.smtp",),
)
