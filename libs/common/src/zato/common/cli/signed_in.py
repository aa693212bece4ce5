"""The tokens that `zato login` keeps: one file for the user, with a token for each cluster."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from zato.common.errors import InvalidOptions

TOKEN_VARIABLE = "ZATO_TOKEN"  # noqa: S105 (a name)


def token_for(cluster: str, environ: Mapping[str, str] = os.environ) -> str:
    """
    Return the person's token for a cluster, from $ZATO_TOKEN or the last `zato login`; "" without one.

    Args:
        cluster: As messages name it: its folder, or the address of a server.
    """
    return environ.get(TOKEN_VARIABLE, "") or _read(_file(environ)).get(cluster, "")


def keep_token(cluster: str, token: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Keep a token, or forget it when it is "". Returns the file, which its owner alone can read."""
    file = _file(environ)
    tokens = {**_read(file), cluster: token}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({name: kept for name, kept in tokens.items() if kept}, stream, indent=2)
    new.replace(file)
    return file


def _file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return Path(base) / "zato" / "tokens.json"


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise InvalidOptions(f"{file} cannot be read ({exc}): delete it, and sign in again with 'zato login'") from exc
    return found if isinstance(found, dict) else {}
