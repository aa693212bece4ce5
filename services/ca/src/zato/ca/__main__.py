"""Starts the authority: `python -m zato.ca --folder PATH`."""

import sys
import threading
from pathlib import Path

from zato.ca.config import PART_NAME, CASettings
from zato.common.lifecycle.program import Program

_DESCRIPTION = "The certificate authority: enrols the parts of a cluster, renews and revokes their certificates."


def _run(settings: CASettings, _folder: Path | None, stop: threading.Event) -> None:
    from zato.ca.app import CertificateAuthority

    CertificateAuthority(settings).run(stop)


PROGRAM = Program(PART_NAME, CASettings, _DESCRIPTION, "LIFETIME_S", _run)
# The console script `zato-ca`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
