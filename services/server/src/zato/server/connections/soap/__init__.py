"""Calling SOAP services of others."""

from zato.common.kinds import Kind
from zato.server.connections.soap.client import SOAPConnection, connect
from zato.server.connections.soap.options import OutgoingSOAPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(SOAPConnection.kind, "Outgoing SOAP connection", OutgoingSOAPOptions), connect, reached_by=("out.soap",)
)
