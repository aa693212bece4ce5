"""Calling REST services of others."""

from zato.common.kinds import Kind
from zato.server.connections.http.client import HTTPConnection, connect
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(HTTPConnection.kind, "Outgoing HTTP connection", OutgoingHTTPOptions),
    connect,
    reached_by=("out.rest", "out.plain_http"),
)
