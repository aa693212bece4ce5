"""Admin services for runs that were kept to be looked at, `zato.service.slow-response.*` and the like, and for samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest, NotFound, Unavailable
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Run, Values
from zato.server.admin.noting import noted
from zato.server.admin.pages import TAKES, page_schema, read_page
from zato.server.admin.service_states import EDITED, edit_service, find_entry
from zato.server.control.changes import Author
from zato.server.describe.kinds import which
from zato.server.describe.schemas import Schema, integer, number, record, text
from zato.server.services.recordings import ERROR, SAMPLE, SLOW, Recordings

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_SERVICES = Area("Services")
_SAMPLE = {
    "service_id": integer("Number of the service"),
    "sample_req_resp_freq": integer("Every how many runs a sample is kept; 0 for none"),
    "sample_cid": text("Correlation id of the latest one"),
    "sample_req_ts": text("When the request came, UTC", format="date-time"),
    "sample_resp_ts": text("When the answer went, UTC", format="date-time"),
    "sample_req": text("The request"),
    "sample_resp": text("The answer"),
}


@dataclass(frozen=True, slots=True)
class _Recorded:
    """
    Args:
        what: As `zato.server.services.recordings` calls them.
        label: What one of them is, for people.
        shown: What each has beside what all have.
        messages: What only those see who look at a single one.
    """

    what: str
    label: str
    shown: Mapping[str, Schema]
    messages: Mapping[str, Schema]


_RUN = {
    "cid": text("Correlation id of the run"),
    "req_ts": text("When the request came, UTC", format="date-time"),
    "resp_ts": text("When the answer went, UTC", format="date-time"),
    "proc_time": number("Milliseconds that it took"),
    "channel": text("The channel that it came in by"),
    "server": text("Server that it ran in"),
    "version": integer("Version of the service's file"),
}
_MESSAGES = {"req": text("The request"), "resp": text("The answer")}
_RECORDED: Mapping[str, _Recorded] = {
    "slow-response": _Recorded(
        SLOW,
        "slow run",
        {"slow_threshold": integer("Milliseconds above which it is slow")},
        _MESSAGES,
    ),
    "sample": _Recorded(SAMPLE, "sample", {}, _MESSAGES),
    "error": _Recorded(
        ERROR,
        "failed run",
        {"type": text("Name of the error"), "message": text("What it says")},
        {"traceback": text("Where it was raised")},
    ),
}


def recording_actions(recordings: Recordings) -> dict[str, Action]:
    """Return the actions by the names of their services."""
    return {
        **{f"zato.service.{name}": each for name, each in _sample_actions(recordings).items()},
        **{
            f"zato.service.{group}.{name}": each
            for group, recorded in _RECORDED.items()
            for name, each in _recorded_actions(recordings, recorded).items()
        },
    }


def _sample_actions(recordings: Recordings) -> dict[str, Action]:
    frequency = _SAMPLE["sample_req_resp_freq"]
    return {
        "get-request-response": _SERVICES.action(
            lambda admin, values, _author: latest_sample(recordings, admin, values),
            Role.DEVELOPER,
            "Return the latest sample of a service's request and response",
            takes=which({}),
            returns=record(_SAMPLE, optional=_SAMPLE.keys() - {"service_id", "sample_req_resp_freq"}),
        ),
        "configure-request-response": _SERVICES.action(
            configure_samples,
            Role.DEPLOYER,
            "Say how often a sample of a service's request and response is kept",
            takes=record(
                {"name": text("Name of the service", minLength=1), "sample_req_resp_freq": {**frequency, "default": 0}},
                optional=("sample_req_resp_freq",),
            ),
            returns=EDITED,
        ),
    }


def _recorded_actions(recordings: Recordings, recorded: _Recorded) -> dict[str, Action]:
    """Users' messages are in there."""
    action = partial(_SERVICES.action, role=Role.DEVELOPER)
    name, label = {"name": text("Name of the service", minLength=1)}, recorded.label
    return {
        "get-list": action(
            _listing(recordings, recorded.what),
            help=f"Return each {label} of a service that is kept, the newest first",
            takes=record({**name, **TAKES}, optional=TAKES),
            returns=page_schema(record({**_RUN, **recorded.shown})),
        ),
        "get": action(
            _getting(recordings, recorded.what),
            help=f"Return one {label} of a service",
            takes=record({**name, "cid": text("Correlation id of the run")}),
            returns=record({**_RUN, **recorded.shown, **recorded.messages}),
        ),
        "delete": action(
            noted(_deleting(recordings, recorded.what), "name"),
            help=f"Delete each {label} of a service that is kept",
            takes=record(name),
            returns=record({"deleted": integer("How many there were")}),
        ),
    }


def _listing(recordings: Recordings, what: str) -> Run:
    def listing(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        page = read_page(values)
        found = [each for each in _read(recordings, what, values) if page.query in str(list(each.values())).lower()]
        shown = [{name: value for name, value in each.items() if name not in ("req", "resp", "traceback")} for each in found]
        return page.of(shown)

    return listing


def _getting(recordings: Recordings, what: str) -> Run:
    def getting(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        for each in _read(recordings, what, values):
            if each["cid"] == values.get("cid"):
                return each
        raise NotFound(f"Nothing is kept of service '{values['name']}' with the cid '{values.get('cid')!s:.64}'")

    return getting


def _deleting(recordings: Recordings, what: str) -> Run:
    def deleting(_admin: "Admin", values: Values, _author: Author) -> dict[str, int]:
        try:
            return {"deleted": recordings.delete(what, _name(values))}
        except redis.RedisError as exc:
            raise _away() from exc

    return deleting


def _read(recordings: Recordings, what: str, values: Values) -> list[dict[str, Any]]:
    try:
        return [_with_times(each) for each in recordings.read(what, _name(values))]
    except redis.RedisError as exc:
        raise _away() from exc


def _with_times(each: dict[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromtimestamp(each[name], UTC).isoformat() for name in ("req_ts", "resp_ts")}
    return {**each, **times}


def _name(values: Values) -> str:
    name = values.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest("'name' takes the name of a service")
    return name


def _away() -> Unavailable:
    return Unavailable("What was kept of services cannot be looked at now: Redis does not answer")


def latest_sample(recordings: Recordings, admin: "Admin", values: Values) -> dict[str, Any]:
    """As it was published: the latest one, with how often one is taken."""
    entry = find_entry(admin, values)
    made: dict[str, Any] = {"service_id": entry.id, "sample_req_resp_freq": entry.sample_every}
    for each in _read(recordings, SAMPLE, {"name": entry.name})[:1]:
        made |= {
            "sample_cid": each["cid"],
            "sample_req_ts": each["req_ts"],
            "sample_resp_ts": each["resp_ts"],
            "sample_req": each["req"],
            "sample_resp": each["resp"],
        }
    return made


def configure_samples(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    """Keep the request and the answer of every so many runs of a service."""
    return edit_service(admin, {"name": _name(values), "sample_every": values.get("sample_req_resp_freq", 0)}, author)
