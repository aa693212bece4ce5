"""Calling SOAP services of others."""

from zato.common.kinds import Kind
from zato.server.connections.soap.options import OutgoingSOAPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-soap", "Outgoing SOAP connection", OutgoingSOAPOptions),
    connect_by("zato.server.connections.soap.client"),
    reached_by=("out.soap",),
)
