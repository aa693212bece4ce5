"""A private SSH server."""

import getpass
import os
import socket
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from zato.common.testing.processes import ServerProcess, free_port


class SSHServer(ServerProcess):
    """
    OpenSSH's server, on 127.0.0.1, for the user who runs the tests, who signs in with a key.

    Args:
        program: Path of sshd.
        folder: An empty folder for its files.

    Attributes:
        private_key, host_key: As the options of a connection take them.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.username = getpass.getuser()
        self.private_key, public = make_key()
        host_private, self.host_key = make_key()
        (folder / "authorized_keys").write_text(f"{public}\n")
        (folder / "host_key").write_text(host_private)
        (folder / "host_key").chmod(0o600)
        settings = {
            "ListenAddress": "127.0.0.1",
            "Port": self.port,
            "HostKey": folder / "host_key",
            "AuthorizedKeysFile": folder / "authorized_keys",
            "PidFile": folder / "pid",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "yes",
            "PasswordAuthentication": "no",
            "MaxStartups": 100,
            "Subsystem": "sftp internal-sftp",
        }
        (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        command = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        super().__init__(command, log=folder / "sshd.log", is_ready=self._greets)

    def start(self, timeout_s: float = 30.0) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        super().start(timeout_s)

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False


def make_key(password: str = "") -> tuple[str, str]:
    """Return a new private key and its public one, as OpenSSH writes them."""
    key = ed25519.Ed25519PrivateKey.generate()
    encryption = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()
