"""The members on disk, so that an agent that is started again serves at once and still knows who was drained."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from zato.common.errors import BadRequest
from zato.lb_agent.members import Member, new_member

FILE = "members.json"


def to_text(members: Iterable[Member]) -> str:
    return json.dumps([dataclasses.asdict(member) for member in members], indent=2) + "\n"


def from_text(text: str) -> tuple[Member, ...]:
    """
    Raises:
        BadRequest: It is not what `to_text` makes.
    """
    try:
        return tuple(_member(value) for value in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise BadRequest(f"{FILE} is damaged: {exc}") from exc


def _member(value: Any) -> Member:
    member = new_member(str(value["name"]), str(value["address"]), str(value["endpoint"]), int(value["weight"]))
    return dataclasses.replace(member, is_drained=bool(value["is_drained"]), given_weight=int(value.get("given_weight", 0)))
