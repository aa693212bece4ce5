"""A private RabbitMQ: its own node, home, cookie and ports, all on 127.0.0.1."""

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.waiting import eventually

# Not Debian's wrapper, which wants to be a user of the system.
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
# Erlang wants most of a processor for six seconds, and gets a fraction of one on a machine that is busy.
_START_S = 180.0
_END_S = 60.0


class RabbitMQServer:
    """
    Keeps its data over `stop` and `start`.

    Args:
        folder: An empty folder for its files.
        plugins: Those that it has, e.g. "rabbitmq_amqp1_0".
        tls: What it shows at `tls_port`, where it wants certificates of the same authority.
    """

    def __init__(self, folder: Path, port: int = 0, plugins: Sequence[str] = (), *, tls: TLSFiles | None = None) -> None:
        self.port, self.tls_port = port or free_port(), free_port()
        self._folder = folder
        self._pid_file = folder / "pid"
        self._node = f"zato-test-{self.port}@localhost"
        epmd_port = free_port()
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}", "log.console.level = warning"]
        if tls is not None:
            lines += [
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {tls.authorities}",
                f"ssl_options.certfile = {tls.certificate}",
                f"ssl_options.keyfile = {tls.key}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = true",
            ]
        (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": self._node,
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
            ["/usr/bin/env", "-i", *settings, _PROGRAM], log=folder / "output.log", is_ready=self._is_ready
        )

    @property
    def pid(self) -> int:
        """Of the broker itself, while it runs."""
        return int(self._pid_file.read_text())

    def start(self) -> None:
        self._pid_file.unlink(missing_ok=True)
        self._broker.start(_START_S)

    def stop(self) -> None:
        """Ask it to end (TERM), and wait until it has."""
        self._signal(signal.SIGTERM)
        self._broker.kill()

    def kill(self) -> None:
        """End it at once (KILL)."""
        self._signal(signal.SIGKILL)
        self._broker.kill()

    def await_on_disk(self, queue: str) -> None:
        """
        Return once a quorum queue would survive `kill`.

        Measured with 3.10.8: killed within five seconds of the declaration, the broker forgets what the queue is, confirmed
        messages included, and lets nobody consume from it any more.
        """
        names = f"mnesia/{self._node}/quorum/{self._node}/names.dets"
        wanted = f"%2F_{queue}".encode()
        eventually(lambda: wanted in (self._folder / names).read_bytes(), timeout_s=60, what=f"{queue} to be on disk")

    def pause(self) -> None:
        """Let it keep its connections but answer nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """End it and what belongs to it."""
        self.kill()
        self._epmd.stop()

    def _is_ready(self) -> bool:
        # Not by its port alone, which may be that of a predecessor that has not ended.
        return self._pid_file.exists() and _listens(self.port)

    def _signal(self, number: signal.Signals) -> None:
        """Send it to the broker, of which the process that we started is a shell around; return once it has ended."""
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            broker = psutil.Process(self.pid)
            broker.send_signal(number)
            eventually(lambda: not _runs(broker), timeout_s=_END_S, what="the broker to end")


def _runs(process: psutil.Process) -> bool:
    # One whose parent has not looked is a zombie: it has no port and no file any more.
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
