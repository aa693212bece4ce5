"""
Admin services for queues of whatever kind: `zato.queue.*`.

A queue has messages in states: those that wait, those that run, those that are delayed, and those that were given up, the
dead letters. What else queues comes in by another `Queue`: those of connectors are in `zato.server.messaging.queues`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gevent

from zato.common.errors import BadRequest, NotFound
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.admin.noting import noted
from zato.server.admin.pages import TAKES, page_schema, read_page
from zato.server.control.changes import Author
from zato.server.describe.schemas import array, boolean, integer, nullable, number, record, text

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

WAITING, RUNNING, DELAYED, DEAD = "waiting", "running", "delayed", "dead"
STATES = (WAITING, RUNNING, DELAYED, DEAD)
# One that runs can't be taken back.
_PURGED = (WAITING, DELAYED, DEAD)
_MOST_IDS = 1000


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """
    Args:
        oldest_s: How old the oldest one is that waits; None when none does.
        error: Why the numbers are not known now.
    """

    name: str
    label: str
    waiting: int
    running: int
    delayed: int
    dead: int
    oldest_s: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """
    Args:
        at: When it came, is due, or was given up, in seconds since the epoch.
        target: What it is for, e.g. a service.
    """

    id: str
    state: str
    at: float
    target: str = ""
    cid: str = ""
    attempts: int = 0
    reason: str = ""
    payload: str = ""


class Queue(Protocol):
    """Each method raises Unavailable when the queue can't be reached."""

    @property
    def name(self) -> str: ...

    def status(self) -> QueueStatus: ...

    def messages(self, state: str) -> Sequence[Message]:
        """Return those in a state, up to ten thousand: the ones that are next, or were given up last, first."""

    def redrive(self, ids: Sequence[str] | None) -> int:
        """Let dead letters run again as if for the first time, all of them when None; return how many."""

    def purge(self, state: str, ids: Sequence[str] | None) -> int:
        """Delete messages in a state, all of them when None; return how many."""


_QUEUES = Area("Queues")
_STATUS = record(
    {
        "name": text("Name of the queue"),
        "label": text("What people call it"),
        "waiting": integer("How many wait"),
        "running": integer("How many run now"),
        "delayed": integer("How many wait for their time or their next try"),
        "dead": integer("How many were given up"),
        "oldest_s": nullable(number("Seconds that the oldest one that waits has waited; null when none does")),
        "error": text("Why the numbers are not known now; empty when they are"),
    }
)
_SHOWN = record(
    {
        "id": text("Id of the message"),
        "state": text("Where it is", enum=list(STATES)),
        "at": number("When it came, is due, or was given up, in seconds since the epoch"),
        "target": text("What it is for, e.g. a service"),
        "cid": text("Correlation id"),
        "attempts": integer("How often it was tried"),
        "reason": text("Why it was given up"),
    }
)
_MESSAGE = record({**_SHOWN["properties"], "payload": text("What is in it")})
_QUEUE = {"queue": text("Name of the queue")}
_STATE = {"state": text("Those in this state", enum=list(STATES), default=DEAD)}
_IDS = {
    "ids": array(text(), "Ids of messages") | {"minItems": 1, "maxItems": _MOST_IDS},
    "all": boolean("Whether all are meant, instead of ids"),
}
_PURGED_STATE = {"state": text("Those in this state", enum=list(_PURGED), default=DEAD)}


def queue_actions(queues: Callable[[], Sequence[Queue]]) -> dict[str, Action]:
    """Return the actions by the names of their services."""

    def get_list(_admin: "Admin", _values: Values, _author: Author) -> list[dict[str, Any]]:
        # Each asks somebody else, who may take a while to say that a broker is away.
        asked = [gevent.spawn(each.status) for each in queues()]
        return [asdict(each.get()) for each in asked]

    def get_messages(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        page, state = read_page(values), _state(values, STATES)
        found = [each for each in _find(queues(), values).messages(state) if page.query in _text(each)]
        answer = page.of(found)
        return {**answer, "data": [_shown(each) for each in answer["data"]]}

    def get_message(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        for each in _find(queues(), values).messages(_state(values, STATES)):
            if each.id == values.get("id"):
                return asdict(each)
        raise NotFound(f"There is no such message '{values.get('id')!s:.100}' any more")

    def redrive(_admin: "Admin", values: Values, _author: Author) -> dict[str, int]:
        return {"redriven": _find(queues(), values).redrive(_ids(values))}

    def purge(_admin: "Admin", values: Values, _author: Author) -> dict[str, int]:
        return {"deleted": _find(queues(), values).purge(_state(values, _PURGED), _ids(values))}

    return {
        "zato.queue.get-list": _QUEUES.listing(
            get_list, Role.VIEWER, "Return the queues, with how many messages each has", item=_STATUS
        ),
        "zato.queue.get-messages": _QUEUES.action(
            get_messages,
            Role.OPERATOR,
            "Return messages of a queue",
            takes=record({**_QUEUE, **_STATE, **TAKES}, optional={**_STATE, **TAKES}),
            returns=page_schema(_SHOWN),
        ),
        "zato.queue.get-message": _QUEUES.action(
            get_message,
            Role.OPERATOR,
            "Return one message of a queue",
            takes=record({**_QUEUE, **_STATE, "id": text("Its id")}, optional=_STATE),
            returns=_MESSAGE,
        ),
        "zato.queue.redrive": _QUEUES.action(
            noted(redrive, "queue", "ids", "all"),
            Role.OPERATOR,
            "Let messages that were given up be tried again",
            takes=record({**_QUEUE, **_IDS}, optional=_IDS),
            returns=record({"redriven": integer("How many")}),
        ),
        "zato.queue.purge": _QUEUES.action(
            noted(purge, "queue", "state", "ids", "all"),
            Role.OPERATOR,
            "Delete messages of a queue",
            takes=record({**_QUEUE, **_PURGED_STATE, **_IDS}, optional={**_PURGED_STATE, **_IDS}),
            returns=record({"deleted": integer("How many")}),
        ),
    }


def _find(queues: Sequence[Queue], values: Values) -> Queue:
    for each in queues:
        if each.name == values.get("queue"):
            return each
    known = ", ".join(each.name for each in queues)
    raise NotFound(f"There is no queue '{values.get('queue')!s:.100}', only {known}")


def _text(message: Message) -> str:
    return "\n".join((message.target, message.cid, message.reason, message.payload)).lower()


def _shown(message: Message) -> dict[str, Any]:
    return {name: value for name, value in asdict(message).items() if name != "payload"}


def _state(values: Values, states: Sequence[str]) -> str:
    state = values.get("state", DEAD)
    if state not in states:
        raise BadRequest(f"'state' takes {', '.join(states)}, not {state!r:.40}")
    return str(state)


def _ids(values: Values) -> Sequence[str] | None:
    """Everything has to be asked for by name: an empty list is a slip."""
    ids = values.get("ids")
    if values.get("all") is True and ids is None:
        return None
    if not isinstance(ids, list) or not 0 < len(ids) <= _MOST_IDS or not all(isinstance(id, str) for id in ids):
        raise BadRequest(f"'ids' takes a list of 1 to {_MOST_IDS} ids of messages; 'all': true means all there are")
    return ids
