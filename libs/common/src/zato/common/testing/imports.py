"""What a program has imported, looked at from within: what is not needed takes memory, and time at each start."""

import json
import os
import subprocess
import sys
from pathlib import Path

_TIMEOUT_S = 120

# Needed by who has a certificate, dead letters, a definition or a setting of that sort, and imported there.
UNNEEDED_BY_IDLE_CONNECTORS = frozenset(
    {
        "colorama",
        "cryptography",
        "gevent",
        "greenlet",
        "grpc_reflection.v1alpha",
        "http.server",
        "jinja2",
        "prometheus_client",
        "redis",
        "requests",
        "rich",
        "sqlalchemy",
        "xmlrpc",
    }
)


def modules_of(statements: str, folder: Path) -> set[str]:
    """
    Return the names of the modules that a new process has after some statements.

    Args:
        folder: For what the process writes.
    """
    found = folder / "modules"
    program = f"{statements}; import json, sys; open({str(found)!r}, 'w').write(json.dumps(list(sys.modules)))"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=_TIMEOUT_S)
    return set(json.loads(found.read_text()))
