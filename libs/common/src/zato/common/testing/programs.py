"""Finding the servers that tests run against, where Debian and others put them."""

import os
import shutil
import sys
from pathlib import Path

# What the Debian package of a program is called.
PACKAGES = {
    "redis-server": "redis-server",
    "postgres": "postgresql",
    "haproxy": "haproxy",
    "mariadbd": "mariadb-server",
    "dovecot": "dovecot-imapd",
    "slapd": "slapd",
    "sshd": "openssh-server",
    "rabbitmq-server": "rabbitmq-server",
    "activemq": "activemq",
    "java": "default-jre-headless",
    "gcc": "gcc",
    "faketime": "faketime",
    "chromium": "chromium",
}

# Installed ones count first, wherever an environment's own folder is on the PATH: packages of Python bring servers too,
# of older releases. Of PostgreSQL the newest, and not Debian's wrappers, which look for clusters of the system.
_FOLDERS = (
    *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), key=lambda path: int(path.split("/")[4]), reverse=True),
    *("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"),
)


def find_program(name: str) -> str | None:
    """Return the full path of a program, e.g. "/usr/sbin/haproxy", or None."""
    folders = (*_FOLDERS, *os.get_exec_path(), str(Path(sys.executable).parent))
    return shutil.which(name, path=os.pathsep.join(folders))
