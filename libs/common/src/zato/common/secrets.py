"""Passwords and tokens: how they are made, and how they are kept where others can read the bytes."""

import secrets
from collections.abc import Sequence

from zato.common.errors import ZatoError

# Without the characters that people mistake for one another when they read a password out.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
MASK = "******"


class CannotDecrypt(ZatoError):
    """What is stored was encrypted with another key, or changed since."""


def generate_password(groups: int = 4) -> str:
    """Return a random password that is easy to type, e.g. "hk3m2-9fwtq-e7xnd-u4gcb" (about 5 bits a character)."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(5)) for _ in range(groups))


def generate_token() -> str:
    """Return a random token of 256 bits, safe in URLs and headers."""
    return secrets.token_urlsafe(32)


def generate_key() -> str:
    """Return a new key for a SecretBox."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


class SecretBox:
    """
    Encrypts secrets at rest (Fernet: AES-128-CBC and HMAC-SHA256).

    Args:
        keys: The newest key first. It encrypts, all of them decrypt, so keys can be changed without downtime.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        # It brings OpenSSL, 8 MB, which parts that encrypt nothing need not have.
        from cryptography.fernet import Fernet, MultiFernet

        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError) as exc:
            raise CannotDecrypt(
                "The secret key is not valid: it takes 32 random bytes in URL-safe base64, as 'zato create secret-key' prints"
            ) from exc

    def encrypt(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises CannotDecrypt when `token` was made with a key that is not here, or was tampered with."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(token).decode()
        except (InvalidToken, ValueError) as exc:  # ValueError: it isn't even ASCII
            raise CannotDecrypt("A stored secret cannot be decrypted: was the cluster's secret key changed?") from exc
