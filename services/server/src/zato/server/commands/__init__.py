"""What a server adds to the `zato` command: services, deployments, objects, kinds, and the state of the cluster."""

from zato.server.commands.cluster import CLUSTER_COMMANDS
from zato.server.commands.objects import OBJECT_COMMANDS
from zato.server.commands.services import SERVICE_COMMANDS

COMMANDS = (*SERVICE_COMMANDS, *OBJECT_COMMANDS, *CLUSTER_COMMANDS)

__all__ = ["COMMANDS"]
