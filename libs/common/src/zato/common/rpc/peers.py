"""Who calls, by the certificate that was shown: gRPC has checked the chain and the dates, not whether it was revoked."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zato.common.errors import Unauthorized
from zato.common.rpc.roles import role_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from zato.common.rpc.material import MaterialReader

_KEY = "x509_pem_cert"


def peer_certificate(context: Any) -> "Certificate | None":
    """Return the certificate of the client behind a call's context, None when it came without."""
    shown = context.auth_context().get(_KEY)
    return _parsed(shown[0]) if shown else None


def peer_role(context: Any) -> str:
    """Return the role of the client behind a call's context, "" when it came without a certificate, or one without."""
    shown = context.auth_context().get(_KEY)
    return _role(shown[0]) if shown else ""


def check_peer(reader: "MaterialReader | None", context: Any) -> None:
    """Raise Unauthorized when the caller's certificate was revoked since its connection, or before."""
    if reader is None or not (revoked := reader.newest().revoked):
        return
    from zato.common.rpc.material import revocation_key

    certificate = peer_certificate(context)
    if certificate is not None and revocation_key(certificate) in revoked:
        raise Unauthorized(
            f"The caller's certificate, serial number {certificate.serial_number:x}, is revoked: enrol it with a new token"
        )


# Certificates come with each call, and there are as many as there are parts.
@lru_cache(maxsize=256)
def _parsed(pem: bytes) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem)


# To find one by a certificate takes as long as to read its role.
@lru_cache(maxsize=256)
def _role(pem: bytes) -> str:
    return role_of(_parsed(pem))
