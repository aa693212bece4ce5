"""Getting the first certificate with a token, and the next one with the one before."""

import contextlib
from collections.abc import Iterator
from typing import Any

from zato.common.certificates.identity import Identity, new_request
from zato.common.certificates.tokens import EnrolmentToken
from zato.common.errors import Conflict, Forbidden
from zato.common.rpc.client import Client
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub, EnrolmentStub

_TIMEOUT_S = 20.0


def enrol(identity: Identity, token: EnrolmentToken, *, name: str = "", own_name: str = "") -> None:
    """
    Trade a token for a certificate. May be called again after a crash or a lost answer.

    Args:
        name: The part's own, when it knows it: a token of another is not even sent.
        own_name: What to be called in the certificate, the token's name and more, where the token is reusable.

    Raises:
        ZatoError: The authority's own, e.g. InvalidToken; Unavailable when it can't be reached, or is not the one that
            the token names.
    """
    if name and token.name != name:
        raise Forbidden(f"The enrolment token is for {token.name!r}, and this is {name!r}: ask for one with this name")
    begun = identity.begun(own_name or token.name, token.alternative_names)
    request = messages.EnrolRequest(token=token.secret, request=begun.request)
    with _anonymous_channel(token) as channel:
        issued = channel.call(EnrolmentStub(channel.channel).Enrol, request, timeout_s=_TIMEOUT_S).issued
    identity.keep(begun.key, issued.certificate, issued.authorities)


class AuthorityClient:
    """Asks the authority with the certificate that there is. Safe to share between threads."""

    def __init__(self, identity: Identity, address: str) -> None:
        self._identity = identity
        self._client = Client(address, token="", tls=identity.tls)
        self._stub = CertificateAuthorityStub(self._client.channel)

    def renew(self) -> None:
        """Get a certificate for a new key. Raises ZatoError."""
        certificate = self._identity.certificate()
        if certificate is None:
            raise Conflict(f"There is no certificate in {self._identity.folder} to renew: enrol first, with a token")
        # Names come from the certificate that the call is made with.
        made = new_request("", ())
        issued = self._call(self._stub.Renew, messages.RenewRequest(request=made.request)).issued
        self._identity.keep(made.key, issued.certificate, issued.authorities)

    def update_authorities(self) -> bool:
        """Get whom to trust now; says whether that is news. Raises ZatoError."""
        answer = self._call(self._stub.GetAuthorities, messages.GetAuthoritiesRequest())
        return self._identity.keep_authorities(answer.authorities)

    def close(self) -> None:
        self._client.close()

    def _call(self, method: Any, request: Any) -> Any:
        return self._client.call(method, request, timeout_s=_TIMEOUT_S)


@contextlib.contextmanager
def _anonymous_channel(token: EnrolmentToken) -> Iterator[Client]:
    """A client that trusts the roots in the token and shows nothing of itself."""
    client = Client.with_roots(token.enrol_address, token.roots.encode())
    try:
        yield client
    finally:
        client.close()
