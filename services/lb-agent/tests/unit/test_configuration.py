"""The configuration as text. Whether HAProxy takes it is for the integration tests."""

from pathlib import Path

import pytest

from zato.lb_agent.config import LBAgentSettings
from zato.lb_agent.configuration import Configuration, server_options
from zato.lb_agent.members import Member
from zato.lb_agent.own_sections import OwnSections

NOTHING = OwnSections(Path("/none.cfg"))
SERVER1 = Member("server1", "one:80", "10.0.0.1:80")
DRAINED = Member("server2", "two:80", "[::1]:80", weight=7, is_drained=True)


def settings(**values: object) -> LBAgentSettings:
    return LBAgentSettings(**{"token": "t", "stats_password": "p", **values})  # type: ignore[arg-type]


def text(*members: Member, **values: object) -> str:
    return Configuration(settings(**values), 8000, NOTHING).text(members)


def lines(*members: Member, **values: object) -> list[str]:
    return [line.strip() for line in text(*members, **values).splitlines()]


def test_it_depends_on_nothing_but_what_it_is_made_of() -> None:
    assert text(SERVER1, DRAINED) == text(SERVER1, DRAINED)


def test_members_are_servers_and_drained_ones_weigh_nothing() -> None:
    made = lines(SERVER1, DRAINED)
    options = server_options(settings())
    assert f"server server1 10.0.0.1:80 weight 100 {options}" in made
    assert f"server server2 [::1]:80 weight 0 {options}" in made


def test_settings_are_in_it() -> None:
    made = lines(
        frontend_address="0.0.0.0:80",
        balance="roundrobin",
        connect_timeout_s=1.5,
        check_path="/ping",
        check_interval_s=2.0,
        retries=5,
    )
    assert "bind 0.0.0.0:80" in made
    assert "balance roundrobin" in made
    assert "timeout connect 1500ms" in made
    assert any("GET uri /ping " in line for line in made)
    assert "retries 5" in made
    assert "inter 2000ms fastinter 500ms downinter 1000ms" in server_options(settings(check_interval_s=2.0))


def test_a_timeout_is_never_rounded_to_none() -> None:
    assert "timeout server 100ms" in lines(server_timeout_s=0.1)
    assert "timeout server 1ms" in lines(server_timeout_s=0.0001)


@pytest.mark.parametrize(
    ("password", "word"),
    [("plain", "'admin:plain'"), ("it's", "'admin:it'\\''s'"), ('a "b" $HOME \\ #c', "'admin:a \"b\" $HOME \\ #c'")],
)
def test_a_password_is_one_word_whatever_is_in_it(password: str, word: str) -> None:
    assert f"stats auth {word}" in lines(stats_password=password)


def test_people_see_no_password() -> None:
    shown = Configuration(settings(stats_password="hk3m2-9fwtq"), 8000, NOTHING).shown([SERVER1])
    assert "hk3m2" not in shown
    assert "stats auth 'admin:******'" in shown
    assert "server server1 10.0.0.1:80" in shown


def test_only_trusted_proxies_keep_their_headers() -> None:
    assert "http-request del-header X-Forwarded-For" in lines()
    condition = "if !{ src 10.0.0.0/8 } !{ src ::1 }"
    assert f"http-request del-header X-Forwarded-For {condition}" in lines(trusted_proxies=("10.0.0.0/8", "::1"))


def test_your_own_sections_come_last_and_say_where_they_are_from() -> None:
    own = OwnSections(Path("/etc/mine.cfg"), "frontend mine\n    bind :1\n")
    made = Configuration(settings(), 8000, own)
    assert made.text([SERVER1]).endswith("# From /etc/mine.cfg\nfrontend mine\n    bind :1\n")
