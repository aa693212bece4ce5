"""From HAProxy as it is to HAProxy as it should be: the commands that lie between."""

from collections.abc import Iterable
from dataclasses import dataclass

from zato.lb_agent.configuration import BACKEND
from zato.lb_agent.members import Member
from zato.lb_agent.statistics import ServerStatus


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command of HAProxy's runtime API.

    Args:
        expects: What a good answer contains, if it is not empty.
    """

    text: str
    expects: str = ""


def commands(
    wanted: Iterable[Member], present: Iterable[ServerStatus], *, options: str, overdue: frozenset[str] = frozenset()
) -> tuple[Command, ...]:
    """
    Return what makes the servers of HAProxy those of `wanted`, in this order.

    A server that is wanted no more is taken out of traffic at once, and deleted when its last request has ended:
    until then some of this is to be repeated later.

    Args:
        options: What follows name, address and weight when a server is added.
        overdue: Names of servers whose last requests had their time; they are cut off.
    """
    by_name = {server.name: server for server in present}
    members = {member.name: member for member in wanted}
    made: list[Command] = []
    for member in members.values():
        server = by_name.get(member.name)
        made += _add(member, options) if server is None else _change(member, server)
    for server in by_name.values():
        if server.name not in members:
            made += _remove(server, is_overdue=server.name in overdue)
    return tuple(made)


def unwanted(wanted: Iterable[Member], present: Iterable[ServerStatus]) -> frozenset[str]:
    """Return the names of the servers that are on their way out."""
    return frozenset(server.name for server in present) - {member.name for member in wanted}


def _add(member: Member, options: str) -> list[Command]:
    server = f"{BACKEND}/{member.name}"
    return [
        Command(f"add server {server} {member.endpoint} weight {member.effective_weight} {options}", "registered"),
        Command(f"enable health {server}"),
        Command(f"set server {server} state ready"),
    ]


def _change(member: Member, server: ServerStatus) -> list[Command]:
    name = f"{BACKEND}/{member.name}"
    made = []
    if server.endpoint != member.endpoint:
        host, _, port = member.endpoint.rpartition(":")
        host = host.strip("[]")
        made.append(Command(f"set server {name} addr {host} port {port}", "changed"))
    if server.weight != member.effective_weight:
        made.append(Command(f"set server {name} weight {member.effective_weight}"))
    if server.is_in_maintenance:
        made += [Command(f"enable health {name}"), Command(f"set server {name} state ready")]
    return made


def _remove(server: ServerStatus, *, is_overdue: bool) -> list[Command]:
    name = f"{BACKEND}/{server.name}"
    made = []
    if not server.is_in_maintenance:
        made.append(Command(f"set server {name} state maint"))
    if is_overdue and server.active_requests:
        made.append(Command(f"shutdown sessions server {name}"))
    if is_overdue or not server.active_requests:
        made.append(Command(f"del server {name}", "deleted"))
    return made
