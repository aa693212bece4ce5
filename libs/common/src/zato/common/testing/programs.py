"""Finding the servers that tests run against, where Debian and others put them."""

import shutil
from pathlib import Path

# Not on every user's PATH; the newest PostgreSQL first.
_FOLDERS = (
    *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), key=lambda path: int(path.split("/")[4]), reverse=True),
    "/usr/sbin",
    "/usr/local/sbin",
)

# What the Debian package of a program is called.
PACKAGES = {"redis-server": "redis-server", "postgres": "postgresql", "haproxy": "haproxy"}


def find_program(name: str) -> str | None:
    """Return the full path of a program, e.g. "/usr/sbin/haproxy", or None."""
    # Debian's /usr/bin/psql and the like are wrappers that look for clusters of the system: the real ones come first.
    return next((found for folder in _FOLDERS if (found := shutil.which(name, path=folder))), None) or shutil.which(name)
