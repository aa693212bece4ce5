"""
Settings of a part: an `@options` class, read once at start from a file and the environment, checked whole.

Of two sources the nearer one wins: default < file (TOML) < environment. `ZATO_SERVER_WORKERS=4` sets `workers` of the
server; `ZATO_SERVER_SECRET_KEY_FILE=/run/secrets/key` reads the value from a file, as Docker's secrets want it.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from zato.common.errors import InvalidOptions
from zato.common.options import declared_options, option_values, parse_options
from zato.common.secrets import MASK

T = TypeVar("T")


def env_prefix(part: str) -> str:
    """Return the prefix of a part's environment variables, e.g. "ZATO_LB_AGENT_" for "lb-agent"."""
    return f"ZATO_{part.upper().replace('-', '_')}_"


def load_settings(cls: type[T], part: str, *, files: tuple[Path, ...] = (), environ: Mapping[str, str]) -> T:
    """
    Args:
        files: TOML files; of a key in two of them the later file's value counts. Paths in them are relative to the file.

    Raises:
        InvalidOptions: A file can't be read, or a value does not fit. Names the key, the value, and what was wanted.
    """
    values: dict[str, object] = {}
    for file in files:
        values.update(_from_file(cls, file))
    values.update(_from_environment(cls, env_prefix(part), environ))
    return parse_options(cls, values, what=f"settings of {part}")


def describe_settings(settings: object) -> dict[str, Any]:
    """Return the settings as `--show-config` prints them: secrets masked."""
    secret = {option.name for option in declared_options(type(settings)) if option.secret}
    return {name: MASK if name in secret and value else value for name, value in option_values(settings).items()}


def _from_file(cls: type, file: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InvalidOptions(f"Settings file {file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidOptions(f"Settings file {file} is not UTF-8 text: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise InvalidOptions(f"Settings file {file} is not valid TOML: {exc}") from exc
    paths = {option.name for option in declared_options(cls) if option.type == "path"}
    for name in paths & values.keys():
        values[name] = file.parent / str(values[name])
    return values


def _from_environment(cls: type, prefix: str, environ: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for option in declared_options(cls):
        variable = prefix + option.name.upper()
        if variable in environ:
            found[option.name] = environ[variable]
        elif f"{variable}_FILE" in environ:
            found[option.name] = _read_secret(f"{variable}_FILE", Path(environ[f"{variable}_FILE"]))
    return found


def _read_secret(variable: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise InvalidOptions(f"{variable}: {file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError:
        # Without the cause: it holds the bytes, and they are a secret.
        raise InvalidOptions(f"{variable}: {file} is not UTF-8 text") from None
