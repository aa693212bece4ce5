"""Commands that make HAProxy's servers the members."""

import dataclasses

from zato.lb_agent.differences import commands, unwanted
from zato.lb_agent.members import Member
from zato.lb_agent.statistics import ServerStatus

MEMBER = Member("server1", "one:80", "10.0.0.1:80")
SERVER = ServerStatus(
    name="server1",
    endpoint="10.0.0.1:80",
    weight=100,
    is_in_maintenance=False,
    state="up",
    last_check="L7OK",
    active_requests=0,
    total_requests=9,
    errors=0,
)


def texts(wanted: list[Member], present: list[ServerStatus], *overdue: str) -> list[str]:
    made = commands(wanted, present, options="check inter 1s", overdue=frozenset(overdue))
    return [command.text for command in made]


def changed(**values: object) -> ServerStatus:
    return dataclasses.replace(SERVER, **values)  # type: ignore[arg-type]


def test_when_all_is_as_it_should_be_there_is_nothing_to_do() -> None:
    assert texts([MEMBER], [SERVER]) == []
    assert texts([], []) == []


def test_a_new_member_is_added_checked_and_then_gets_traffic() -> None:
    assert texts([MEMBER], []) == [
        "add server servers/server1 10.0.0.1:80 weight 100 check inter 1s",
        "enable health servers/server1",
        "set server servers/server1 state ready",
    ]


def test_a_drained_member_is_added_without_traffic() -> None:
    drained = dataclasses.replace(MEMBER, is_drained=True)
    assert texts([drained], [])[0] == "add server servers/server1 10.0.0.1:80 weight 0 check inter 1s"


def test_draining_is_a_weight_of_nothing() -> None:
    assert texts([dataclasses.replace(MEMBER, is_drained=True)], [SERVER]) == ["set server servers/server1 weight 0"]
    assert texts([MEMBER], [changed(weight=0)]) == ["set server servers/server1 weight 100"]


def test_another_address_is_set_in_place() -> None:
    assert texts([MEMBER], [changed(endpoint="10.0.0.9:81")]) == ["set server servers/server1 addr 10.0.0.1 port 80"]
    moved = dataclasses.replace(MEMBER, endpoint="[::1]:80")
    assert texts([moved], [SERVER]) == ["set server servers/server1 addr ::1 port 80"]


def test_one_that_comes_back_while_leaving_is_put_back() -> None:
    assert texts([MEMBER], [changed(is_in_maintenance=True)]) == [
        "enable health servers/server1",
        "set server servers/server1 state ready",
    ]


def test_one_that_left_is_deleted() -> None:
    assert texts([], [SERVER]) == ["set server servers/server1 state maint", "del server servers/server1"]
    assert texts([], [changed(is_in_maintenance=True)]) == ["del server servers/server1"]


def test_one_that_left_may_end_its_requests() -> None:
    busy = changed(active_requests=2)
    assert texts([], [busy]) == ["set server servers/server1 state maint"]
    assert texts([], [dataclasses.replace(busy, is_in_maintenance=True)]) == []


def test_but_not_for_ever() -> None:
    busy = changed(active_requests=2, is_in_maintenance=True)
    assert texts([], [busy], "server1") == ["shutdown sessions server servers/server1", "del server servers/server1"]


def test_members_come_before_those_that_left() -> None:
    left = changed(name="server0", is_in_maintenance=True)
    assert texts([MEMBER], [left])[-1] == "del server servers/server0"
    assert unwanted([MEMBER], [left, SERVER]) == {"server0"}
