"""Opening SSH connections and SFTP sessions with paramiko, and what its exceptions mean."""

import io
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from zato.common.errors import Unavailable
from zato.server.connections.extras import need
from zato.server.connections.sftp.options import OutgoingSFTPOptions

if TYPE_CHECKING:
    import paramiko

_KEEPALIVE_S = 30


class Opener:
    """
    Raises:
        Unavailable: paramiko is missing, or the private key or a host key is not valid.
    """

    REFUSED: ClassVar[str] = "refused"

    def __init__(self, options: OutgoingSFTPOptions) -> None:
        self._paramiko = need("paramiko", "sftp")
        # What failed is logged by us once, without a traceback for each.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        self._options = options
        self._key = self._private_key() if options.private_key else None
        self._host_keys = self._server_keys()

    @property
    def exceptions(self) -> tuple[type[BaseException], ...]:
        return (self._paramiko.SSHException, UnicodeError)

    def reopen(self, client: "paramiko.SSHClient | None") -> "paramiko.SSHClient":
        """Return `client` as long as it is connected, else a new one."""
        if client is not None:
            transport = client.get_transport()
            if transport is not None and transport.is_active():
                return client
            client.close()
        return self._open()

    def open_sftp(self, client: "paramiko.SSHClient") -> "paramiko.SFTPClient":
        session = client.open_sftp()
        channel = session.get_channel()
        if channel is not None:
            channel.settimeout(self._options.timeout)
        if self._options.default_directory:
            session.chdir(self._options.default_directory)
        return session

    def meaning(self, exc: BaseException) -> str | None:
        module = self._paramiko
        if isinstance(exc, module.ssh_exception.NoValidConnectionsError):
            is_refused = any(isinstance(each, ConnectionRefusedError) for each in exc.errors.values())
            return "nobody listens there" if is_refused else "it cannot be reached"
        if isinstance(exc, module.BadHostKeyException) or "not found in known_hosts" in str(exc):
            return "its host key is not one of host_keys"
        if isinstance(exc, module.AuthenticationException):
            return "it did not answer in time" if "timeout" in str(exc).lower() else self.REFUSED
        if isinstance(exc, module.SSHException):
            return "it does not speak SSH, or closed the connection"
        # What a server says when it could not do something is an OSError without a number.
        if type(exc) is OSError and exc.errno is None:
            return "it could not do this"
        return None

    def _open(self) -> "paramiko.SSHClient":
        options, client = self._options, self._paramiko.SSHClient()
        policy = self._paramiko.AutoAddPolicy if options.accept_any_host_key else self._paramiko.RejectPolicy
        client.set_missing_host_key_policy(policy())
        if not options.accept_any_host_key:
            for key in self._host_keys:
                client.get_host_keys().add(self._host_name(), key.get_name(), key)
        try:
            client.connect(
                options.host,
                options.port,
                options.username,
                password=options.password or None,
                pkey=self._key,
                timeout=options.timeout,
                banner_timeout=options.timeout,
                auth_timeout=options.timeout,
                channel_timeout=options.timeout,
                allow_agent=False,
                look_for_keys=False,
                compress=options.is_compression_enabled,
            )
            client.get_transport().set_keepalive(_KEEPALIVE_S)
        except BaseException:
            client.close()
            raise
        opened: paramiko.SSHClient = client
        return opened

    def _host_name(self) -> str:
        options = self._options
        return options.host if options.port == 22 else f"[{options.host}]:{options.port}"

    def _private_key(self) -> Any:
        for kind in (self._paramiko.Ed25519Key, self._paramiko.ECDSAKey, self._paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(self._options.private_key), self._options.private_key_password or None)
            except (self._paramiko.SSHException, ValueError, IndexError):
                continue
        raise Unavailable("'private_key' is no private key, or private_key_password is not its password")

    def _server_keys(self) -> list[Any]:
        lines = filter(None, map(str.strip, self._options.host_keys.splitlines()))
        try:
            entries = [self._paramiko.hostkeys.HostKeyEntry.from_line(f"host {' '.join(line.split()[-2:])}") for line in lines]
        except (self._paramiko.SSHException, ValueError) as exc:
            raise Unavailable("'host_keys' has a line that is no public key") from exc
        return [entry.key for entry in entries if entry is not None and entry.key is not None]
