"""HAProxy's two sockets for commands: the one of the process that serves, and the master's."""

import os
import socket
from pathlib import Path

from zato.lb_agent.configuration import RUNTIME_SOCKET
from zato.lb_agent.errors import HAProxyUnavailable

MASTER_SOCKET = "haproxy-master.sock"


class Runtime:
    """
    Args:
        folder: Where the sockets are.
        timeout_s: For each step of an exchange; HAProxy answers in less than a millisecond.
    """

    def __init__(self, folder: Path, timeout_s: float = 2.0) -> None:
        self._folder = folder
        self._timeout_s = timeout_s

    def ask(self, command: str) -> str:
        """Return the answer of the process that serves. Raises HAProxyUnavailable."""
        return self._exchange(RUNTIME_SOCKET, command)

    def ask_master(self, command: str) -> str:
        """Return the master's answer, or that of a process with "@!<pid> " in front. Raises HAProxyUnavailable."""
        return self._exchange(MASTER_SOCKET, command)

    def _exchange(self, name: str, command: str) -> str:
        try:
            return self._raw_exchange(name, command)
        except OSError as exc:
            raise HAProxyUnavailable(f"HAProxy does not answer at {self._folder / name}: {exc}") from exc

    def _raw_exchange(self, name: str, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            # Paths of sockets have at most 107 bytes. Seen from a descriptor of its folder the path is short.
            folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{name}")
            finally:
                os.close(folder)
            connection.sendall(f"{command}\n".encode())
            # Without this the master keeps the connection for further commands.
            connection.shutdown(socket.SHUT_WR)
            received = bytearray()
            while piece := connection.recv(65536):
                received += piece
        return received.decode(errors="replace")
