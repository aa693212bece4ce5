"""`zato.<kind>.ping` of outgoing connections: whether the other side answers, now."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, ZatoError
from zato.common.logs import get_logger
from zato.server.admin.actions import Action
from zato.server.admin.kinds import kind_action
from zato.server.connections.types import ConnectionType, connection_types
from zato.server.control.changes import Author
from zato.server.control.state import Configuration

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

log = get_logger(__name__)


def ping_actions(current: Callable[[], Configuration]) -> dict[str, Action]:
    """Return an action for each type of connection. `current` returns the configuration that runs now."""
    return {
        f"zato.{kind}.ping": kind_action(each.kind, "ping", partial(_ping, each, current))
        for kind, each in connection_types().items()
    }


def _ping(
    connection_type: ConnectionType,
    current: Callable[[], Configuration],
    _admin: "Admin",
    values: Mapping[str, Any],
    _author: Author,
) -> dict[str, Any]:
    """
    Make the connection anew, so that one that is switched off is pinged too, and return what came of it.

    Raises:
        NotFound: There is no such connection.
    """
    name = values.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest("'name' takes the name of the connection to ping")
    configuration = current()
    config_object = configuration.find((connection_type.kind.name,), name)
    started = time.monotonic()
    error = ""
    try:
        connection = connection_type.connect(config_object, configuration)
        try:
            connection.ping()
        finally:
            connection.close()
    except ZatoError as exc:
        error = exc.message
    except Exception:
        log.exception("connection_ping_failed", kind=connection_type.kind.name, name=name)
        error = f"Connection '{name}' failed: see connection_ping_failed in the log"
    return {"is_ok": not error, "error": error, "duration_ms": round((time.monotonic() - started) * 1000, 1)}
