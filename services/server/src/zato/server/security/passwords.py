"""
Passwords that are only ever checked, never sent: kept as argon2id hashes.

A check costs what makes guessing expensive, some 30 ms of a processor and 19 MiB. So it runs in a few threads beside the
event loop, and `PasswordCheck` remembers, as a digest under a key of this process, which password was right.
"""

import base64
import os
import secrets
from collections import OrderedDict
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from zato.common.errors import Unavailable
from zato.server.security.headers import digest

# The smallest set that OWASP recommends for argon2id: many workers share one machine's memory.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_THREADS = 2
# Whoever comes when so many wait would wait longer than a client does.
_MOST_WAITING = 50
_MOST_WRONG = 1024
_HASH_PREFIX = "$argon2id$"


def _random_base64(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


# Random bytes in the place of salt and digest: as much work as any other.
_IMPOSSIBLE_HASH = f"{_HASH_PREFIX}v=19$m={19 * 1024},t=2,p=1${_random_base64(16)}${_random_base64(32)}"


def is_hash(text: str) -> bool:
    return text.startswith(_HASH_PREFIX)


def hash_password(password: str) -> str:
    """Return the hash to keep. Blocks its caller, not the event loop."""
    return str(_threads().apply(_HASHER.hash, (password,)))


def is_password(password: str | bytes, password_hash: str) -> bool:
    """
    Return whether the hash is this password's. Blocks its caller, not the event loop.

    Raises:
        Unavailable: More passwords wait to be checked than can be in a reasonable time.
    """
    waiting = _waiting()
    if not waiting.acquire(blocking=False):
        raise Unavailable("Too many passwords are being checked: try again in a moment")
    try:
        return bool(_threads().apply(_verify, (password_hash, password)))
    finally:
        waiting.release()


def impossible_hash() -> str:
    """Return a hash whose password nobody knows: checked when the user does not exist, so that it takes as long."""
    return _IMPOSSIBLE_HASH


def kept_as_hash(given: str, stored: str) -> str:
    """
    Return what is kept of a password that was given where `stored` is kept now, "" for nothing.

    The hash itself, as an edit of other options hands it on, stays, and so it does when the password is the same one:
    importing a file again changes nothing. Without any password there is a random one that nobody knows.
    """
    if not given:
        return stored or hash_password(secrets.token_urlsafe(32))
    if stored and (given == stored or is_password(given, stored)):
        return stored
    return hash_password(given)


def kept_secret(given: str, stored: str) -> str:
    """The same for a secret that is kept as it is."""
    return given or stored or secrets.token_urlsafe(32)


class PasswordCheck:
    """
    Checks passwords against one hash, and remembers the outcomes.

    A wrong password is remembered too: a client with an old one, trying for ever, must not keep the threads busy.
    """

    def __init__(self, password_hash: str) -> None:
        self._hash = password_hash
        self._right = b""
        self._wrong: OrderedDict[bytes, None] = OrderedDict()

    def is_right(self, password: bytes) -> bool:
        key = digest(password)
        # Digests under a secret key: that comparing them takes different times tells nothing of passwords.
        if key == self._right:
            return True
        if key in self._wrong:
            return False
        if is_password(password, self._hash):
            self._right = key
            return True
        self._wrong[key] = None
        if len(self._wrong) > _MOST_WRONG:
            self._wrong.popitem(last=False)
        return False


def _verify(password_hash: str, password: str | bytes) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


@cache
def _threads() -> ThreadPool:
    """Made when first used, which is after the fork."""
    return ThreadPool(_THREADS)


@cache
def _waiting() -> BoundedSemaphore:
    return BoundedSemaphore(_MOST_WAITING)
