"""Certificates of a quickstart cluster: a token for each part that needs one, and one for the zato command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zato.common.cli.operator import TOKEN_FILE
from zato.common.cli.parts import Parts
from zato.common.lifecycle.folders import update_settings, write_secret
from zato.common.quickstart.cluster import Cluster
from zato.common.quickstart.roles import AUTHORITY, HOST, IDENTITY_FOLDER, Member, role_of
from zato.common.rpc.roles import OPERATOR

_NAMES = (HOST, "localhost")
_TIMEOUT_S = 20.0
# A part that starts now renews well before this.
_LEAST_LIFE_S = 60.0


def without_certificate(cluster: Cluster) -> list[Member]:
    """Return the members that have no valid certificate; after a weekend none of those that were stopped has one."""
    if not cluster.wiring.has_authority:
        return []
    from zato.common.certificates.identity import Identity
    from zato.common.certificates.keeping import is_valid

    members = [member for member in cluster.members if role_of(member.part).certificate]
    return [
        member
        for member in members
        if not is_valid(Identity(cluster.path / member.name / IDENTITY_FOLDER), for_s=_LEAST_LIFE_S)
    ]


def give_tokens(cluster: Cluster, parts: Parts) -> None:
    """
    Write a token into the settings of each member that has no valid certificate, and one for the operator where there is none.

    Raises:
        ZatoError: The authority, which has to run, does not answer, or refuses.
    """
    needy, token_file = without_certificate(cluster), cluster.path / TOKEN_FILE
    if not needy and token_file.exists():
        return
    with _authority(cluster, parts) as create_token:
        for member in needy:
            role = role_of(member.part).certificate
            update_settings(cluster.folder(member), {"enrolment_token": create_token(member.name, role, _NAMES)})
        if not token_file.exists():
            write_secret(token_file, create_token(OPERATOR, OPERATOR, (), is_reusable=True))


@contextmanager
def _authority(cluster: Cluster, parts: Parts) -> Iterator[Any]:
    """Yield what makes tokens at the cluster's authority, as an administrator of it."""
    from zato.common.certificates.identity import Identity
    from zato.common.rpc.client import Client
    from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
    from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub

    member = next(member for member in cluster.members if member.part == AUTHORITY)
    settings: Any = cluster.folder(member).load_settings(parts.get(AUTHORITY))
    # Its own certificate: who may read its folder may do anything anyway.
    identity = Identity(Path(settings.work_folder) / IDENTITY_FOLDER)
    client = Client(settings.grpc_address, token=settings.token, tls=identity.tls)
    stub = CertificateAuthorityStub(client.channel)

    def create_token(name: str, role: str, names: tuple[str, ...], *, is_reusable: bool = False) -> str:
        grant = messages.Grant(name=name, alternative_names=names, purpose=role)
        request = messages.CreateTokenRequest(grant=grant, is_reusable=is_reusable)
        return client.call(stub.CreateToken, request, timeout_s=_TIMEOUT_S).token

    try:
        yield create_token
    finally:
        client.close()
