"""`zato.connector.get-list`: which connectors there are, whether they answer, and how fast messages pass through them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import gevent

from zato.common.errors import ZatoError
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds
from zato.server.describe.schemas import array, boolean, integer, record, text
from zato.server.messaging.publishing import ConnectorClient

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_CONNECTORS = Area("Connectors")
_COUNTS = ("received", "done", "retried", "dead", "in_flight")
_OBJECT = record(
    {
        "id": integer("Number of the object"),
        "kind": text("Its kind, e.g. channel-amqp"),
        "name": text("Its name"),
        "version": integer("Configuration version that it runs with"),
        "is_connected": boolean("Whether its peer is connected"),
        "error": text("Why not"),
        "received": integer("Messages taken up, or sent, since the connector started"),
        "done": integer("How many of them are done, or confirmed"),
        "retried": integer("How often one was tried again"),
        "dead": integer("How many were given up"),
        "in_flight": integer("How many are not settled yet"),
    }
)
_CONNECTOR = record(
    {
        "part": text("The part that it is, e.g. connector-amqp"),
        "address": text("Where servers look for it, host:port"),
        "name": text("Name that it gives itself; empty while it does not answer"),
        "is_running": boolean("Whether it answers"),
        "error": text("Why it does not, or what it lacks"),
        "config_version": integer("Configuration version that it has; 0 while it does not answer"),
        "objects": array(_OBJECT, "What it runs now"),
    }
)


def connector_actions(clients: Callable[[], Iterable[ConnectorClient]], kinds: Kinds) -> dict[str, Action]:
    """Return the actions by the names of their services. Of a protocol whose kinds nobody brought no connector is missed."""

    def get_list(_admin: "Admin", _values: Values, _author: Author) -> list[dict[str, Any]]:
        known = [(each, kinds.parts[each.channel_kind]) for each in clients() if each.channel_kind in kinds.parts]
        # Each asks somebody else, who may not be there.
        asked = [(part, gevent.spawn(client.statuses)) for client, part in known]
        return [_described(part, address, answer) for part, each in asked for address, answer in each.get()]

    return {
        "zato.connector.get-list": _CONNECTORS.listing(
            get_list,
            Role.VIEWER,
            "Return the connectors, with what each of them runs and how many messages passed",
            item=_CONNECTOR,
        )
    }


def _described(part: str, address: str, answer: Any) -> dict[str, Any]:
    made = {"part": part, "address": address}
    if isinstance(answer, ZatoError):
        return {**made, "name": "", "is_running": False, "error": answer.message, "config_version": 0, "objects": []}
    return {
        **made,
        "name": answer.name,
        "is_running": True,
        "error": "" if answer.is_connected else "It hears nothing from servers",
        "config_version": answer.config_version,
        "objects": sorted((_object(each) for each in answer.objects), key=lambda found: (found["kind"], found["name"])),
    }


def _object(running: Any) -> dict[str, Any]:
    told = {name: getattr(running, name) for name in ("id", "kind", "name", "version", "is_connected", "error")}
    return {**told, **{name: getattr(running, name) for name in _COUNTS}}
