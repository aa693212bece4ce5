"""
What the authority refuses, and why. All of it is in the audit log.

    ZatoError
    ├── BadRequest
    │   ├── BadGrant                a name, purpose or lifetime that nobody may have
    │   ├── BadCertificateRequest   not a request (PKCS #10), damaged, or it asks for what a leaf must not be
    │   │   └── WeakKey             a kind or size of key that is not taken
    │   └── BadAuthority            an organisation's own authority that can't issue
    ├── Unauthorized
    │   ├── InvalidToken            unknown, expired or withdrawn
    │   ├── TokenUsed               one token, one certificate
    │   └── CertificateRefused      none was shown, it is not one of ours, or it was revoked
    ├── Forbidden
    │   └── NamesNotGranted         the request has names that the token or the certificate does not have
    ├── Conflict
    │   └── RotationPending         the next authority is there already and does not issue yet
    └── Unavailable
        └── StateNotUsable          damaged, not ours to write, or the secret key is another one
            └── AuthorityRuns       another process has the folder
"""

from zato.common.errors import BadRequest, Conflict, Forbidden, Unauthorized, Unavailable


class BadGrant(BadRequest):
    pass


class BadCertificateRequest(BadRequest):
    pass


class WeakKey(BadCertificateRequest):
    pass


class BadAuthority(BadRequest):
    pass


class InvalidToken(Unauthorized):
    pass


class TokenUsed(Unauthorized):
    pass


class CertificateRefused(Unauthorized):
    pass


class NamesNotGranted(Forbidden):
    pass


class RotationPending(Conflict):
    pass


class StateNotUsable(Unavailable):
    pass


class AuthorityRuns(StateNotUsable):
    pass
