"""The contracts `Enrolment` and `CertificateAuthority`, served: messages in, messages out."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from zato.ca.certificates import fingerprint_of
from zato.ca.grants import Grant
from zato.ca.hierarchy import Hierarchy
from zato.ca.imports import read_imported
from zato.ca.issuing import Issued, Issuing
from zato.ca.registry import AuthorityRecord, CertificateRecord, Registry
from zato.ca.store import Store, actor
from zato.common.errors import Forbidden
from zato.common.rpc.peers import peer_certificate
from zato.common.rpc.roles import CALLERS_ONLY, role_of
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import (
    CertificateAuthorityServicer,
    EnrolmentServicer,
)

if TYPE_CHECKING:
    import grpc
    from cryptography.x509 import Certificate

ENROLMENT = "zato.proto.certificate_authority.v1.Enrolment"
AUTHORITY = "zato.proto.certificate_authority.v1.CertificateAuthority"
# The token for enrolment, or the certificate, says who calls.
ENROLMENT_TOKENLESS = (f"/{ENROLMENT}/Enrol",)
AUTHORITY_TOKENLESS = tuple(f"/{AUTHORITY}/{method}" for method in ("Renew", "GetAuthorities", "GetOverview"))


class EnrolmentService(EnrolmentServicer):
    def __init__(self, issuing: Issuing) -> None:
        self._issuing = issuing

    def Enrol(self, request: messages.EnrolRequest, context: "grpc.ServicerContext") -> messages.EnrolResponse:
        with _acting("bearer of a token", context):
            return messages.EnrolResponse(issued=_issued(self._issuing.enrol(request.token, request.request)))


class AuthorityService(CertificateAuthorityServicer):
    """
    Args:
        has_changed: Called when what is trusted has changed.
    """

    def __init__(
        self, store: Store, issuing: Issuing, registry: Registry, hierarchy: Hierarchy, has_changed: Callable[[], None]
    ) -> None:
        self._store = store
        self._issuing = issuing
        self._registry = registry
        self._hierarchy = hierarchy
        self._has_changed = has_changed

    def Renew(self, request: messages.RenewRequest, context: "grpc.ServicerContext") -> messages.RenewResponse:
        certificate = peer_certificate(context)
        with _acting(_common_name(certificate), context):
            return messages.RenewResponse(issued=_issued(self._issuing.renew(certificate, request.request)))

    def GetAuthorities(
        self, request: messages.GetAuthoritiesRequest, context: "grpc.ServicerContext"
    ) -> messages.GetAuthoritiesResponse:
        with self._store.read() as read:
            return messages.GetAuthoritiesResponse(authorities=self._hierarchy.trusted(read))

    def CreateToken(
        self, request: messages.CreateTokenRequest, context: "grpc.ServicerContext"
    ) -> messages.CreateTokenResponse:
        with _administering(context):
            token, expires_at, grant = self._issuing.create_token(
                _grant(request.grant), request.token_lifetime_s, is_reusable=request.is_reusable
            )
        return messages.CreateTokenResponse(
            token=token.to_text(), expires_at=expires_at, grant=messages.Grant(**dataclasses.asdict(grant))
        )

    def Issue(self, request: messages.IssueRequest, context: "grpc.ServicerContext") -> messages.IssueResponse:
        with _administering(context):
            return messages.IssueResponse(issued=_issued(self._issuing.issue(_grant(request.grant), request.request)))

    def ListCertificates(
        self, request: messages.ListCertificatesRequest, context: "grpc.ServicerContext"
    ) -> messages.ListCertificatesResponse:
        found = self._registry.certificates(name=request.name, is_all=request.is_all)
        return messages.ListCertificatesResponse(
            certificates=[_certificate(dataclasses.replace(each, certificate=b"")) for each in found]
        )

    def GetCertificate(
        self, request: messages.GetCertificateRequest, context: "grpc.ServicerContext"
    ) -> messages.GetCertificateResponse:
        return messages.GetCertificateResponse(certificate=_certificate(self._registry.certificate(request.serial)))

    def Revoke(self, request: messages.RevokeRequest, context: "grpc.ServicerContext") -> messages.RevokeResponse:
        with _administering(context):
            revoked = self._registry.revoke(serial=request.serial, name=request.name, reason=request.reason)
        self._has_changed()
        return messages.RevokeResponse(serials=revoked.serials, tokens=revoked.tokens)

    def Rotate(self, request: messages.RotateRequest, context: "grpc.ServicerContext") -> messages.RotateResponse:
        imported = read_imported(request.certificate, request.key, now=time.time()) if request.certificate else None
        with _administering(context):
            added = self._hierarchy.rotate(request.level, imported=imported, after_s=request.after_s)
        self._has_changed()
        ids = {each.id for each in added}
        records = [record for record in self._registry.state().authorities if record.authority.id in ids]
        return messages.RotateResponse(authorities=map(_authority, records))

    def GetState(self, request: messages.GetStateRequest, context: "grpc.ServicerContext") -> messages.GetStateResponse:
        state = self._registry.state()
        return messages.GetStateResponse(
            authorities=map(_authority, state.authorities),
            valid=state.valid,
            revoked=state.revoked,
            open_tokens=state.open_tokens,
            next_expiry=state.next_expiry,
        )

    def GetOverview(
        self, request: messages.GetOverviewRequest, context: "grpc.ServicerContext"
    ) -> messages.GetOverviewResponse:
        certificate = peer_certificate(context)
        if certificate is None or role_of(certificate) not in CALLERS_ONLY:
            raise Forbidden("This is for web admins and operators: the certificate that was shown has another role")
        listed = self.ListCertificates(messages.ListCertificatesRequest(is_all=request.is_all), context)
        return messages.GetOverviewResponse(
            state=self.GetState(messages.GetStateRequest(), context), certificates=listed.certificates
        )

    def GetAudit(self, request: messages.GetAuditRequest, context: "grpc.ServicerContext") -> messages.GetAuditResponse:
        entries, total = self._registry.audit(request.limit)
        return messages.GetAuditResponse(entries=entries, total=total)


@contextmanager
def _acting(who: str, context: "grpc.ServicerContext") -> Iterator[None]:
    token = actor.set(f"{who}, {context.peer()}")
    try:
        yield
    finally:
        actor.reset(token)


def _administering(context: "grpc.ServicerContext") -> AbstractContextManager[None]:
    return _acting(f"administrator with the certificate of {_common_name(peer_certificate(context))}", context)


def _common_name(certificate: "Certificate | None") -> str:
    if certificate is None:
        return "nobody"
    return str(next(iter(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))).value)


def _grant(grant: messages.Grant) -> Grant:
    return Grant(
        grant.name, tuple(grant.alternative_names), grant.purpose or "part", grant.lifetime_s, grant.is_wildcard_allowed
    )


def _issued(issued: Issued) -> messages.Issued:
    return messages.Issued(certificate=issued.certificate, authorities=issued.authorities)


def _certificate(record: CertificateRecord) -> messages.Certificate:
    return messages.Certificate(**dataclasses.asdict(record))


def _authority(record: AuthorityRecord) -> messages.Authority:
    authority = record.authority
    return messages.Authority(
        name=authority.name,
        level=authority.level,
        not_after=authority.not_after,
        active_from=authority.active_from,
        trusted_until=record.trusted_until,
        state=record.state,
        fingerprint=fingerprint_of(authority.certificate),
        is_imported=authority.is_imported,
    )
