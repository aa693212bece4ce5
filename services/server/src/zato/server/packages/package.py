"""One version of what is deployed as a whole."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from zato.server.packages.archives import names_in, unpack

# What a package has beside its services: nothing looks for services in there, and importing it may do harm.
_NOT_LOOKED_INTO = frozenset({"__main__", "setup", "conftest", "noxfile", "test", "tests"})
_INIT = "__init__"


@dataclass(frozen=True)
class Package:
    """
    A file of services, e.g. name="currency.py", or a package of modules and data, e.g. name="orders".

    Args:
        source: The file; of a package its files as one archive, as `zato.server.packages.archives.pack` makes it.
    """

    name: str
    version: int
    source: bytes

    @property
    def is_file(self) -> bool:
        return self.name.endswith(".py")

    @property
    def files(self) -> dict[str, bytes]:
        """The contents by their paths, e.g. "orders/models.py", in the order of these."""
        return {self.name: self.source} if self.is_file else unpack(self.source)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of a file; of a package that of the lines which `sha256sum` prints for its files, sorted by path."""
        if self.is_file:
            return hashlib.sha256(self.source).hexdigest()
        lines = (f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in self.files.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """The path of each module by its name, e.g. "orders.models"; "" of a folder with modules that has no __init__.py."""
        if self.is_file:
            return {self.name.removesuffix(".py"): self.name}
        return modules_in(names_in(self.source))

    @property
    def services_modules(self) -> list[str]:
        """Names of the modules that may have services, parents first."""
        if self.is_file:
            # Whoever deploys a file by itself means it, whatever it is called.
            return list(self.modules)
        return [name for name, path in sorted(self.modules.items()) if path and _is_looked_into(name)]

    @property
    def top_level(self) -> frozenset[str]:
        """What others import it as."""
        return frozenset(name for name in self.modules if "." not in name)


def modules_in(paths: Iterable[str]) -> dict[str, str]:
    """Return the modules among these files, as `Package.modules` does."""
    found: dict[str, str] = {}
    for path in map(PurePosixPath, sorted(paths)):
        names = (*path.parts[:-1], path.stem)
        if path.suffix != ".py" or not all(name.isidentifier() for name in names):
            continue
        is_package = path.stem == _INIT
        name = ".".join(names[:-1] if is_package else names)
        # As Python has it: orders/__init__.py hides orders.py.
        if name and (is_package or not found.get(name)):
            found[name] = str(path)
        for parent in _parents(name):
            found.setdefault(parent, "")
    return found


def _parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _is_looked_into(name: str) -> bool:
    return not any(part in _NOT_LOOKED_INTO or part.startswith("test_") for part in name.split("."))
