"""Calling REST services of others."""

from zato.common.kinds import Kind
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-http", "Outgoing HTTP connection", OutgoingHTTPOptions),
    connect_by("zato.server.connections.http.client"),
    reached_by=("out.rest", "out.plain_http"),
)
