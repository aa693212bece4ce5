"""
Importing files of services so that several versions of one module live side by side.

A deployed module imports its siblings by bare name ("import models"). Each module gets an import function of its own,
which finds the siblings of its own generation: while new code is being checked, old code that runs meanwhile
still finds old code, even by an import inside a function.
"""

import ast
import builtins
import hashlib
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from zato.server.services.shims import shim

_STANDARD = frozenset(sys.stdlib_module_names)
# Tells our modules from libraries in sys.modules.
_MARK = "__zato_deployed__"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One version of one file of services, e.g. name="currency.py"."""

    name: str
    version: int
    source: bytes

    @property
    def module_name(self) -> str:
        return self.name.removesuffix(".py")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.source).hexdigest()


class CannotImport(Exception):
    """
    A file does not compile or can't be imported. The text is "file, line N: reason", for its author.

    `missing` is the top-level module that was not found, if that was the reason.
    """

    def __init__(self, reason: str, missing: str = "") -> None:
        super().__init__(reason)
        self.missing = missing


def imported_names(source: bytes) -> frozenset[str]:
    """Return the top-level names that a source imports anywhere, absolute ones only. Raises SyntaxError or ValueError."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def dependents_of(names: Iterable[str], imports: Mapping[str, frozenset[str]]) -> set[str]:
    """Return the modules that import one of `names`, directly or through others; `imports` says who imports what."""
    found: set[str] = set()
    wanted = set(names)
    while wanted:
        step = {module for module, imported in imports.items() if imported & wanted} - found
        found |= step
        wanted = step
    return found


class Generation:
    """
    A set of modules that see one another: new ones that are imported now, and running ones that stay as they are.

    Args:
        new: Files to import.
        running: Modules that are kept, by name.
        folder: Where sources are written to, so that tracebacks show lines and `__file__` is a real file.
    """

    def __init__(self, new: Iterable[SourceFile], running: Mapping[str, ModuleType], folder: Path) -> None:
        self._new = {file.module_name: file for file in new}
        self._modules: dict[str, ModuleType] = {name: module for name, module in running.items() if name not in self._new}
        self._failed: dict[str, CannotImport] = {}
        # Who got which sibling: (importer, imported).
        self._given: set[tuple[str, str]] = set()
        self._folder = folder

    def load(self, name: str) -> ModuleType:
        """
        Import the module, and before it whichever sibling it asks for.

        Raises:
            CannotImport: With file, line and reason. Nothing of the module remains.
        """
        if name in self._failed:
            raise self._failed[name]
        if name not in self._modules:
            try:
                self._import(self._new[name])
            except CannotImport as exc:
                self._failed[name] = exc
                raise
        return self._modules[name]

    def half_imported(self) -> dict[str, CannotImport]:
        """
        Return the modules that hold a sibling which failed later, and why.

        In a circle one gets the other while that is being imported; when it then fails, the first has half a module.
        """
        found: dict[str, CannotImport] = {}
        while True:
            broken = self._failed | found
            step = {importer: broken[name] for importer, name in self._given if name in broken and importer not in broken}
            if not step:
                return found
            found |= {
                name: CannotImport(f"{name}.py: it imports a file that cannot be imported: {why}", why.missing)
                for name, why in step.items()
            }

    def _import(self, file: SourceFile) -> None:
        path = _write(file, self._folder)
        module = ModuleType(_module_name(file))
        module.__file__ = str(path)
        setattr(module, _MARK, file.version)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._importer(file.module_name)}
        self._modules[file.module_name] = module
        replaced = sys.modules.get(module.__name__)
        # Dataclasses and type hints look their module up while it is being imported.
        sys.modules[module.__name__] = module
        try:
            exec(compile(file.source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 (what we are for)  # nosec B102
        except (Exception, SystemExit) as exc:
            del self._modules[file.module_name]
            raise _explain(file, path, exc) from exc
        finally:
            _restore(module.__name__, replaced)

    def _importer(self, importer: str) -> Callable[..., Any]:
        def import_sibling_or_library(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: tuple[str, ...] = (),
            level: int = 0,
        ) -> Any:
            if level:
                raise ImportError(f"files of services are in no package: write '{_absolute(name, fromlist)}', without the dot")
            if (name in self._modules or name in self._new) and name not in _STANDARD:
                module = self._modules[name] if name in self._modules else self.load(name)
                self._given.add((importer, name))
                return module
            try:
                return builtins.__import__(name, globals, locals, fromlist, level)
            except ModuleNotFoundError as exc:
                # Of a.b.c the first one that is not there may be a.b.
                stand_in = shim(name) if exc.name and f"{name}.".startswith(f"{exc.name}.") else None
                if stand_in is None:
                    raise
                return stand_in

        return import_sibling_or_library


def publish(modules: Iterable[ModuleType], replaced: Iterable[ModuleType] = ()) -> None:
    """
    Let the rest of the process find the live modules by name: pickle, `importlib.import_module`, type hints.

    Args:
        replaced: Those that were live before; what is live no more is found no more.
    """
    for module in replaced:
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
    for module in modules:
        sys.modules[module.__name__] = module


def _absolute(name: str, fromlist: tuple[str, ...] | None) -> str:
    names = ", ".join(fromlist or ())
    return f"from {name} import {names}" if name else f"import {names}"


def _module_name(file: SourceFile) -> str:
    """A file may be called as a library is; it must not hide that library from everyone else."""
    name = file.module_name
    taken = sys.modules.get(name)
    is_ours = taken is not None and _MARK in vars(taken)
    if name in _STANDARD or (taken is not None and not is_ours):
        return f"deployed.{name}"
    return name


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module


def _write(file: SourceFile, folder: Path) -> Path:
    """All workers of a server write the same file, each version to a folder of its own."""
    path = folder / file.digest[:16] / file.name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(file.source)
        temporary.replace(path)
    linecache.checkcache(str(path))
    return path


def _explain(file: SourceFile, path: Path, exc: BaseException) -> CannotImport:
    if isinstance(exc, CannotImport):
        return CannotImport(f"{file.name}: it imports a file that cannot be imported: {exc}", exc.missing)
    if isinstance(exc, SyntaxError) and exc.filename == str(path):
        return CannotImport(f"{file.name}, line {exc.lineno}: {exc.msg}")
    lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == str(path)]
    where = f"{file.name}, line {lines[-1]}" if lines else file.name
    missing = (exc.name or "").partition(".")[0] if isinstance(exc, ModuleNotFoundError) else ""
    return CannotImport(f"{where}: {type(exc).__name__}: {exc}", missing)
