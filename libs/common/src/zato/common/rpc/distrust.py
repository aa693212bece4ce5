"""Servers that a client does not talk to, since their certificates are not what they should be: logged, and told of."""

import time
from collections.abc import Callable
from typing import Any

from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.calls import error_from_call
from zato.common.rpc.refusals import HANDSHAKE, Refusal

log = get_logger(__name__)

# By what gRPC says of a call that failed.
_REASONS = (
    ("Hostname Verification Check failed", "is for other places"),
    ("certificate has expired", "has expired"),
    ("CERTIFICATE_VERIFY_FAILED", "is of an authority that is not trusted here"),
    ("certificate signature failure", "is of an authority that is not trusted here"),
)
# Whoever is not trusted is tried again and again.
_EVERY_S = 60.0


class Distrust:
    """
    Args:
        target: Where the server is.
        on_refusal: Is told of a server that is not trusted, at most once a minute.
    """

    def __init__(self, target: str, on_refusal: Callable[[Refusal], None] | None) -> None:
        self._target = target
        self._on_refusal = on_refusal
        self._told_at: dict[str, float] = {}

    def error_of(self, call: Any) -> ZatoError:
        """Return what `error_from_call` does for a call that failed, having looked at why it did."""
        details = call.details() or ""
        state = next((state for sign, state in _REASONS if sign in details), "")
        if state:
            self._tell(f"the certificate of who answers at {self._target} {state}", details)
        return error_from_call(call, self._target)

    def _tell(self, reason: str, details: str) -> None:
        now = time.monotonic()
        if now - self._told_at.get(reason, -_EVERY_S) < _EVERY_S:
            return
        self._told_at[reason] = now
        log.warning("handshake_refused", reason=reason, error=details)
        if self._on_refusal is not None:
            self._on_refusal(Refusal("", "", "", reason, "", HANDSHAKE))
