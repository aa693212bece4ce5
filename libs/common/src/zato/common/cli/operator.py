"""
The certificate that the zato command shows to the parts of a cluster: got with the token beside the cluster's settings
whenever there is none, or one that ends soon.
"""

import contextlib
import fcntl
import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zato.common.errors import Unavailable

if TYPE_CHECKING:
    from zato.common.certificates.identity import Identity
    from zato.common.certificates.tokens import EnrolmentToken
    from zato.common.rpc.tls import TLSFiles

# A reusable token of the role operator, as 'zato ca token operator --purpose operator --reusable' makes it.
TOKEN_FILE = "operator_token"  # noqa: S105 (a name)
FOLDER_VARIABLE = "ZATO_OPERATOR_FOLDER"
_FOLDER = "operator"
_CLUSTER_FILE = "cluster.toml"


def operator_tls(*folders: Path, environ: Mapping[str, str] = os.environ) -> "TLSFiles | None":
    """
    Return the operator's files for the cluster or part in these folders, the first that has a token; None when none has:
    then its parts talk in clear text.

    The certificate is kept in `operator` beside the token, or where $ZATO_OPERATOR_FOLDER says.

    Raises:
        ZatoError: There is no valid certificate, and the authority gives none.
    """
    folder = next((folder for folder in folders if (folder / TOKEN_FILE).is_file()), None)
    if folder is None:
        return None
    from zato.common.certificates.identity import Identity
    from zato.common.certificates.tokens import parse_token
    from zato.common.lifecycle.folders import read_secret

    identity = Identity(Path(environ.get(FOLDER_VARIABLE) or folder / _FOLDER))
    if not _is_fresh(identity):
        token = _where_the_authority_is_now(parse_token(read_secret(folder / TOKEN_FILE)), folders)
        with _locked(identity.folder):
            if not _is_fresh(identity):
                _renew(identity, token)
    return identity.tls


def _is_fresh(identity: "Identity") -> bool:
    """Whether there is a certificate with a third of its life left."""
    if (certificate := identity.certificate()) is None:
        return False
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return time.time() < end - (end - begin) / 3


def _renew(identity: "Identity", token: "EnrolmentToken") -> None:
    from zato.common.certificates.enrolment import enrol
    from zato.common.certificates.keeping import is_valid

    try:
        enrol(identity, token)
    except Unavailable:
        if not is_valid(identity):
            raise


def _where_the_authority_is_now(token: "EnrolmentToken", folders: tuple[Path, ...]) -> "EnrolmentToken":
    """Ports of a cluster may have moved since the token was made."""
    for folder in folders:
        with contextlib.suppress(OSError, tomllib.TOMLDecodeError):
            rows = tomllib.loads((folder / _CLUSTER_FILE).read_text()).get("parts", ())
            for row in rows:
                if row.get("part") == "ca":
                    return replace(token, enrol_address=row["enrol_address"], address=row["grpc_address"])
    return token


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep two commands from writing the same files at the same moment."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
