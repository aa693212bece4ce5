"""
The first start of a cluster of containers: `python -m zato.ca.containers PATH`, as root, before the authority runs.

Makes the cluster's folder as `zato.common.quickstart.containers` has it, the authority, and a reusable token for each
part. What is there is kept, so it may run at every start; the authority may run meanwhile once all tokens are there.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from zato.ca.app import Core
from zato.ca.config import PART_NAME, CASettings
from zato.ca.grants import Grant
from zato.common.errors import ZatoError
from zato.common.lifecycle.folders import read_secret
from zato.common.quickstart.containers import AUTHORITY_USER, DATABASE_USER, TOKENS, TokenFile, give, prepare, write_for
from zato.common.settings import load_settings


def prepare_all(path: Path) -> list[str]:
    """Make the cluster's folder and the authority, and return the files of tokens that were missing. Raises ZatoError."""
    prepare(path)
    missing = [token for token in TOKENS if not (path / token.file).exists()]
    if missing:
        settings = _settings(path)
        core = Core(settings)
        core.prepare()
        try:
            for token in missing:
                write_for(token.user, path / token.file, _token_text(core, token))
        finally:
            core.store.close()
        for made in (settings.work_folder, *settings.work_folder.rglob("*")):
            give(made, AUTHORITY_USER)
    return [token.file for token in missing]


def prepare_certificates(folder: Path) -> None:
    """Give the folder of `zato ca keep` to the user of PostgreSQL, Redis and RabbitMQ, who reads what is in it."""
    folder.mkdir(exist_ok=True)
    give(folder, DATABASE_USER)


def _settings(path: Path) -> CASettings:
    """Return the settings that the authority will have; its secrets are in the folder that we have just made."""
    secrets = {f"ZATO_CA_{name.upper()}": read_secret(path / PART_NAME / name) for name in ("token", "secret_key")}
    return load_settings(CASettings, PART_NAME, environ={**os.environ, **secrets})


def _token_text(core: Core, token: TokenFile) -> str:
    grant = Grant(token.name, token.alternative_names, purpose=token.role)
    return core.issuing.create_token(grant, is_reusable=True)[0].to_text()


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
