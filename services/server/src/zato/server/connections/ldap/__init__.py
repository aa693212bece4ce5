"""Asking directories."""

from zato.common.kinds import Kind
from zato.server.connections.ldap.options import OutgoingLDAPOptions
from zato.server.connections.types import ConnectionType, connect_by

connection_type = ConnectionType(
    Kind("outgoing-ldap", "Outgoing LDAP connection", OutgoingLDAPOptions),
    connect_by("zato.server.connections.ldap.client"),
    reached_by=("out.ldap",),
)
