"""Calling REST services of others."""

from zato.common.kinds import Kind
from zato.server.connections.http.client import connect
from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(Kind("outgoing-http", "Outgoing HTTP connection", OutgoingHTTPOptions), connect)
