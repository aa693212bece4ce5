"""The kinds that the server itself implements."""

from zato.common.kinds import Kind
from zato.server.connections.types import connection_types
from zato.server.http import channel
from zato.server.http.soap import channel as soap_channel
from zato.server.security.kinds import KINDS as SECURITY_KINDS
from zato.server.services import service_options
from zato.server.services.message_kinds import KINDS as MESSAGE_KINDS


def own_kinds() -> tuple[Kind, ...]:
    connections = (connection_type.kind for connection_type in connection_types().values())
    return (channel.KIND, soap_channel.KIND, service_options.KIND, *MESSAGE_KINDS, *SECURITY_KINDS, *connections)
