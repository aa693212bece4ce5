"""Keeps a part's certificate fresh, in a thread of its own."""

import random
import threading
from collections.abc import Callable

from zato.common.certificates.enrolment import AuthorityClient
from zato.common.certificates.identity import Identity
from zato.common.clock import Clock, SystemClock
from zato.common.errors import ZatoError
from zato.common.logs import get_logger

log = get_logger(__name__)

# After two thirds of its life, or up to a tenth of its life earlier, so that parts that began together don't come together.
_RENEWED_AFTER = 2 / 3
_JITTER = 0.1
# What is left of its life is divided by this for the next attempt after one that failed.
_ATTEMPTS_LEFT = 20
_LEAST_WAIT_S = 0.2


def renewal_time(not_before: float, not_after: float, jitter: float) -> float:
    """
    Return when to renew, seconds since the epoch.

    Args:
        jitter: From 0 (at two thirds of its life) to 1 (as early as it gets).
    """
    life_s = not_after - not_before
    return not_before + life_s * (_RENEWED_AFTER - _JITTER * jitter)


class Renewer:
    """
    Renews the certificate in time, and asks in between whom to trust.

    Servers and clients that were given `identity.tls` take the new files up by themselves.

    Args:
        address: host:port of the authority, as the enrolment token has it.
        recover: Gets a certificate by other means when the one that there is has expired, as on a machine that slept; may fail.
        poll_s: Seconds between two questions for whom to trust; a revocation or a new root is known after so long.
    """

    def __init__(
        self,
        identity: Identity,
        address: str,
        *,
        recover: Callable[[], None] | None = None,
        poll_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self._identity = identity
        self._address = address
        self._recover = recover
        self._poll_s = poll_s
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificate-renewer", daemon=True)

    def start(self) -> None:
        """Raises InvalidOptions when there is no certificate yet."""
        self._client = AuthorityClient(self._identity, self._address)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self._client.close()

    def _run(self) -> None:
        renew_at = self._renewal_time()
        while not self._stop.wait(self._wait_s(renew_at)):
            try:
                if self._clock.now() >= renew_at:
                    self._renew()
                    renew_at = self._renewal_time()
                    log.info("certificate_renewed", next_renewal_in_s=round(renew_at - self._clock.now(), 1))
                elif self._client.update_authorities():
                    log.info("authorities_changed")
            except ZatoError as exc:
                log.warning("certificate_renewal_failed", reason=exc.message)
            except Exception:  # the thread must go on, or the part stops working when its certificate ends
                log.exception("certificate_renewal_failed")

    def _renew(self) -> None:
        certificate = self._identity.certificate()
        has_expired = certificate is None or self._clock.now() >= certificate.not_valid_after_utc.timestamp()
        if has_expired and self._recover is not None:
            self._recover()
        else:
            self._client.renew()

    def _renewal_time(self) -> float:
        certificate = self._identity.certificate()
        assert certificate is not None
        begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        return renewal_time(begin, end, random.random())  # noqa: S311 (spreads load)

    def _wait_s(self, renew_at: float) -> float:
        now = self._clock.now()
        if now < renew_at:
            return max(min(self._poll_s, renew_at - now), _LEAST_WAIT_S)
        certificate = self._identity.certificate()
        left_s = certificate.not_valid_after_utc.timestamp() - now if certificate else 0.0
        # Attempts share what is left, at most a poll apart.
        return max(min(self._poll_s, left_s / _ATTEMPTS_LEFT), _LEAST_WAIT_S)
