"""
The folder of a part. The same for every part:

    part.toml       which part it is, and the version that it was created with
    settings.toml   its settings; each with its meaning above it
    secrets.toml    its secrets, readable by its owner only
    logs/           what it printed
    run/            the pid file, while it runs
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.common.errors import AlreadyExists, InvalidOptions, NotFound
from zato.common.lifecycle.generated import generate_missing
from zato.common.lifecycle.toml import toml_document, toml_value
from zato.common.options import Option, declared_options, option_values, parse_options
from zato.common.settings import env_prefix, load_settings

if TYPE_CHECKING:
    from zato.common.cli.parts import Part

PART_FILE = "part.toml"
CLUSTER_FILE = "cluster.toml"
_SECRET_MODE = 0o600


@dataclass(frozen=True)
class PartFolder:
    """`part` is the name of the part, e.g. "server"; the folder's own name is free, e.g. "server1"."""

    path: Path
    part: str
    version: str

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def settings_file(self) -> Path:
        return self.path / "settings.toml"

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.toml"

    @property
    def log_file(self) -> Path:
        return self.path / "logs" / f"{self.part}.log"

    @property
    def pid_file(self) -> Path:
        return self.path / "run" / f"{self.part}.pid"

    def load_settings(self, part: "Part", environ: Mapping[str, str] = os.environ) -> Any:
        """
        Return the settings as the part itself will read them.

        Raises:
            InvalidOptions: Names the file to look into.
        """
        files = (self.settings_file, self.secrets_file)
        try:
            settings: object = load_settings(part.settings, part.name, files=files, environ=environ)
        except InvalidOptions as exc:
            end = "" if exc.message.endswith("?") else "."
            where = "" if str(self.path) in exc.message else f"{end} See {self.settings_file}"
            raise InvalidOptions(f"{exc.message}{where}", **exc.attributes) from exc
        return settings


def open_folder(path: Path) -> PartFolder:
    """
    Raises:
        NotFound: It is not the folder of a part; says what it is instead, when it can.
    """
    path = path.resolve()
    try:
        values = tomllib.loads((path / PART_FILE).read_text())
        return PartFolder(path, values["part"], values.get("version", ""))
    except FileNotFoundError:
        raise NotFound(_what_it_is_instead(path)) from None
    except (tomllib.TOMLDecodeError, KeyError) as exc:
        raise InvalidOptions(f'{path / PART_FILE} is damaged ({exc}): it takes a line such as part = "server"') from exc


def create_folder(part: "Part", path: Path, values: Mapping[str, object], *, version: str) -> PartFolder:
    """
    Args:
        path: Missing or empty.
        values: Settings and secrets by name. Secrets that are not given are generated.

    Raises:
        AlreadyExists: Something is in the folder already.
        InvalidOptions: A value does not fit; nothing was written.
    """
    path = path.resolve()
    refuse_unless_empty(path)
    declared = declared_options(part.settings)
    values = {**generate_missing(declared, values), **values}
    parsed: object = parse_options(part.settings, values, what=f"settings of {part.name}")
    plain = option_values(parsed)

    folder = PartFolder(path, part.name, version)
    for directory in (path, folder.log_file.parent, folder.pid_file.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = [_setting_lines(option, values, plain[option.name]) for option in declared if not option.secret]
    variable = env_prefix(part.name)
    header = f"# Settings of this {part.name}, read when it starts. {variable}<NAME> in the environment comes before them."
    folder.settings_file.write_text("\n\n".join([header, *settings]) + "\n")
    secrets = {option.name: plain[option.name] for option in declared if option.secret and option.name in values}
    write_secret(folder.secrets_file, toml_document(secrets))
    # Last, since it is what makes the folder a part's.
    (path / PART_FILE).write_text(toml_document({"part": part.name, "version": version}))
    return folder


def update_settings(folder: PartFolder, changes: Mapping[str, Any]) -> None:
    """
    Change settings and secrets in their files; everything else in them, comments included, stays as it is.

    Raises:
        InvalidOptions: The file is written in a way that no single line can be changed, e.g. over several lines.
    """
    secrets = tomllib.loads(folder.secrets_file.read_text())
    for name, value in changes.items():
        file = folder.secrets_file if name in secrets else folder.settings_file
        text = _with_setting(file.read_text(), name, value)
        if _parsed(text).get(name) != value:
            raise InvalidOptions(f"'{name}' in {file} cannot be changed automatically: set it to {toml_value(value)} by hand")
        write_secret(file, text) if file == folder.secrets_file else file.write_text(text)


def refuse_unless_empty(path: Path) -> None:
    """Raise AlreadyExists when something is there."""
    if path.is_file():
        raise AlreadyExists(f"{path} is a file: give a folder that is empty or does not exist yet")
    if path.is_dir() and any(path.iterdir()):
        raise AlreadyExists(f"{path} is not empty: give a folder that is empty or does not exist yet")


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET_MODE)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    temporary.rename(file)


def read_secret(file: Path) -> str:
    """Return the secret that a file holds. Raises InvalidOptions."""
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidOptions(f"The secret in {file} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if not secret:
        raise InvalidOptions(f"{file} is empty: it takes the secret and nothing else")
    if not secret.isprintable():
        raise InvalidOptions(f"{file} holds no secret: it takes the secret in one line and nothing else")
    return secret


def _what_it_is_instead(path: Path) -> str:
    if not path.exists():
        return f"There is no folder {path}: create a part in it with 'zato create', or check the path"
    if (path / CLUSTER_FILE).exists():
        return (
            f"{path} is a whole quickstart cluster: use 'zato quickstart start|stop|status {path}', or give one of its folders"
        )
    return f"{path} is not the folder of a part: there is no {PART_FILE} in it. 'zato create' makes one"


def _setting_lines(option: Option, given: Mapping[str, object], value: Any) -> str:
    # A path is written even when it is the default: in the file it is relative to the folder, not to where we start.
    is_written = option.name in given or (option.type == "path" and value is not None)
    if value is None:
        line = f"# {option.name} ="
    else:
        line = f"{'' if is_written else '# '}{option.name} = {toml_value(value)}"
    choices = f" One of: {', '.join(map(repr, option.choices))}." if option.choices else ""
    return f"# {option.help}.{choices}\n{line}"


def _with_setting(text: str, name: str, value: Any) -> str:
    line = f"{name} = {toml_value(value)}"
    for pattern in (rf"^{name}\s*=.*$", rf"^#\s*{name}\s*=.*$"):
        changed, count = re.subn(pattern, lambda _match: line, text, count=1, flags=re.MULTILINE)
        if count:
            return changed
    return f"{text.rstrip()}\n\n{line}\n"


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
