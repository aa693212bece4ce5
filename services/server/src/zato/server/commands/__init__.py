"""
What a server adds to the `zato` command: services, packages, objects, kinds, configuration in files, the state
of the cluster, statistics, what runs, and the audit log.

Users' services import CommandResult from here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zato.server.services.shell import CommandResult


def __getattr__(name: str) -> Any:
    # The command line is nothing that a service has use for, nor are services that the command line has to wait for.
    if name == "CommandResult":
        from zato.server.services.shell import CommandResult

        return CommandResult
    if name != "COMMANDS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zato.server.commands.accounts import ACCOUNT_COMMANDS
    from zato.server.commands.audit import AUDIT_COMMANDS
    from zato.server.commands.cluster import CLUSTER_COMMANDS
    from zato.server.commands.enmasse import ENMASSE_COMMANDS
    from zato.server.commands.objects import OBJECT_COMMANDS
    from zato.server.commands.openapi import OPENAPI_COMMANDS
    from zato.server.commands.operations import OPERATIONS_COMMANDS
    from zato.server.commands.packages import PACKAGE_COMMANDS
    from zato.server.commands.services import SERVICE_COMMANDS
    from zato.server.commands.statistics import STATISTICS_COMMANDS

    return (
        *SERVICE_COMMANDS,
        *PACKAGE_COMMANDS,
        *STATISTICS_COMMANDS,
        *OBJECT_COMMANDS,
        *ENMASSE_COMMANDS,
        *OPENAPI_COMMANDS,
        *CLUSTER_COMMANDS,
        *OPERATIONS_COMMANDS,
        *AUDIT_COMMANDS,
        *ACCOUNT_COMMANDS,
    )


__all__ = ["COMMANDS", "CommandResult"]
