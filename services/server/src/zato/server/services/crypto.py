"""`self.crypto`: secrets of services."""

import base64
import hashlib
import hmac
import os
import secrets

import gevent

from zato.common.errors import Unavailable
from zato.common.secrets import SecretBox

_ROUNDS = 100_000
_SALT_BYTES = 64
_SCHEME = "pbkdf2-sha512"
_MOST_ROUNDS = 10_000_000


class Crypto:
    """
    Args:
        box: Holds the cluster's secret key; None where there is none, as in unit tests of services.
    """

    def __init__(self, box: SecretBox | None) -> None:
        self._box = box

    def encrypt(self, data: str | bytes) -> str:
        """Return `data` encrypted (Fernet) with the cluster's key, as text that is safe in URLs."""
        return self._opened().encrypt(_text(data))

    def decrypt(self, data: str | bytes) -> str:
        """Raises CannotDecrypt for what was encrypted with another key, or changed since."""
        return self._opened().decrypt(_text(data))

    @staticmethod
    def generate_password(bits: int = 192) -> str:
        """Return a random password as text that is safe in URLs."""
        return secrets.token_urlsafe(bits // 8)

    @staticmethod
    def generate_secret(bits: int = 256) -> str:
        return base64.urlsafe_b64encode(os.urandom(bits // 8)).decode()

    def hash_secret(self, data: str | bytes) -> str:
        """Return "$pbkdf2-sha512$100000$<salt>$<hash>", a new one at each call."""
        salt = os.urandom(_SALT_BYTES)
        return f"${_SCHEME}${_ROUNDS}${_encode(salt)}${_encode(_digest(_text(data), salt, _ROUNDS))}"

    def verify_hash(self, given: str | bytes, expected: str) -> bool:
        """Return whether `expected` is a hash of `given`. What is no hash of ours matches nothing."""
        try:
            empty, scheme, rounds, salt, digest = _text(expected).split("$")
            if empty or scheme != _SCHEME or not 0 < int(rounds) <= _MOST_ROUNDS:
                return False
            return hmac.compare_digest(_digest(_text(given), _decode(salt), int(rounds)), _decode(digest))
        except ValueError:
            return False

    def _opened(self) -> SecretBox:
        if self._box is None:
            raise Unavailable("There is no secret key here: nothing can be encrypted or decrypted")
        return self._box


def _digest(text: str, salt: bytes, rounds: int) -> bytes:
    # Takes a tenth of a second: in a thread, so that the worker's other requests go on.
    digest: bytes = gevent.get_hub().threadpool.apply(hashlib.pbkdf2_hmac, ("sha512", text.encode(), salt, rounds))
    return digest


def _text(data: str | bytes) -> str:
    return data.decode() if isinstance(data, bytes) else data


def _encode(data: bytes) -> str:
    """Base64 as the format has it: '.' for '+', and no padding."""
    return base64.b64encode(data, b"./").decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"./", validate=True)
