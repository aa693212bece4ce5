"""
The first start of a cluster of containers: `python -m zato.ca.containers PATH`, as root, before the authority runs.

Makes the cluster's folder as `zato.common.quickstart.containers` has it, the authority, and a reusable token for each
part. What is there is kept, so it may run at every start. Of an authority that runs already, as after an upgrade that
brings a new part, it asks for the tokens that are missing, and they are good at once.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from zato.ca.app import IDENTITY_FOLDER, Core
from zato.ca.config import PART_NAME, CASettings
from zato.ca.errors import AuthorityRuns
from zato.ca.grants import Grant
from zato.common.certificates.identity import Identity
from zato.common.errors import ZatoError
from zato.common.lifecycle.folders import read_secret
from zato.common.quickstart.containers import AUTHORITY_USER, DATABASE_USER, TOKENS, TokenFile, give, prepare, write_for
from zato.common.rpc.client import Client
from zato.common.settings import load_settings
from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import CertificateAuthorityStub

# The authority may be starting, and answers within a second or two then.
_CALL_S = 20.0


def prepare_all(path: Path) -> list[str]:
    """Make the cluster's folder and the authority, and return the files of tokens that were missing. Raises ZatoError."""
    prepare(path)
    missing = [token for token in TOKENS if not (path / token.file).exists()]
    if missing:
        settings = _settings(path)
        try:
            core = Core(settings)
        except AuthorityRuns:
            _ask_for_tokens(settings, path, missing)
        else:
            _make_tokens(core, path, missing)
            for made in (settings.work_folder, *settings.work_folder.rglob("*")):
                give(made, AUTHORITY_USER)
    return [token.file for token in missing]


def _make_tokens(core: Core, path: Path, missing: Sequence[TokenFile]) -> None:
    core.prepare()
    try:
        for token in missing:
            made, _, _ = core.issuing.create_token(_grant_of(token), is_reusable=True)
            write_for(token.user, path / token.file, made.to_text())
    finally:
        core.store.close()


def _ask_for_tokens(settings: CASettings, path: Path, missing: Sequence[TokenFile]) -> None:
    """As `zato ca token` does: with the authority's own certificate, since who reads its folder may do anything anyway."""
    tls = Identity(settings.work_folder / IDENTITY_FOLDER).tls
    with contextlib.closing(Client(settings.public(settings.grpc_address), token=settings.token, tls=tls)) as client:
        create = CertificateAuthorityStub(client.channel).CreateToken
        for token in missing:
            grant = messages.Grant(name=token.name, alternative_names=token.alternative_names, purpose=token.role)
            made = client.call(create, messages.CreateTokenRequest(grant=grant, is_reusable=True), timeout_s=_CALL_S)
            write_for(token.user, path / token.file, made.token)


def prepare_certificates(folder: Path) -> None:
    """Give the folder of `zato ca keep` to the user of PostgreSQL, Redis and RabbitMQ, who reads what is in it."""
    folder.mkdir(exist_ok=True)
    give(folder, DATABASE_USER)


def _settings(path: Path) -> CASettings:
    """Return the settings that the authority will have; its secrets are in the folder that we have just made."""
    secrets = {f"ZATO_CA_{name.upper()}": read_secret(path / PART_NAME / name) for name in ("token", "secret_key")}
    return load_settings(CASettings, PART_NAME, environ={**os.environ, **secrets})


def _grant_of(token: TokenFile) -> Grant:
    return Grant(token.name, token.alternative_names, purpose=token.role)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m zato.ca.containers", description=__doc__)
    parser.add_argument("path", type=Path, help="Folder of the cluster")
    parser.add_argument("--certificates", type=Path, help="Folder that `zato ca keep` will fill")
    parsed = parser.parse_args(arguments)
    try:
        prepare_all(parsed.path)
        if parsed.certificates:
            prepare_certificates(parsed.certificates)
    except (ZatoError, OSError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
