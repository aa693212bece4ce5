"""Sending mail."""

from zato.common.kinds import Kind
from zato.server.connections.smtp.client import SMTPConnection, connect
from zato.server.connections.smtp.options import OutgoingSMTPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(SMTPConnection.kind, "Outgoing SMTP connection", OutgoingSMTPOptions), connect, reached_by=("email.smtp",)
)
