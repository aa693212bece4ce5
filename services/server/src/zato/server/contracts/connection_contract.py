"""
What every type of outgoing connection promises. A test class of a type says how to reach the real server, and inherits the
tests:

    class TestLDAP(NetworkConnectionContract):
        connection_type = ldap.connection_type
        wrong_password = {"password": "not-the-one"}
        timeouts = ("connect_timeout_s",)

        @pytest.fixture
        def values(self, slapd):
            return {"host": "127.0.0.1", "port": slapd.port, "username": …, "password": slapd.password}
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from zato.common.errors import Conflict, DeadlineExceeded, InvalidOptions, NotFound, Unavailable, ZatoError
from zato.common.options import declared_options, parse_options
from zato.common.testing.processes import free_port
from zato.server.connections.failures import CredentialsRefused
from zato.server.connections.pool import ConnectionPool
from zato.server.connections.types import ConnectionType
from zato.server.control.state import ConfigObject, Configuration

NAME = "the-connection"
Values = dict[str, Any]
# Longer than a test waits: what gives up by itself before that has not waited.
_LONG_S = 100.0
_PATIENCE_S = 40.0


def make_object(
    connection_type: ConnectionType, values: Mapping[str, Any], *, name: str = NAME, version: int = 1, is_active: bool = True
) -> ConfigObject:
    """Return the object as the control plane would make it. Raises InvalidOptions."""
    kind = connection_type.kind
    options: Any = parse_options(kind.options, values, what=f"{kind.name} '{name}'")
    return ConfigObject(1, kind.name, name, is_active, version, options)


class Contract:
    """What all the suites build on."""

    connection_type: ClassVar[ConnectionType]

    @pytest.fixture
    def values(self) -> Values:
        """Options that reach the real server."""
        raise NotImplementedError

    @pytest.fixture
    def connection(self, values: Values) -> Iterator[Any]:
        with self.connected(values) as connection:
            yield connection

    def others(self) -> list[ConfigObject]:
        """Objects that the connection refers to, e.g. its security definition, with other ids than 1."""
        return []

    def configuration(self, config_object: ConfigObject) -> Configuration:
        return Configuration(config_object.version, {each.id: each for each in (config_object, *self.others())})

    @contextlib.contextmanager
    def connected(self, values: Values) -> Iterator[Any]:
        config_object = make_object(self.connection_type, values)
        connection = self.connection_type.connect(config_object, self.configuration(config_object))
        try:
            yield connection
        finally:
            connection.close()

    def pool(self, values: Values, *, before: ConnectionPool | None = None, **changed: Any) -> ConnectionPool:
        config_object = make_object(self.connection_type, values, **changed)
        return (before or ConnectionPool()).follow(self.configuration(config_object))

    def live(self, pool: ConnectionPool) -> Any:
        return pool.get(self.connection_type.kind.name, NAME)

    def run_patched(self, values: Values, code: str, *, meanwhile: "Meanwhile") -> str:
        """Run `code` in a patched process, see that other greenlets run while it waits, and return what it came to."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(_PATIENCE_S)
            port, kind = str(listener.getsockname()[1]), self.connection_type.kind.name
            command = [sys.executable, "-m", "zato.server.contracts.patched_worker", port, kind, json.dumps(values), code]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                control, _ = listener.accept()
                with control:
                    control.settimeout(_PATIENCE_S)
                    meanwhile.wait_until_used()
                    for _ in range(5):
                        control.sendall(b"?")
                        assert control.recv(1) == b"?", "other greenlets stopped while the connection waited"
                    meanwhile.release()
                output, _ = process.communicate(timeout=_PATIENCE_S)
            finally:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        return str(output).strip().splitlines()[-1]


class ConnectionContract(Contract):
    """
    Attributes:
        wrong_password: Options of which the other side must refuse us; a type without credentials says
            `test_a_wrong_password_is_refused_in_our_own_words = None`.
        bad_options: Each is refused when an object is made, as one set of options together with the right ones.
    """

    wrong_password: ClassVar[Values] = {}
    bad_options: ClassVar[list[Values]] = []

    def test_it_opens_and_pings(self, connection: Any) -> None:
        connection.ping()
        connection.ping()

    def test_conn_is_what_services_reach_it_by(self, connection: Any) -> None:
        assert connection.conn is not None
        assert connection.name == NAME

    def test_it_closes_twice(self, connection: Any) -> None:
        connection.ping()
        connection.close()
        connection.close()

    def test_it_closes_without_having_been_used(self, connection: Any) -> None:
        connection.close()

    def test_no_secret_shows(self, values: Values, connection: Any) -> None:
        config_object = make_object(self.connection_type, values)
        secrets = [str(values[name]) for name in self.connection_type.kind.secret_names if values.get(name)]
        for secret in secrets:
            for shown in (config_object, config_object.options, connection, connection.conn):
                assert secret not in repr(shown)

    def test_a_wrong_password_is_refused_in_our_own_words(self, values: Values) -> None:
        with self.connected({**values, **self.wrong_password}) as connection, pytest.raises(CredentialsRefused) as refused:
            connection.ping()
        assert_tells_nothing(refused.value, {**values, **self.wrong_password})

    def test_bad_options_are_refused(self, values: Values) -> None:
        for bad in self.bad_options:
            with pytest.raises(InvalidOptions):
                make_object(self.connection_type, {**values, **bad}, name=f"with {bad}")

    def test_every_option_tells_what_it_means(self) -> None:
        for declared in declared_options(self.connection_type.kind.options):
            assert declared.help, declared.name

    def test_what_did_not_change_is_carried_over(self, values: Values) -> None:
        old = self.pool(values)
        new = self.pool(values, before=old)
        assert self.live(new) is self.live(old)
        new.close_all_but(ConnectionPool())

    def test_a_change_of_options_makes_a_new_connection(self, values: Values) -> None:
        old = self.pool(values)
        new = self.pool(values, before=old, version=2)
        assert self.live(new) is not self.live(old)
        old.close_all_but(new)
        self.live(new).ping()
        new.close_all_but(ConnectionPool())

    def test_an_inactive_one_is_refused(self, values: Values) -> None:
        with pytest.raises(Conflict, match="inactive"):
            self.live(self.pool(values, is_active=False))

    def test_a_deleted_one_is_not_found(self, values: Values) -> None:
        old = self.pool(values)
        new = old.follow(Configuration(2))
        old.close_all_but(new)
        with pytest.raises(NotFound):
            self.live(new)


class UnreachableContract(Contract):
    """
    What happens while the other side, which is on the network, is not there or not well. It needs no real server.

    Attributes:
        timeouts: The options, in seconds, that say how long to wait for the other side.
        short_timeout_s: The shortest that the library takes.
        use: What a service does, as code that uses `connection`.
    """

    timeouts: ClassVar[tuple[str, ...]]
    short_timeout_s: ClassVar[float] = 0.3
    use: ClassVar[str] = "connection.ping()"

    def elsewhere(self, values: Values, port: int, **changed: Any) -> Values:
        """The same options with the address of another port."""
        return {**values, "host": "127.0.0.1", "port": port, **changed}

    def with_timeouts(self, values: Values, seconds: float) -> Values:
        return {**values, **{name: int(seconds) if seconds >= 1 else seconds for name in self.timeouts}}

    def test_it_is_made_while_nobody_listens_and_says_so_when_used(self, values: Values) -> None:
        nowhere = self.elsewhere(values, free_port())
        with self.connected(nowhere) as connection, pytest.raises(Unavailable) as failed:
            connection.ping()
        assert_tells_nothing(failed.value, nowhere)

    def test_a_host_that_does_not_exist_is_unavailable(self, values: Values) -> None:
        nowhere = {**self.elsewhere(values, free_port()), **self.unknown_host()}
        with self.connected(nowhere) as connection, pytest.raises(Unavailable) as failed:
            connection.ping()
        assert "no-such-host" not in failed.value.message

    def unknown_host(self) -> Values:
        return {"host": "no-such-host.invalid"}

    def test_a_silent_server_is_given_up(self, values: Values) -> None:
        """In a process as a worker is: some of the limits are gevent's."""
        with SilentServer(is_patient=True) as silent:
            impatient = self.with_timeouts(self.elsewhere(values, silent.port), self.short_timeout_s)
            error, _, message = self.run_patched(impatient, "connection.ping()", meanwhile=Meanwhile()).partition(": ")
            assert error == "DeadlineExceeded"
            assert_tells_nothing(DeadlineExceeded(message), impatient)

    def test_a_server_that_hangs_up_is_unavailable(self, values: Values) -> None:
        with SilentServer(is_rude=True) as rude:
            elsewhere = self.elsewhere(values, rude.port)
            with self.connected(elsewhere) as connection, pytest.raises(Unavailable) as failed:
                connection.ping()
            assert_tells_nothing(failed.value, elsewhere)

    def test_a_server_that_talks_nonsense_is_unavailable(self, values: Values) -> None:
        with SilentServer(says=b"\x00\xff nonsense \r\n" * 20, is_rude=True) as mad:
            elsewhere = self.with_timeouts(self.elsewhere(values, mad.port), 2)
            with self.connected(elsewhere) as connection, pytest.raises((Unavailable, DeadlineExceeded)) as failed:
                connection.ping()
            assert_tells_nothing(failed.value, elsewhere)

    def test_waiting_for_a_silent_server_stops_no_other_greenlet(self, values: Values) -> None:
        with SilentServer() as silent:
            patient = self.with_timeouts(self.elsewhere(values, silent.port), _LONG_S)
            error = self.run_patched(patient, self.use, meanwhile=silent)
            assert error.startswith(("Unavailable: ", "DeadlineExceeded: "))


class NetworkConnectionContract(ConnectionContract, UnreachableContract):
    """For a system on the network, of which there is a real one for the tests."""


class Meanwhile:
    """What a connection waits for, and how the waiting ends."""

    def wait_until_used(self) -> None:
        """Return once the connection waits."""

    def release(self) -> None:
        """Let it go on."""


class SilentServer(Meanwhile):
    """
    Takes connections and never answers.

    Args:
        says: What it greets with.
        is_rude: Hangs up after that.
        is_patient: Stays silent when it should let go, until the test ends.
    """

    def __init__(self, *, says: bytes = b"", is_rude: bool = False, is_patient: bool = False) -> None:
        self._says, self._is_rude, self._is_patient = says, is_rude, is_patient
        self._taken: list[socket.socket] = []
        self._is_used = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "SilentServer":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end()
        self._listener.close()

    def wait_until_used(self) -> None:
        assert self._is_used.wait(_PATIENCE_S), "nobody came"

    def release(self) -> None:
        if not self._is_patient:
            self._end()

    def _end(self) -> None:
        """Hang up, and listen no more."""
        with contextlib.suppress(OSError):
            # This wakes the thread that waits in accept(), as closing does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in self._taken:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self._taken.append(taken)
            self._is_used.set()
            with contextlib.suppress(OSError):
                taken.sendall(self._says)
            if self._is_rude:
                taken.close()


def assert_tells_nothing(error: ZatoError, values: Values) -> None:
    """A client may see the message: it says which connection failed, and neither where it leads nor as whom."""
    assert NAME in error.message
    for told in ("127.0.0.1", str(values.get("port") or "127.0.0.1"), str(values.get("password") or "127.0.0.1")):
        assert told not in error.message
