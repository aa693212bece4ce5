"""Leases, draining and names, on a clock that the tests move."""

import pytest

from zato.common.clock import ManualClock
from zato.common.errors import BadRequest, NotFound
from zato.lb_agent.members import Member, Membership, new_member

SERVER1 = Member("server1", "one:80", "10.0.0.1:80")
SERVER2 = Member("server2", "two:80", "10.0.0.2:80")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def membership(clock: ManualClock) -> Membership:
    return Membership(clock, lease_s=6.0)


def pass_time(membership: Membership, clock: ManualClock, seconds: int) -> list[str]:
    """Let time pass as it does for a running agent, which looks once a second; return who was taken out."""
    ended: list[str] = []
    for _ in range(seconds):
        clock.advance(1.0)
        ended += [member.name for member in membership.expire()]
    return ended


def test_members_are_listed_by_name(membership: Membership) -> None:
    assert membership.join(SERVER2)
    assert membership.join(SERVER1)
    assert membership.all() == (SERVER1, SERVER2)
    assert membership.get("server1") == SERVER1
    assert membership.get("server3") is None


def test_a_member_that_does_not_join_again_is_taken_out(membership: Membership, clock: ManualClock) -> None:
    membership.join(SERVER1)
    assert pass_time(membership, clock, 5) == []
    assert pass_time(membership, clock, 1) == ["server1"]
    assert membership.all() == ()


def test_joining_again_renews_the_lease_and_nothing_else(membership: Membership, clock: ManualClock) -> None:
    membership.join(SERVER1)
    membership.join(SERVER2)
    for _ in range(4):
        pass_time(membership, clock, 2)
        assert not membership.join(SERVER1)
    assert membership.all() == (SERVER1,)


def test_an_agent_that_stood_still_throws_nobody_out(membership: Membership, clock: ManualClock) -> None:
    membership.join(SERVER1)
    clock.advance(100.0)
    assert membership.expire() == ()
    assert pass_time(membership, clock, 5) == []
    assert pass_time(membership, clock, 1) == ["server1"]


def test_another_address_or_weight_is_a_change(membership: Membership) -> None:
    membership.join(SERVER1)
    assert membership.join(new_member("server1", "one:81", "10.0.0.1:81", 0))
    assert membership.join(new_member("server1", "one:81", "10.0.0.1:81", 50))
    assert not membership.join(new_member("server1", "one:81", "10.0.0.1:81", 50))


def test_a_renewal_does_not_undo_draining(membership: Membership) -> None:
    membership.join(SERVER1)
    assert membership.set_drained("server1", True)
    assert not membership.set_drained("server1", True)
    assert not membership.join(SERVER1)
    (member,) = membership.all()
    assert (member.is_drained, member.weight, member.effective_weight) == (True, 100, 0)
    assert membership.set_drained("server1", False)
    assert membership.all() == (SERVER1,)


def test_a_renewal_does_not_undo_a_weight_that_was_given(membership: Membership) -> None:
    membership.join(SERVER1)
    assert membership.give_weight("server1", 7)
    assert not membership.give_weight("server1", 7)
    assert not membership.join(SERVER1)
    (member,) = membership.all()
    assert (member.weight, member.share, member.effective_weight) == (100, 7, 7)
    membership.set_drained("server1", True)
    assert membership.all()[0].effective_weight == 0
    membership.set_drained("server1", False)
    assert membership.give_weight("server1", 0)
    assert membership.all() == (SERVER1,)


@pytest.mark.parametrize("weight", [-1, 257])
def test_no_weight_out_of_bounds_is_given(membership: Membership, weight: int) -> None:
    membership.join(SERVER1)
    with pytest.raises(BadRequest, match="from 1 to 256"):
        membership.give_weight("server1", weight)
    with pytest.raises(NotFound):
        membership.give_weight("server2", 1)


def test_leaving_and_joining_does(membership: Membership) -> None:
    membership.join(SERVER1)
    membership.set_drained("server1", True)
    assert membership.leave("server1")
    assert not membership.leave("server1")
    assert membership.join(SERVER1)
    assert membership.all() == (SERVER1,)


def test_who_is_no_member_cannot_be_drained(membership: Membership) -> None:
    with pytest.raises(NotFound, match="no server 'server1' in the load-balancer; there are: none"):
        membership.set_drained("server1", True)
    membership.join(SERVER2)
    with pytest.raises(NotFound, match="there are: server2"):
        membership.set_drained("server1", True)


def test_members_of_an_earlier_run_have_a_lease_from_the_start(clock: ManualClock) -> None:
    membership = Membership(clock, 6.0, [SERVER1])
    assert pass_time(membership, clock, 5) == []
    assert pass_time(membership, clock, 1) == ["server1"]


@pytest.mark.parametrize("name", ["server1", "a", "node-1.example_x", "x" * 64])
def test_names_that_fit(name: str) -> None:
    assert new_member(name, "a:1", "10.0.0.1:1", 0).name == name


@pytest.mark.parametrize("name", ["", "-x", "two words", "a\n", "a/b", "a;b", "ä", "x" * 65, "'"])
def test_names_that_could_mean_something_to_haproxy_do_not_fit(name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a server"):
        new_member(name, "a:1", "10.0.0.1:1", 0)


@pytest.mark.parametrize(("given", "taken"), [(0, 100), (1, 1), (256, 256)])
def test_weights_that_fit(given: int, taken: int) -> None:
    assert new_member("server1", "a:1", "10.0.0.1:1", given).weight == taken


@pytest.mark.parametrize("weight", [-1, 257])
def test_weights_that_do_not_fit(weight: int) -> None:
    with pytest.raises(BadRequest, match="a weight is from 1 to 256"):
        new_member("server1", "a:1", "10.0.0.1:1", weight)
