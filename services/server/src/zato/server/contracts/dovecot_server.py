"""A private IMAP server."""

import getpass
import imaplib
import os
import secrets
from pathlib import Path

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.processes import ServerProcess, free_port

_SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{tls.certificate}
ssl_key = <{tls.key}
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {internal}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
"""


class DovecotServer(ServerProcess):
    """
    Dovecot, on 127.0.0.1, with users for everybody. Run by root it drops to its own users, else it stays ours.

    Args:
        program: Path of dovecot.
        folder: An empty folder for its files, which other users may enter.
        tls: Its certificate.
    """

    def __init__(self, program: str, folder: Path, tls: TLSFiles) -> None:
        self.port, self.tls_port = free_port(), free_port()
        is_root = os.geteuid() == 0
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        (folder / "mail").chmod(0o777)
        # All of them now: Dovecot does not see what is added within a second.
        self._users = [(f"user{number}", secrets.token_hex(8)) for number in range(200)]
        (folder / "users").write_text("".join(f"{name}:{{PLAIN}}{password}\n" for name, password in self._users))
        settings = _SETTINGS.format(
            folder=folder,
            tls=tls,
            port=self.port,
            tls_port=self.tls_port,
            internal="dovecot" if is_root else getpass.getuser(),
            login="dovenull" if is_root else getpass.getuser(),
            owner="mail" if is_root else getpass.getuser(),
        )
        (folder / "dovecot.conf").write_text(settings)
        command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        super().__init__(command, log=folder / "output.log", is_ready=self._answers)

    def next_user(self) -> tuple[str, str]:
        """Return the name and the password of a user whose mailbox is empty, another one at each call."""
        return self._users.pop()

    def _answers(self) -> bool:
        try:
            imaplib.IMAP4("127.0.0.1", self.port, timeout=2).logout()
        except (OSError, imaplib.IMAP4.error):
            return False
        return True
