"""Correlation ids: one id follows a request through every part, log line and answer."""

import os

CID_HEADER = "X-Zato-CID"

_BYTES = 12
_MADE_AT_ONCE = 256
# To ask the kernel costs more than all else about an id, so it is asked for many at a time.
_ready: list[str] = []
# Two processes with the same ids would be worse than none.
os.register_at_fork(after_in_child=_ready.clear)


def new_cid() -> str:
    """Return a new id, 24 hexadecimal characters (96 random bits). Not for cryptography."""
    try:
        return _ready.pop()
    except IndexError:
        made = os.urandom(_BYTES * _MADE_AT_ONCE).hex()
        _ready.extend(made[start : start + 2 * _BYTES] for start in range(2 * _BYTES, len(made), 2 * _BYTES))
        return made[: 2 * _BYTES]
