"""
`wait_s`, which services take that change the configuration: a change that is saved is not live everywhere yet. With it they
answer when all living workers have it, or say which have not.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gevent

from zato.common.errors import InvalidOptions
from zato.server.admin.actions import Action, Values
from zato.server.control.changes import current_version
from zato.server.control.workers import living_workers
from zato.server.describe.kinds import ActionDescription
from zato.server.describe.schemas import Schema, array, boolean, number, text
from zato.server.odb.database import Database

NAME = "wait_s"
# The answer's status when somebody has not got it: it is saved, which no error may hide.
ACCEPTED = 202
_MOST_S = 60.0
_ASK_EVERY_S = 0.05
_TAKES: Mapping[str, Schema] = {
    NAME: number(
        "Seconds to wait until all workers of all servers run with the change; 0 does not wait",
        minimum=0,
        maximum=_MOST_S,
        default=0,
    )
}
_RETURNS: Mapping[str, Schema] = {
    "is_live": boolean("Whether all workers have it, if that was waited for"),
    "missing": array(text(), "Workers that had it not in time, as server/pid"),
}


def changing(action: Action) -> Action:
    """Return an action that changes the configuration, and may be waited for."""
    return replace(action, changes=True, describe=lambda: _described(action.describe()))


def _described(described: ActionDescription) -> ActionDescription:
    return replace(described, takes=_with(described.takes, _TAKES), returns=_with(described.returns, _RETURNS))


def _with(schema: Schema, more: Mapping[str, Schema]) -> Schema:
    return {**schema, "properties": {**schema.get("properties", {}), **more}}


def without_wait(values: Values) -> tuple[float, Values]:
    """Return how long to wait, and the rest of an input. Raises InvalidOptions."""
    wait_s = values.get(NAME)
    if wait_s is None:
        return 0.0, {name: value for name, value in values.items() if name != NAME}
    if isinstance(wait_s, bool) or not isinstance(wait_s, int | float) or not 0 <= wait_s <= _MOST_S:
        wanted = f"takes a number of seconds up to {_MOST_S:g}"
        raise InvalidOptions(f"'{NAME}' {wanted}", **{NAME: wanted})
    return float(wait_s), {name: value for name, value in values.items() if name != NAME}


def is_waited_for(values: Values) -> bool:
    return bool(values.get(NAME) or values.get("wait"))


def waited(database: Database, wait_s: float) -> dict[str, Any]:
    """Return whether all living workers run the configuration that is the newest now, or one after it; and which do not."""
    deadline = time.monotonic() + wait_s
    with database.reading() as session:
        version = current_version(session)
    while True:
        with database.reading() as session:
            missing = [f"{row.server}/{row.pid}" for row in living_workers(session) if row.config_version < version]
        if not missing or time.monotonic() >= deadline:
            return {"is_live": not missing, "missing": missing}
        gevent.sleep(_ASK_EVERY_S)
