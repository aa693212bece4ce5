"""
Keeping the log of a part from growing for ever: a large one is put aside when the part is started.

Not while it runs. What a part prints goes to its standard output, as containers and systemd want it, and several
processes of a server share that: none of them knows when the others have let go of the file. The file is only ever
appended to, so somebody outside may copy and truncate it at any time, as logrotate does with `copytruncate`.
"""

from logging.handlers import RotatingFileHandler
from pathlib import Path

from zato.common.lifecycle.logtail import log_size

_LARGE_BYTES = 50 * 1024 * 1024
_KEPT = 5


def rotate_if_large(file: Path, *, large_bytes: int = _LARGE_BYTES, kept: int = _KEPT) -> None:
    """
    Rename server.log to server.log.1, that one to server.log.2, and so on; the last one is deleted.

    Args:
        large_bytes: A log of fewer bytes is left as it is.
        kept: Logs to keep beside the one that is written.
    """
    if log_size(file) >= large_bytes:
        handler = RotatingFileHandler(file, backupCount=kept, delay=True)
        handler.doRollover()
        handler.close()
