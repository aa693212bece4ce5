"""A part's certificate from its start to its end: waited for, renewed, and got anew when it could not be renewed in time."""

import re
import socket
import time
from collections.abc import Callable

from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.renewal import Renewer
from zato.common.certificates.settings import TrustSettings
from zato.common.certificates.tokens import EnrolmentToken, parse_token
from zato.common.errors import DeadlineExceeded, InvalidOptions, TooManyRequests, Unavailable
from zato.common.logs import get_logger

log = get_logger(__name__)

_RETRY_S = 0.5
_MAX_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class CertificateKeeper:
    """
    Args:
        settings: Of a part that is enrolled.
        wait: Waits for so many seconds and says whether to give up, e.g. `stop.wait` of an event.
    """

    def __init__(self, settings: TrustSettings, wait: Callable[[float], bool]) -> None:
        self._wait = wait
        self._token = parse_token(settings.enrolment_token) if settings.enrolment_token else None
        assert settings.identity_folder is not None, "settings.is_enrolled says so"
        self._identity = Identity(settings.identity_folder)
        self._address = settings.ca_address or (self._token.address if self._token else "")
        self._poll_s = settings.authorities_poll_s
        self._renewer: Renewer | None = None

    def begin(self) -> bool:
        """
        Return True once there is a certificate, which is renewed from now on; False when told to give up.

        A part whose certificate is valid does not ask the authority, so it starts without one.

        Raises:
            InvalidOptions: There is no certificate, and no token to get one.
            ZatoError: The authority refuses the token; says why.
        """
        identity = self._identity
        if not is_valid(identity) and not self._enrolled(identity):
            return False
        if not self._address:
            raise InvalidOptions(
                "'ca_address' is needed to renew the certificate in 'identity_folder': host:port of the authority"
            )
        token = self._token
        recover = (lambda: _enrol(identity, token)) if token is not None and token.is_reusable else None
        self._renewer = Renewer(identity, self._address, recover=recover, poll_s=self._poll_s)
        self._renewer.start()
        return True

    def end(self) -> None:
        if self._renewer is not None:
            self._renewer.stop()

    def _enrolled(self, identity: Identity) -> bool:
        """Trade the token for a certificate, as soon as the authority answers; False when told to give up."""
        token, certificate = self._token, identity.certificate()
        if token is None:
            what = "The certificate has expired" if certificate else "There is no certificate"
            raise InvalidOptions(
                f"{what} in {identity.folder}, and no 'enrolment_token' to get one: make a token with 'zato ca token'"
            )
        is_reported = False
        while True:
            try:
                _enrol(identity, token)
            except (Unavailable, DeadlineExceeded, TooManyRequests) as exc:
                if not is_reported:
                    log.warning("certificate_authority_awaited", address=token.enrol_address, reason=exc.message)
                is_reported = True
                if self._wait(_RETRY_S):
                    return False
            else:
                log.info("certificate_obtained", name=_own_name(token), authority=token.enrol_address)
                return True


def is_valid(identity: Identity, *, for_s: float = 0.0) -> bool:
    """Whether there is a certificate that is valid for so many seconds more."""
    certificate = identity.certificate()
    return certificate is not None and certificate.not_valid_after_utc.timestamp() > time.time() + for_s


def _enrol(identity: Identity, token: EnrolmentToken) -> None:
    enrol(identity, token, own_name=_own_name(token))


def _own_name(token: EnrolmentToken) -> str:
    """Replicas share a token; by the names of their hosts each can be told from the others, and revoked alone."""
    if not token.is_reusable:
        return token.name
    host = _NOT_IN_NAMES.sub("-", socket.gethostname())
    return f"{token.name}.{host}"[:_MAX_NAME].rstrip(".-")
