from collections.abc import Sequence

import gevent
import pytest

from zato.common.errors import Forbidden, TooManyRequests, Unavailable
from zato.common.testing.processes import free_port
from zato.server.http.rate_limits import LocalCounter, RateLimiter, Ticket, make_rate_limit, parse_rules, ticket_for
from zato.server.http.redis_counter import RedisCounter


@pytest.mark.parametrize(
    ("definition", "limits"),
    [
        ("* = 10/m", [(10, 60)]),
        ("127.0.0.1=5/h\n10.0.0.0/8 = 100/d\n*=*", [(5, 3600), (100, 86400), (None, 0)]),
        ("::1 = 1/m; * = 0/m", [(1, 60), (0, 60)]),
        ("  # nobody yet\n\n* = 7 / m  # seven", [(7, 60)]),
        ("10.1.2.3/8 = 1/m", [(1, 60)]),
        ("", []),
    ],
)
def test_a_definition_has_a_rule_a_line(definition: str, limits: list[tuple[int | None, int]]) -> None:
    assert [(rule.count, rule.window_s) for rule in parse_rules(definition)] == limits


@pytest.mark.parametrize(
    "line", ["*", "* = ", "* = 10", "* = 10/s", "* = x/m", "* = -1/m", "any = 1/m", "1.2.3 = 1/m", "= 1/m", "* = ²/m"]
)
def test_a_line_that_is_no_rule_is_refused_with_what_was_wanted(line: str) -> None:
    with pytest.raises(ValueError, match="takes lines such as"):
        parse_rules(f"* = 1/m\n{line}")


_RULES = "192.168.1.1 = *\n192.168.0.0/16 = 10/m\n2001:db8::/32 = 5/h"


@pytest.mark.parametrize(
    ("address", "count"),
    [("192.168.1.1", None), ("192.168.1.2", 10), ("::ffff:192.168.9.9", 10), ("2001:db8::9", 5)],
)
def test_the_first_rule_that_fits_holds(address: str, count: int | None) -> None:
    ticket = ticket_for(make_rate_limit("channel-http:a", "EXACT", _RULES), address)
    assert (ticket.count if ticket else None) == count


@pytest.mark.parametrize("definition", [_RULES, ""])
@pytest.mark.parametrize("address", ["10.0.0.1", "::1", "", "nonsense"])
def test_who_fits_no_rule_is_refused(definition: str, address: str) -> None:
    with pytest.raises(Forbidden):
        ticket_for(make_rate_limit("channel-http:a", "EXACT", definition), address)


def test_a_changed_definition_counts_anew_and_the_same_one_goes_on() -> None:
    first, same, changed = (make_rate_limit("a", "EXACT", text) for text in ("* = 1/m", "* = 1/m", "* = 2/m"))
    assert first.owner == same.owner != changed.owner


class Fake:
    """Keeps what it was asked."""

    def __init__(self, answer: int = 0) -> None:
        self.asked: list[list[str]] = []
        self._answer = answer

    def take(self, tickets: Sequence[Ticket]) -> int:
        self.asked.append([ticket.key.partition(":")[0] for ticket in tickets])
        return self._answer


def test_exact_limits_are_counted_together_and_elsewhere_than_approximate_ones() -> None:
    local, shared = Fake(), Fake()
    limits = [make_rate_limit(name, kind, "* = 1/m") for name, kind in (("a", "EXACT"), ("b", "APPROXIMATE"), ("c", "EXACT"))]
    RateLimiter(local, shared).check(limits, "10.0.0.1")
    assert (local.asked, shared.asked) == ([["b"]], [["a", "c"]])
    RateLimiter(local, shared).check([make_rate_limit("d", "EXACT", "* = *")], "10.0.0.1")
    assert len(shared.asked) == 1, "what has no limit is not counted"


def test_who_comes_too_often_is_told_when_to_come_again() -> None:
    with pytest.raises(TooManyRequests) as caught:
        RateLimiter(Fake(17), Fake()).check([make_rate_limit("a", "APPROXIMATE", "* = 1/m")], "10.0.0.1")
    assert caught.value.retry_after_s == 17


def test_without_redis_requests_are_counted_here_or_refused() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    ticket = Ticket("key", 2, 86_400)
    falling_back = RedisCounter(url, "test", LocalCounter())
    assert [falling_back.take([ticket]) > 0 for _ in range(3)] == [False, False, True]
    refusing = RedisCounter(url, "test", None)
    for _ in range(3):
        with pytest.raises(Unavailable):
            refusing.take([ticket])


def test_all_who_ask_while_redis_fails_are_answered() -> None:
    counter = RedisCounter(f"redis://127.0.0.1:{free_port()}/0", "test", LocalCounter())
    ticket = Ticket("key", 30, 86_400)
    asking = [gevent.spawn(counter.take, [ticket]) for _ in range(50)]
    gevent.joinall(asking, raise_error=True)
    assert sum(each.value == 0 for each in asking) == 30
