"""Outgoing connections, whatever their type: how services reach them, what failures mean, and what a ping says."""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

import pytest

from zato.common.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, Unavailable, ZatoError
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.admin import pings
from zato.server.connections.extras import need
from zato.server.connections.failures import Health, Named, explained
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.connections.types import ConnectionType, connection_types
from zato.server.control.changes import Author
from zato.server.control.state import ConfigObject, Configuration


@options
class FakeOptions:
    error: str = option("What a ping raises", default="")


class FakeConnection(Named):
    kind = "outgoing-fake"

    def __init__(self, name: str, error: str) -> None:
        super().__init__(name)
        self._error = error

    def ping(self) -> None:
        errors: Mapping[str, BaseException] = {
            "ours": Unavailable("Connection 'it' failed: on purpose"),
            "strange": ZeroDivisionError("a secret at 10.0.0.1"),
            "network": ConnectionResetError("a secret at 10.0.0.1"),
        }
        with self.errors_explained():
            if self._error:
                raise errors[self._error]

    def close(self) -> None:
        pass


FAKE = ConnectionType(
    Kind("outgoing-fake", "Fake", FakeOptions),
    lambda config_object, _configuration: FakeConnection(config_object.name, config_object.options.error),
)


def test_every_type_is_found_where_services_look_for_it() -> None:
    outgoing = Outgoing(ConnectionPool)
    for connection_type in connection_types().values():
        assert connection_type.reached_by, connection_type.kind.name
        for path in connection_type.reached_by:
            group, name = path.split(".")
            found = getattr(outgoing if group == "out" else getattr(outgoing, group), name)
            assert list(found) == []
            with pytest.raises(NotFound, match=r"'nothing' \(" + connection_type.kind.name):
                found.get("nothing", True)


def test_what_there_is_not_is_said_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no out\.amqp; there are: ftp, ldap, plain_http"):
        _ = Outgoing(ConnectionPool).amqp
    with pytest.raises(AttributeError, match=r"no email\.pop3; there are: imap, smtp"):
        _ = Outgoing(ConnectionPool).email.pop3


class Wrapped(Exception):
    """As libraries wrap what happened: as the reason, or among the arguments."""

    def __init__(self, reason: BaseException | None, *args: object) -> None:
        super().__init__("https://10.0.0.1/?token=secret", *args)
        self.reason = reason


@pytest.mark.parametrize(
    ("exc", "error", "words"),
    [
        (ConnectionRefusedError(), Unavailable, "nobody listens there"),
        (socket.gaierror(-2, "unknown"), Unavailable, "its host name is not known"),
        (TimeoutError(), DeadlineExceeded, "it did not answer in time"),
        (ssl.SSLCertVerificationError(1, "x"), Unavailable, "its certificate is not trusted"),
        (ssl.SSLError(1, "x"), Unavailable, "no TLS session could be made with it"),
        (BrokenPipeError(), Unavailable, "it closed the connection"),
        (EOFError(), Unavailable, "it closed the connection"),
        (OSError(113, "no route"), Unavailable, "it cannot be reached"),
        (RuntimeError("x"), Unavailable, "it cannot be used now"),
        (Wrapped(ConnectionRefusedError()), Unavailable, "nobody listens there"),
        (Wrapped(None, Wrapped(TimeoutError())), DeadlineExceeded, "it did not answer in time"),
    ],
)
def test_a_failure_is_told_by_what_is_behind_it(exc: BaseException, error: type[ZatoError], words: str) -> None:
    made = explained("it", exc, lambda _exc: None)
    assert (type(made), made.message) == (error, f"Connection 'it' failed: {words}")


def test_a_chain_of_failures_that_bites_its_own_tail_ends() -> None:
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert explained("it", first, lambda _exc: None).message.endswith("cannot be used now")


def test_health_is_how_the_last_use_went() -> None:
    well, ill = FakeConnection("it", ""), FakeConnection("it", "network")
    assert (well.health, ill.health) == (None, None)
    well.ping()
    with pytest.raises(Unavailable):
        ill.ping()
    assert well.health == Health(True)
    assert ill.health == Health(False, "Connection 'it' failed: it closed the connection")
    ill.note(NotFound("An answer that says no"))
    assert ill.health == Health(True)


@pytest.fixture
def ping(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(pings, "connection_types", lambda: {"outgoing-fake": FAKE})

    def ping(values: Mapping[str, Any], *, error: str = "", is_active: bool = True) -> Any:
        config_object = ConfigObject(1, "outgoing-fake", "it", is_active, 1, FakeOptions(error=error))
        actions = pings.ping_actions(lambda: Configuration(1, {1: config_object}))
        admin: Any = None  # not used by this action
        return actions["zato.outgoing-fake.ping"].run(admin, values, Author("someone", "cid"))

    return ping


def test_a_ping_says_whether_and_why_not(ping: Any) -> None:
    answered = ping({"name": "it"}, is_active=False)
    assert (answered["is_ok"], answered["error"]) == (True, "")
    assert ping({"name": "it"}, error="ours")["error"] == "Connection 'it' failed: on purpose"
    assert ping({"name": "it"}, error="network")["error"] == "Connection 'it' failed: it closed the connection"
    assert ping({"name": "it"}, error="strange")["error"] == "Connection 'it' failed: see connection_ping_failed in the log"


@pytest.mark.parametrize("values", [{}, {"name": ""}, {"name": 1}, {"name": ["it"]}])
def test_a_ping_needs_a_name(ping: Any, values: Mapping[str, Any]) -> None:
    with pytest.raises(BadRequest):
        ping(values)


def test_a_ping_of_nothing_is_not_found(ping: Any) -> None:
    with pytest.raises(NotFound):
        ping({"name": "nothing"})


def test_a_missing_library_is_named_with_what_installs_it() -> None:
    with pytest.raises(Unavailable, match=r"'no_such_library': install it with pip install 'zato-server\[fake\]'"):
        need("no_such_library.part", "fake")


def test_an_inactive_connection_is_a_conflict_however_it_is_asked_for() -> None:
    kind = next(iter(connection_types().values())).kind
    config_object = ConfigObject(1, kind.name, "it", False, 1, None)
    pool = ConnectionPool().follow(Configuration(1, {1: config_object}))
    with pytest.raises(Conflict):
        pool.get(kind.name, "it")
