"""The authority's own certificate, which it shows to parts: issued by itself, kept like theirs, renewed in time."""

from typing import TYPE_CHECKING

from zato.ca.grants import Grant
from zato.common.certificates.identity import Identity, new_request
from zato.common.certificates.renewal import renewal_time

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from zato.ca.hierarchy import Hierarchy
    from zato.ca.issuing import Issuing
    from zato.ca.store import Store

NAME = "ca"


class OwnCertificate:
    def __init__(self, identity: Identity, names: tuple[str, ...], issuing: "Issuing") -> None:
        self.identity = identity
        self._names = names
        self._issuing = issuing
        # Names may have been changed in the settings, so the first look is at a new one.
        self._is_new = False

    def refresh(self, store: "Store", hierarchy: "Hierarchy") -> None:
        """Renew the certificate if that is due, and take up whom to trust."""
        with store.read() as read:
            now, trusted = read.now, hierarchy.trusted(read)
        certificate = self.identity.certificate() if self._is_new else None
        if certificate is None or now >= _renewed_at(certificate) or _is_revoked(store, certificate):
            made = new_request(NAME, self._names)
            issued = self._issuing.issue(Grant(NAME, self._names), made.request, source="own")
            with store.read() as read:
                bridges = hierarchy.bridges(read)
            self.identity.keep(made.key, issued.certificate + bridges, issued.authorities)
            self._is_new = True
        else:
            self.identity.keep_authorities(trusted)


def _is_revoked(store: "Store", certificate: "Certificate") -> bool:
    serial = f"{certificate.serial_number:x}"
    with store.read() as read:
        return read.value("SELECT revoked_at FROM certificate WHERE serial = ?", serial) is not None


def _renewed_at(certificate: "Certificate") -> float:
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return renewal_time(begin, end, jitter=1.0)
