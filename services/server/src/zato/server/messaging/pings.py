"""`zato.<kind>.ping` of what connectors have: whether a broker or a peer answers a connector, now."""

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, NotFound, ZatoError
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.control.changes import Author
from zato.server.describe.kinds import PINGED
from zato.server.describe.schemas import record, text
from zato.server.messaging.publishing import ConnectorClient

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


_CONNECTORS = Area("Connectors")


def connector_ping_actions(clients: Iterable[ConnectorClient]) -> dict[str, Action]:
    """Return the actions by the names of their services. Kinds of connectors are known here by name only."""
    return {
        f"zato.{start}-{client.protocol}.ping": _CONNECTORS.action(
            partial(_ping, client, f"{start}-{client.protocol}"),
            Role.OPERATOR,
            f"Say whether the other side of a {start} of {client.protocol} answers a connector, now",
            takes=record({"name": text("Name of the object", minLength=1)}),
            returns=PINGED,
        )
        for client in clients
        for start in client.pinged
    }


def _ping(client: ConnectorClient, kind: str, _admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
    """
    Raises:
        NotFound: The connectors know no such object.
    """
    name = values.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest("'name' takes the name of the object to ping")
    started = time.monotonic()
    error = ""
    try:
        client.ping(kind, name)
    except NotFound:
        raise
    except ZatoError as exc:
        error = exc.message
    return {"is_ok": not error, "error": error, "duration_ms": round((time.monotonic() - started) * 1000, 1)}
