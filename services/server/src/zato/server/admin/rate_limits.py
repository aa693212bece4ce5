"""Admin services for rate limits: how much of each is used now, and counting anew. `zato.rate-limit.get-list|reset`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest, NotFound, Unavailable
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.admin.noting import noted
from zato.server.admin.pages import listed_takes, page_of, page_schema
from zato.server.control.changes import Author
from zato.server.control.state import Configuration
from zato.server.describe.schemas import boolean, integer, number, record, text
from zato.server.http.limit_options import limits_of
from zato.server.http.rate_limits import LocalCounter, RateLimit, Rule, Ticket
from zato.server.http.redis_counter import RedisCounter

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


@dataclass(frozen=True, slots=True)
class _Limit:
    kind: str
    name: str
    limit: RateLimit

    def counted(self) -> Iterator[tuple[Rule, Ticket]]:
        for place, rule in enumerate(self.limit.rules):
            if rule.count is not None:
                yield rule, Ticket(f"{self.limit.owner}:{place}", rule.count, rule.window_s)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """
    Args:
        current: Returns the configuration that runs now.
        counter: Returns the name of this server, and the process, that APPROXIMATE limits are counted by.
        tell: Tells all processes to count an owner's uses anew.
    """

    current: Callable[[], Configuration]
    local: LocalCounter
    shared: RedisCounter
    counter: Callable[[], str]
    tell: Callable[[str], object]

    def find(self) -> Iterator[_Limit]:
        for each in self.current().objects.values():
            for limit in limits_of(each.kind, each.name, each.options):
                yield _Limit(each.kind, each.name, limit)

    def used(self, limit: _Limit) -> list[int]:
        tickets = [ticket for _, ticket in limit.counted()]
        return self.shared.used(tickets) if limit.limit.is_exact else [self.local.used(ticket) for ticket in tickets]

    def reset(self, limit: _Limit) -> None:
        if limit.limit.is_exact:
            self.shared.reset([ticket for _, ticket in limit.counted()])
        else:
            self.local.reset(limit.limit.owner)
            self.tell(limit.limit.owner)


_LIMITS = Area("Rate limits")
_OWNER = {"kind": text("Kind of what is limited"), "name": text("Its name")}
_USED = record(
    {
        **_OWNER,
        "source": text("Network that callers are in; * for any"),
        "limit": integer("How often it may be used"),
        "window_s": number("In how many seconds"),
        "used": integer("How often it was"),
        "is_exact": boolean("Whether all servers count together"),
        "counted_by": text("Who has counted: the cluster, or one process of one server"),
    }
)


def rate_limit_actions(limits: RateLimits) -> dict[str, Action]:
    """Return the actions by the names of their services."""

    def get_list(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        try:
            found = [row for limit in limits.find() for row in _rows(limits, limit)]
        except redis.RedisError as exc:
            raise _away() from exc
        return page_of(found, values)

    def reset(_admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        kind, name = values.get("kind"), values.get("name")
        if not isinstance(kind, str) or not isinstance(name, str):
            raise BadRequest("'kind' and 'name' take those of what is limited: see zato.rate-limit.get-list")
        wanted = [limit for limit in limits.find() if (limit.kind, limit.name) == (kind, name)]
        if not wanted:
            raise NotFound(f"There is no {kind} '{name}' whose use is limited")
        try:
            for limit in wanted:
                limits.reset(limit)
        except redis.RedisError as exc:
            raise _away() from exc
        return {"kind": kind, "name": name}

    return {
        "zato.rate-limit.get-list": _LIMITS.action(
            get_list,
            Role.VIEWER,
            "Return how much of each rate limit is used now",
            takes=listed_takes(_USED),
            returns=page_schema(_USED),
        ),
        "zato.rate-limit.reset": _LIMITS.action(
            noted(reset, "kind", "name"),
            Role.OPERATOR,
            "Let a rate limit count from zero again",
            takes=record(_OWNER),
            returns=record(_OWNER),
        ),
    }


def _rows(limits: RateLimits, limit: _Limit) -> Iterator[dict[str, Any]]:
    for (rule, ticket), used in zip(limit.counted(), limits.used(limit), strict=True):
        yield {
            "kind": limit.kind,
            "name": limit.name,
            "source": str(rule.network or "*"),
            "limit": ticket.count,
            "window_s": ticket.window_s,
            "used": used,
            "is_exact": limit.limit.is_exact,
            "counted_by": "cluster" if limit.limit.is_exact else limits.counter(),
        }


def _away() -> Unavailable:
    return Unavailable("How often things were used cannot be found out now: Redis does not answer")
