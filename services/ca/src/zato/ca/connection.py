"""Which authority a command talks to, and with which certificate."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zato.common.cli.commands import UsageError, completes_files, completes_folders
from zato.common.cli.part_client import PartClient, folder_of

if TYPE_CHECKING:
    from zato.common.rpc.client import Client


def which_authority(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Which authority")
    completes_folders(
        group.add_argument(
            "--folder",
            metavar="PATH",
            type=Path,
            help="The authority's folder (default: ca in the cluster that $ZATO_CLUSTER names, else in the nearest one)",
        )
    )
    group.add_argument("--address", metavar="HOST:PORT", help="Where the authority listens, instead of a folder")
    completes_files(
        group.add_argument("--admin-token-file", metavar="FILE", type=Path, help="The authority's own token, for --address")
    )
    completes_folders(
        group.add_argument(
            "--identity", metavar="FOLDER", type=Path, help="What 'zato ca enrol' or 'issue' made, for --address"
        )
    )


@contextmanager
def connect(options: argparse.Namespace) -> Iterator[PartClient]:
    from zato.common.certificates.identity import Identity
    from zato.common.lifecycle.folders import read_secret
    from zato.common.rpc.client import Client
    from zato.proto.certificate_authority.v1 import certificate_authority_pb2
    from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub

    if options.address:
        if options.admin_token_file is None or options.identity is None:
            raise UsageError("--address needs --admin-token-file FILE and --identity FOLDER with a certificate")
        client = Client(options.address, token=read_secret(options.admin_token_file), tls=Identity(options.identity).tls)
    else:
        client = _client_of_folder(options.folder)
    try:
        yield PartClient(client, certificate_authority_pb2, CertificateAuthorityStub)
    finally:
        client.close()


def _client_of_folder(path: Path | None) -> "Client":
    from zato.ca.app import IDENTITY_FOLDER
    from zato.ca.part import PART
    from zato.common.certificates.identity import Identity
    from zato.common.errors import Unavailable
    from zato.common.rpc.client import Client

    folder = folder_of(PART, path)
    settings = folder.load_settings(PART)
    identity = Identity(settings.work_folder / IDENTITY_FOLDER)
    if identity.certificate() is None:
        raise Unavailable(f"The authority in {folder.path} was never started: zato start {folder.path}")
    # Its own certificate: who may read its folder may do anything anyway.
    return Client(settings.public(settings.grpc_address), token=settings.token, tls=identity.tls)
