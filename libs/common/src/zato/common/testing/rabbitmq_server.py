"""A private RabbitMQ: its own node, home, cookie and ports, all on 127.0.0.1."""

import contextlib
import os
import shutil
import signal
import socket
from pathlib import Path

from zato.common.testing.processes import ServerProcess, free_port

# Not Debian's wrapper, which wants to be a user of the system.
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQServer:
    """
    Keeps its data over `stop` and `start`.

    Args:
        folder: An empty folder for its files.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self._pid_file = folder / "pid"
        epmd_port = free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console.level = warning\n")
        (folder / "enabled_plugins").write_text("[].")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"zato-test-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": str(self._pid_file),
            # One scheduler of Erlang's is enough here, and leaves the other processors to what is tested.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        # It would be left behind as a daemon, were it started by the broker.
        epmd = shutil.which("epmd") or "/usr/bin/epmd"
        self._epmd = ServerProcess(
            [epmd, "-port", str(epmd_port), "-address", "127.0.0.1"],
            log=folder / "epmd.log",
            is_ready=lambda: _listens(epmd_port),
        )
        self._epmd.start()
        settings = [f"{name}={value}" for name, value in self._environment.items()]
        self._broker = ServerProcess(
            ["/usr/bin/env", "-i", *settings, _PROGRAM], log=folder / "output.log", is_ready=lambda: _listens(self.port)
        )

    def start(self) -> None:
        self._pid_file.unlink(missing_ok=True)
        self._broker.start(90)

    def stop(self) -> None:
        """Ask it to end (TERM), and wait until it has."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(Exception):
            assert self._broker._process is not None
            self._broker._process.wait(30)
        self._broker.kill()

    def kill(self) -> None:
        """End it at once (KILL)."""
        self._signal(signal.SIGKILL)
        self._broker.kill()

    def end(self) -> None:
        """End it and what belongs to it."""
        self.kill()
        self._epmd.stop()

    def _signal(self, number: signal.Signals) -> None:
        # The process that we started is a shell around the broker.
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self._pid_file.read_text()), number)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
