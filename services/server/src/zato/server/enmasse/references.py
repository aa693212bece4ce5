"""
Values that are kept elsewhere, and named in files:

    password: env:CRM_PASSWORD                      a variable of the environment, or of --env-file
    password: file:secrets/crm                      a file, beside the one that names it
    password: vault:secret/crm#password             a field in a Vault's key-value store: see zato.server.enmasse.vault
    password: text:env:odd                          what follows as it is, should a secret begin like the others
    password: Zato_Enmasse_Env.CRM_PASSWORD         a variable, as files for 3.x name it
    host: https://${CRM_HOST}:8443                  a variable inside any text; $${ stands for ${ itself

The first four are for secrets only: other texts may begin like that.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zato.server.enmasse.vault import Vault

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PUBLISHED = re.compile(r"Zato_?Enmasse_?Env\.(.+)")
_PUBLISHED_VARIABLE_PREFIX = "Zato_Enmasse_Env_"
# Files for 3.x name a variable by this alone, where it is the whole value.
_DOLLAR = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class References:
    """`environ` is where variables are looked for."""

    environ: Mapping[str, str]

    @cached_property
    def _vault(self) -> "Vault":
        # Few files name one, and its client takes its time to be imported.
        from zato.server.enmasse.vault import Vault

        return Vault(self.environ)

    def resolve(self, value: Any, folder: Path, *, is_secret: bool = False, is_published: bool = False) -> Any:
        """
        Return a value with what it refers to.

        Args:
            folder: Where the file is that has the value.
            is_published: It is in a section as files for 2.0 and 3.x have them.

        Raises:
            ValueError: A variable is not set, a file can't be read, or Vault does not answer; says which.
        """
        if isinstance(value, list):
            return [self.resolve(each, folder, is_secret=is_secret, is_published=is_published) for each in value]
        if not isinstance(value, str):
            return value
        if found := _PUBLISHED.fullmatch(value):
            return self._variable(found[1], _PUBLISHED_VARIABLE_PREFIX + found[1])
        if is_published and (found := _DOLLAR.fullmatch(value)):
            return self._variable(found[1])
        scheme, colon, rest = value.partition(":")
        if is_secret and colon and scheme in _schemes:
            return _schemes[scheme](self, rest, folder)
        return _VARIABLE.sub(lambda match: self._variable(match[1]) if match[1] else "${", value)

    def variable(self, name: str, _folder: Path) -> str:
        return self._variable(name)

    def file(self, name: str, folder: Path) -> str:
        try:
            return (folder / Path(name).expanduser()).read_text().rstrip("\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise ValueError(f"the file {name} cannot be read: {getattr(exc, 'strerror', None) or exc}") from None

    def vault(self, reference: str, _folder: Path) -> str:
        return self._vault.read(reference)

    def text(self, text: str, _folder: Path) -> str:
        return text

    def _variable(self, *names: str) -> str:
        for name in names:
            if name in self.environ:
                return self.environ[name]
        raise ValueError(f"the variable {names[0]} is not set")


_schemes: Mapping[str, Callable[[References, str, Path], str]] = {
    "env": References.variable,
    "file": References.file,
    "vault": References.vault,
    "text": References.text,
}


def is_reference(value: Any) -> bool:
    """Return whether a secret is kept elsewhere, rather than in the file itself."""
    return isinstance(value, str) and bool(re.match(r"(env|file|vault):|\$|Zato_?Enmasse_?Env\.", value))


def escaped(text: str) -> str:
    """Return a text as it has to be in a file to be read as itself."""
    return text.replace("${", "$${")


def read_env_file(file: Path) -> dict[str, str]:
    """
    Return the variables of a file with lines of NAME=VALUE.

    Raises:
        ValueError: It can't be read, or a line is no such thing.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{file} cannot be read: {getattr(exc, 'strerror', None) or exc}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#") or text == "[env]":
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(f"{file}:{number} takes NAME=VALUE")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value
