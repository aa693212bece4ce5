"""Asking directories."""

from zato.common.kinds import Kind
from zato.server.connections.ldap.client import LDAPConnection, connect
from zato.server.connections.ldap.options import OutgoingLDAPOptions
from zato.server.connections.types import ConnectionType

connection_type = ConnectionType(
    Kind(LDAPConnection.kind, "Outgoing LDAP connection", OutgoingLDAPOptions), connect, reached_by=("out.ldap",)
)
