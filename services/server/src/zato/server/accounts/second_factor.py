"""The second factor: six digits that an authenticator shows for thirty seconds (RFC 6238)."""

import base64
import hmac
import os
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
_DIGITS = 6
_KEY_BYTES = 20
# A code of the step before or after is good too: clocks differ, and people type.
_STEPS_BESIDE = 1


def new_key() -> str:
    """Return a new key in base 32, as people type it into an authenticator that can't read the picture."""
    return base64.b32encode(os.urandom(_KEY_BYTES)).decode()


def code_at(key: str, moment: float) -> str:
    # SHA-1 is what authenticators know; nothing here depends on its collisions.
    sha1 = SHA1()  # noqa: S303  # nosec B303
    totp = TOTP(base64.b32decode(key), _DIGITS, sha1, STEP_S, enforce_key_length=False)
    return totp.generate(int(moment)).decode()


def matching_step(key: str, code: str, now: float, last_step: int) -> int | None:
    """
    Return the step that the code is of, None when it is wrong or was used before.

    Args:
        last_step: Of the latest code that was accepted: none is good twice, so nobody who looks over a shoulder gets in.
    """
    if not code.isascii():
        # Which can't be compared at all.
        return None
    current = int(now) // STEP_S
    for step in range(current - _STEPS_BESIDE, current + _STEPS_BESIDE + 1):
        if step > last_step and hmac.compare_digest(code_at(key, step * STEP_S), code):
            return step
    return None


def enrolment_url(key: str, account: str, cluster: str) -> str:
    """Return what the picture says that an authenticator reads."""
    label = quote(f"Zato {cluster}:{account}")
    return f"otpauth://totp/{label}?{urlencode({'secret': key, 'issuer': f'Zato {cluster}'})}"
