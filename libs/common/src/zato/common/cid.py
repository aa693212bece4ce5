"""Correlation ids: one id follows a request through every part, log line and answer."""

import os

CID_HEADER = "X-Zato-CID"


def new_cid() -> str:
    """Return a new id, 24 hexadecimal characters (96 random bits). Not for cryptography."""
    return os.urandom(12).hex()
