"""What a worker makes of a configuration: channels and connections, with whatever is wrong with some of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from zato.common.errors import Conflict, NotFound, Unauthorized, Unavailable
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.connections import pool as pools
from zato.server.connections.pool import ConnectionPool
from zato.server.connections.types import ConnectionType, connection_types
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import HTTPChannelOptions
from zato.server.http.channels import Channels
from zato.server.http.request import Request
from zato.server.http.router import Router
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.context import SecurityContext
from zato.server.security.gate import Gate

KIND = "outgoing-fake"


@options
class FakeOptions:
    address: str = option("Where", default="")
    security: str = option("As whom", default="")


@dataclass
class FakeConnection:
    name: str
    closed: int = 0

    def ping(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1
        if self.name == "sticky":
            raise RuntimeError("does not close")


@dataclass
class Made:
    """Connects, and keeps what was made."""

    connections: list[FakeConnection] = field(default_factory=list)

    def __call__(self, config_object: ConfigObject, configuration: Configuration) -> FakeConnection:
        if config_object.options.address == "broken":
            raise ValueError("the address is broken")
        self.connections.append(FakeConnection(config_object.name))
        return self.connections[-1]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.setattr(pools, "connection_types", lambda: {KIND: ConnectionType(Kind(KIND, "Fake", FakeOptions), made)})
    return made


def configured(*objects: ConfigObject) -> Configuration:
    return Configuration(1, {each.id: each for each in objects})


def fake(number: int, name: str, version: int = 1, *, is_active: bool = True, **values: Any) -> ConfigObject:
    return ConfigObject(number, KIND, name, is_active, version, FakeOptions(**values))


def basic(number: int, name: str, version: int = 1, *, is_active: bool = True) -> ConfigObject:
    return ConfigObject(number, "security-basic-auth", name, is_active, version, BasicAuthOptions(username="u", password="p"))


def test_connections_that_did_not_change_are_carried_over(made: Made) -> None:
    first = ConnectionPool().follow(configured(fake(1, "a"), fake(2, "b")))
    a, b = first.get(KIND, "a"), first.get(KIND, "b")
    second = first.follow(configured(fake(1, "a"), fake(2, "b", 2), fake(3, "c")))
    assert second.get(KIND, "a") is a
    assert second.get(KIND, "b") is not b
    first.close_all_but(second)
    assert (a.closed, b.closed, second.get(KIND, "b").closed) == (0, 1, 0)
    assert second.names(KIND) == ["a", "b", "c"]
    assert len(made.connections) == 4


def test_a_change_of_its_security_definition_makes_a_connection_anew(made: Made) -> None:
    first = ConnectionPool().follow(configured(fake(1, "a", security="user"), basic(2, "user")))
    same = first.follow(configured(fake(1, "a", security="user"), basic(2, "user")))
    changed = same.follow(configured(fake(1, "a", security="user"), basic(2, "user", 2)))
    assert same.get(KIND, "a") is first.get(KIND, "a")
    assert changed.get(KIND, "a") is not first.get(KIND, "a")


def test_one_that_is_switched_off_or_unknown_says_so(made: Made) -> None:
    pool = ConnectionPool().follow(configured(fake(1, "a", is_active=False)))
    with pytest.raises(Conflict, match="inactive"):
        pool.get(KIND, "a")
    with pytest.raises(NotFound):
        pool.get(KIND, "b")
    assert pool.names(KIND) == []


def test_one_that_cannot_be_made_keeps_no_other_from_being_made(made: Made) -> None:
    pool = ConnectionPool().follow(configured(fake(1, "a", address="broken"), fake(2, "b")))
    assert pool.get(KIND, "b").name == "b"
    with pytest.raises(Unavailable, match="could not be made") as caught:
        pool.get(KIND, "a")
    assert "the address is broken" not in caught.value.message
    assert pool.follow(configured(fake(1, "a", 2), fake(2, "b"))).get(KIND, "a").name == "a"


def test_one_that_does_not_close_keeps_no_other_from_closing(made: Made) -> None:
    pool = ConnectionPool().follow(configured(fake(1, "sticky"), fake(2, "b")))
    b = pool.get(KIND, "b")
    pool.close_all_but(ConnectionPool())
    assert b.closed == 1


def test_every_type_of_connection_in_the_folder_is_found() -> None:
    assert {"outgoing-http", "outgoing-sql"} <= set(connection_types())
    for name, connection_type in connection_types().items():
        assert connection_type.kind.name == name
        assert connection_type.kind.help, f"{name} says what it is"


# Channels


def channel(number: int, name: str, *, is_active: bool = True, security: str = "") -> ConfigObject:
    made = HTTPChannelOptions(url_path=f"/{name}", service="s", security=security)
    return ConfigObject(number, "channel-http", name, is_active, 1, made)


def routed(*objects: ConfigObject) -> Router:
    configuration = configured(*objects)
    gate = Gate(SecurityContext.connect("test", ["secret"], "redis://127.0.0.1:1/0"))
    return Router(Channels().of(configuration, gate.follow(configuration)))


def verify(router: Router, path: str) -> None:
    found, _ = router.find("GET", path, "")
    assert found.verify is not None
    found.verify(Request("GET", path, [(b"authorization", b"Basic dTpw")], b"", cid="c"))


def test_an_inactive_channel_is_no_channel() -> None:
    router = routed(channel(1, "a"), channel(2, "b", is_active=False))
    assert router.find("GET", "/a", "")[0].name == "a"
    with pytest.raises(NotFound):
        router.find("GET", "/b", "")


def test_a_channel_is_made_anew_only_when_it_or_its_security_has_changed() -> None:
    channels, gate = Channels(), Gate(SecurityContext.connect("test", ["secret"], "redis://127.0.0.1:1/0"))

    def made(*objects: ConfigObject) -> dict[str, object]:
        nonlocal gate
        gate = gate.follow(configured(*objects))
        return {each.name: each for each in channels.of(configured(*objects), gate)}

    first = made(channel(1, "a"), channel(2, "b", security="user"), basic(3, "user"))
    same = made(channel(1, "a"), channel(2, "b", security="user"), basic(3, "user"))
    assert all(same[name] is first[name] for name in ("a", "b", "zato.ping"))
    edited = made(replace(channel(1, "a"), version=2), channel(2, "b", security="user"), basic(3, "user"))
    assert edited["a"] is not first["a"] and edited["b"] is first["b"]
    secured = made(replace(channel(1, "a"), version=2), channel(2, "b", security="user"), replace(basic(3, "user"), version=4))
    assert secured["a"] is edited["a"] and secured["b"] is not first["b"]
    assert "b" not in made(channel(1, "a"))


def test_a_ping_is_there_without_any_configuration() -> None:
    assert routed().find("GET", "/zato/ping", "")[0].name == "zato.ping"


def test_the_right_password_opens_a_secured_channel() -> None:
    verify(routed(channel(1, "a", security="user"), basic(2, "user")), "/a")


def test_a_definition_that_is_switched_off_lets_nobody_in() -> None:
    router = routed(channel(1, "a", security="user"), basic(2, "user", is_active=False))
    with pytest.raises(Unauthorized, match="switched off"):
        verify(router, "/a")


def test_a_definition_that_cannot_be_read_lets_nobody_in_and_keeps_no_other_channel_away() -> None:
    router = routed(channel(1, "a", security="user"), channel(2, "b"))
    with pytest.raises(Unauthorized):
        verify(router, "/a")
    assert router.find("GET", "/b", "")[0].verify is None
