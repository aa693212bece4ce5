"""
Certificates for servers that are not ours, such as PostgreSQL or RabbitMQ, in a folder that they read:

    NAME/identity.pem    key, certificate and chain of the server NAME, for the owner only
    authorities.pem      whom to trust, for its clients: readable by all, without revocation lists, which not all can read
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from zato.common.certificates.identity import Identity
from zato.common.certificates.keeping import CertificateKeeper
from zato.common.certificates.settings import TrustSettings
from zato.common.lifecycle.folders import read_secret
from zato.common.rpc.material import split_authorities

AUTHORITIES_FILE = "authorities.pem"
_LOOK_EVERY_S = 1.0
_READABLE_BY_ALL = 0o644


def keep(folder: Path, token_files: Mapping[str, Path], stop: Event, *, poll_s: float) -> None:
    """
    Get a certificate for each name that has none, and renew them all until `stop` is set.

    Args:
        token_files: By name; the token is needed until the certificate is there, and for what slept too long.
        poll_s: Seconds between two questions to the authority for whom to trust.

    Raises:
        ZatoError: A token is none, or the authority refuses it. One that does not answer is waited for.
    """
    with ExitStack() as stack:
        for name, file in token_files.items():
            settings = TrustSettings(
                identity_folder=folder / name, enrolment_token=read_secret(file), authorities_poll_s=poll_s
            )
            stack.enter_context(_kept(settings, stop))
        identities = [Identity(folder / name) for name in token_files]
        while not stop.is_set():
            _publish(folder / AUTHORITIES_FILE, identities)
            stop.wait(_LOOK_EVERY_S)


@contextmanager
def _kept(settings: TrustSettings, stop: Event) -> Iterator[None]:
    keeper = CertificateKeeper(settings, stop.wait)
    keeper.begin()
    try:
        yield
    finally:
        keeper.end()


def _publish(file: Path, identities: list[Identity]) -> None:
    """Write the roots that any of them trusts, where they have changed."""
    found = [split_authorities(each.authorities_file.read_bytes())[0] for each in identities]
    roots = b"".join(dict.fromkeys(found))
    if not file.exists() or file.read_bytes() != roots:
        new = file.with_suffix(".new")
        new.write_bytes(roots)
        new.chmod(_READABLE_BY_ALL)
        os.replace(new, file)
