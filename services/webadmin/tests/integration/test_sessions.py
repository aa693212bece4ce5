"""Sessions, against a real Redis."""

import dataclasses

import pytest
import redis

from zato.webadmin.sessions import NoRedis, Session, Sessions, csrf_token

IDLE_S, MOST_S = 600.0, 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(redis_url: str, clock: Clock) -> Sessions:
    client = redis.Redis.from_url(redis_url, socket_timeout=1, retry=None)
    return Sessions(client, "test:", idle_s=IDLE_S, most_s=MOST_S, clock=clock)


def begin(sessions: Sessions, clock: Clock, *, lasts_s: float = 86_400.0) -> str:
    return sessions.begin("ann", "admin", "zat_token", must_change_password=False, expires_at=clock.now + lasts_s)


def test_a_session_is_found_by_its_cookie_and_ends_when_it_is_told_to(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock)
    found = sessions.find(cookie)
    assert found is not None
    assert (found.name, found.role, found.token) == ("ann", "admin", "zat_token")
    sessions.end(cookie)
    assert sessions.find(cookie) is None


def test_whoever_is_idle_for_too_long_is_signed_out(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock)
    for _ in range(3):
        clock.now += IDLE_S - 1
        assert sessions.find(cookie) is not None
    clock.now += IDLE_S + 1
    assert sessions.find(cookie) is None


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock)
    clock.now += IDLE_S / 2
    assert sessions.find(cookie, is_sign_of_life=False) is not None
    clock.now += IDLE_S / 2 + 1
    assert sessions.find(cookie) is None


def test_nobody_stays_signed_in_longer_than_a_session_lasts(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock)
    for _ in range(int(MOST_S / (IDLE_S - 1))):
        clock.now += IDLE_S - 1
        assert sessions.find(cookie) is not None
    clock.now += IDLE_S - 1
    assert sessions.find(cookie) is None


def test_a_session_ends_with_the_token_of_the_servers(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock, lasts_s=10)
    clock.now += 11
    assert sessions.find(cookie) is None


def test_what_redis_holds_does_not_let_anybody_act(sessions: Sessions, clock: Clock, redis_url: str) -> None:
    cookie = begin(sessions, clock)
    stored = redis.Redis.from_url(redis_url)
    everything = b"".join(key + stored.get(key) for key in stored.keys("*"))
    assert b"zat_token" not in everything
    assert cookie.encode() not in everything


def test_a_session_that_means_more_has_another_cookie(sessions: Sessions, clock: Clock) -> None:
    cookie = begin(sessions, clock)
    session = sessions.find(cookie)
    assert session is not None
    new = sessions.rotate(cookie, dataclasses.replace(session, must_change_password=True))
    assert sessions.find(cookie) is None
    assert sessions.find(new) == dataclasses.replace(session, must_change_password=True)


def test_a_password_waits_for_its_code_and_only_its_own_cookie_opens_it(sessions: Sessions) -> None:
    sessions.hold("the cookie of a stranger", "secret")
    assert sessions.held("the cookie of a stranger") == "secret"
    assert sessions.held("the cookie of another one") == ""


def test_while_redis_is_away_those_who_were_there_stay_and_nobody_comes(redis_server, clock: Clock) -> None:
    client = redis.Redis.from_url(redis_server.url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    sessions = Sessions(client, "test:", idle_s=IDLE_S, most_s=MOST_S, clock=clock)
    cookie = begin(sessions, clock)
    redis_server.stop()
    assert isinstance(sessions.find(cookie), Session)
    with pytest.raises(NoRedis):
        begin(sessions, clock)
    with pytest.raises(NoRedis):
        sessions.find("the cookie of somebody who was not there")
    clock.now += IDLE_S + 1
    assert sessions.find(cookie) is None


def test_the_token_of_forms_tells_nothing_of_the_cookie_and_differs_by_it() -> None:
    assert csrf_token("a") != csrf_token("b")
    assert "cookie" not in csrf_token("cookie")
