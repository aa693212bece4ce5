"""
Importing what is deployed so that several versions of one module live side by side.

A deployed module imports its siblings by name ("import models", "from orders.models import Order", "from . import models").
Each module gets an import function of its own, which finds the siblings of its own generation: while new code is being
checked, old code that runs meanwhile still finds old code, even by an import inside a function.

The modules of one package are imported all, or none of them is there.
"""

import ast
import builtins
import linecache
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from zato.server.packages.package import Package
from zato.server.services.shims import shim

_STANDARD = frozenset(sys.stdlib_module_names)
# Tells our modules from libraries in sys.modules.
_MARK = "__zato_deployed__"
_MAX_TRACEBACK = 20_000


class CannotImport(Exception):
    """
    A file or a package does not compile or can't be imported. The text is "file, line N: reason", for its author.

    Args:
        missing: The top-level module that was not found, if that was the reason.
        traceback: As Python prints it, without our own part of it; "" when there is none.
    """

    def __init__(self, reason: str, missing: str = "", traceback: str = "") -> None:
        super().__init__(reason)
        self.missing = missing
        self.traceback = traceback


def imported_names(source: bytes) -> frozenset[str]:
    """Return the top-level names that a source imports anywhere, absolute ones only. Raises SyntaxError or ValueError."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def dependents_of(
    names: Iterable[str], imports: Mapping[str, frozenset[str]], provided: Mapping[str, frozenset[str]]
) -> set[str]:
    """
    Return the packages that import one of the modules `names`, directly or through others.

    Args:
        imports: What top-level modules each package imports.
        provided: Which ones each package is.
    """
    found: set[str] = set()
    wanted = set(names)
    while wanted:
        step = {package for package, imported in imports.items() if imported & wanted} - found
        found |= step
        wanted = {module for package in step for module in provided[package]}
    return found


class Generation:
    """
    A set of packages that see one another: new ones that are imported now, and running ones that stay as they are.

    Args:
        new: To be imported.
        running: Modules that are kept, by name.
        folder: Where sources are written to, so that tracebacks show lines and `__file__` is a real file.
    """

    def __init__(self, new: Iterable[Package], running: Mapping[str, ModuleType], folder: Path) -> None:
        self._new = {package.name: package for package in new}
        self._owners = {name: package for package in self._new.values() for name in package.modules}
        self._modules: dict[str, ModuleType] = {name: module for name, module in running.items() if name not in self._owners}
        # The packages that cannot be imported, and which of their modules failed to begin with.
        self._failed: dict[str, CannotImport] = {}
        self._errors: dict[str, BaseException] = {}
        # Which package got something of which one, and which module asked for which one: (importer, imported).
        self._given: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, str]] = set()
        self._folder = folder
        self._roots: dict[str, Path] = {}
        self._staged: dict[str, ModuleType | None] | None = None
        self._imports: dict[str, frozenset[str]] = {}

    def load(self, package: Package) -> dict[str, ModuleType]:
        """
        Import all modules of a package, and before them whatever of other packages they ask for. Return them by name.

        Raises:
            CannotImport: With file, line and reason. Nothing of the package remains.
        """
        with self._staging():
            for name in package.services_modules:
                if package.name not in self._failed and name not in self._errors:
                    self._try_module(name)
            self._fail_if_needed(package)
        if package.name in self._failed:
            raise self._failed[package.name]
        return {name: module for name, module in self._modules.items() if self._owners.get(name) is package}

    def imports_of(self, package: Package) -> frozenset[str]:
        """Return the top-level names that the modules which are loaded import from outside the package."""
        names = (self._imports.get(name, frozenset()) for name in package.modules)
        return frozenset().union(*names) - package.top_level

    def half_imported(self) -> dict[str, CannotImport]:
        """
        Return the packages that hold something of one which failed later, and why.

        In a circle one gets the other while that is being imported; when it then fails, the first has half a module.
        """
        found: dict[str, CannotImport] = {}
        while True:
            broken = self._failed | found
            step = {importer: broken[name] for importer, name in self._given if name in broken and importer not in broken}
            if not step:
                return found
            found |= {
                name: CannotImport(f"{name}: it imports what cannot be imported: {why}", why.missing, why.traceback)
                for name, why in step.items()
            }

    def module(self, name: str) -> ModuleType:
        """
        Return a module, imported now if need be, and its parents before it.

        Raises:
            CannotImport: It is of a package that failed already.
            BaseException: Whatever the module raises.
        """
        package = self._owners.get(name)
        if package is not None and package.name in self._failed:
            raise self._failed[package.name]
        if name not in self._modules:
            parent = self.module(name.rpartition(".")[0]) if "." in name else None
            # Its parent may have imported it.
            if name not in self._modules:
                with self._staging():
                    self._import(self._owners[name], name)
            if parent is not None:
                setattr(parent, name.rpartition(".")[2], self._modules[name])
        return self._modules[name]

    def _try_module(self, name: str) -> None:
        try:
            self.module(name)
        except (Exception, SystemExit) as exc:
            self._errors.setdefault(name, exc)

    def _fail_if_needed(self, package: Package) -> None:
        """A module that cannot be imported fails its package, unless others asked for it and can do without."""
        failed = {name: exc for name, exc in self._errors.items() if self._owners.get(name) is package}
        for name, exc in failed.items():
            is_optional = isinstance(exc, ImportError) and any(
                asked == name and importer in self._modules for importer, asked in self._asked
            )
            if not is_optional:
                self._fail(package, exc)
                return

    def _fail(self, package: Package, exc: BaseException) -> CannotImport:
        if package.name not in self._failed:
            self._failed[package.name] = _explain(package, self._root(package), exc)
        return self._failed[package.name]

    def _import(self, package: Package, name: str) -> None:
        path = package.modules[name]
        module = self._new_module(package, name)
        self._modules[name] = module
        self._stage(module)
        try:
            if path:
                file = self._root(package) / path
                source = file.read_bytes()
                code = compile(source, str(file), "exec", dont_inherit=True)
                self._imports[name] = imported_names(source)
                exec(code, module.__dict__)  # noqa: S102 (this is what we are for)  # nosec B102
            self._errors.pop(name, None)
        except BaseException as exc:
            self._modules.pop(name, None)
            if isinstance(exc, Exception | SystemExit):
                self._errors.setdefault(name, exc)
            raise

    def _new_module(self, package: Package, name: str) -> ModuleType:
        path, root = package.modules[name], self._root(package)
        module = ModuleType(_module_name(name))
        is_package = path == "" or path.endswith("/__init__.py")
        location = str(root / path) if path else None
        # Of a folder without an __init__.py this is no file; resources are looked for beside it.
        loader = _Loader(module, location or str(root / name.replace(".", "/") / "__init__.py"))
        spec = ModuleSpec(module.__name__, loader, origin=location, is_package=is_package)
        spec.has_location = bool(location)
        module.__spec__, module.__loader__ = spec, spec.loader
        module.__package__ = module.__name__ if is_package else module.__name__.rpartition(".")[0]
        if location:
            module.__file__ = location
        if is_package:
            module.__path__ = _Path([str(root / name.replace(".", "/"))], self, name)
            spec.submodule_search_locations = module.__path__
        setattr(module, _MARK, package.version)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._importer(package, name, is_package=is_package)}
        return module

    def _root(self, package: Package) -> Path:
        if package.name not in self._roots:
            self._roots[package.name] = _write(package, self._folder)
        return self._roots[package.name]

    @contextmanager
    def _staging(self) -> Iterator[None]:
        """Let what is imported find itself in sys.modules: dataclasses, type hints and resources look there."""
        if self._staged is not None:
            yield
            return
        self._staged = {}
        try:
            yield
        finally:
            for name, module in self._staged.items():
                _restore(name, module)
            self._staged = None

    def _stage(self, module: ModuleType) -> None:
        assert self._staged is not None
        self._staged.setdefault(module.__name__, sys.modules.get(module.__name__))
        sys.modules[module.__name__] = module

    def _importer(self, package: Package, importer: str, *, is_package: bool) -> Callable[..., Any]:
        def import_sibling_or_library(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            wanted = _absolute(importer, name, level, fromlist, is_package=is_package) if level else name
            top = wanted.partition(".")[0]
            if self._knows(wanted) and top not in _STANDARD:
                module = self._give(package, importer, wanted)
                for item in _listed(module, fromlist):
                    if not hasattr(module, item) and self._knows(f"{wanted}.{item}"):
                        self._give(package, importer, f"{wanted}.{item}")
                return module if fromlist or level else self._modules[top]
            if level or (self._knows(top) and "." in wanted and hasattr(self.module(top), "__path__")):
                raise ModuleNotFoundError(f"No module named {wanted!r}", name=wanted)
            try:
                return builtins.__import__(name, globals, locals, tuple(fromlist or ()), 0)
            except ModuleNotFoundError as exc:
                # Of a.b.c the first one that is not there may be a.b.
                stand_in = shim(name) if exc.name and f"{name}.".startswith(f"{exc.name}.") else None
                if stand_in is None:
                    raise
                return stand_in

        return import_sibling_or_library

    def _knows(self, name: str) -> bool:
        return name in self._modules or name in self._owners

    def _give(self, package: Package, importer: str, name: str) -> ModuleType:
        """Return a module to one that asks for it; another package's fails as a whole, one of its own as Python has it."""
        owner = self._owners.get(name)
        if owner is None:
            return self._modules[name]
        self._asked.add((importer, name))
        if owner is package:
            return self.module(name)
        try:
            module = self.module(name)
        except CannotImport:
            raise
        except (Exception, SystemExit) as exc:
            raise self._fail(owner, exc) from exc
        self._given.add((package.name, owner.name))
        return module


class _Path(list[str]):
    """Where a package's modules are, by which the finder below knows whose they are."""

    def __init__(self, folders: Iterable[str], generation: Generation, name: str) -> None:
        super().__init__(folders)
        self.generation = generation
        self.name = name


class _Loader(SourceFileLoader):
    """Hands out a module that is there already. Of Python's own loader it has what reads sources and resources."""

    def __init__(self, module: ModuleType, path: str) -> None:
        super().__init__(module.__name__, path)
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed when it was found."""


class _Finder:
    """Finds modules of deployed packages for `importlib.import_module`, which asks no import function of ours."""

    @staticmethod
    def find_spec(name: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if not isinstance(path, _Path):
            return None
        wanted = f"{path.name}.{name.rpartition('.')[2]}"
        return path.generation.module(wanted).__spec__ if path.generation._knows(wanted) else None


sys.meta_path.insert(0, _Finder())


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


def _absolute(importer: str, name: str, level: int, fromlist: Sequence[str] | None, *, is_package: bool) -> str:
    """Return the full name of a relative import. Raises ImportError where there is nothing that it could be relative to."""
    parts = importer.split(".") if is_package else importer.split(".")[:-1]
    if level > len(parts):
        names = ", ".join(fromlist or ())
        instead = f"from {name} import {names}" if name else f"import {names}"
        if "." not in importer and not is_package:
            raise ImportError(f"files of services are in no package: write '{instead}', without the dot")
        raise ImportError(f"attempted relative import beyond the top of the package: '{'.' * level}{name}'")
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{name}" if name else base


def _listed(module: ModuleType, fromlist: Sequence[str] | None) -> Iterable[str]:
    """Return what "from … import …" may mean modules by."""
    for item in fromlist or ():
        if item == "*":
            yield from (str(name) for name in getattr(module, "__all__", ()))
        else:
            yield item


def _module_name(name: str) -> str:
    """A file or package may be called as a library is; it must not hide that library from everyone else."""
    top, dot, rest = name.partition(".")
    taken = sys.modules.get(top)
    is_ours = taken is not None and _MARK in vars(taken)
    if top in _STANDARD or (taken is not None and not is_ours):
        return f"deployed.{top}{dot}{rest}"
    return name


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module


def _write(package: Package, folder: Path) -> Path:
    """
    Return the folder with the package's files.

    All workers of a server write the same files, each version to a folder of its own, which is there whole or not at all.
    """
    root = folder / package.digest[:16]
    if not (root / package.name if package.is_file else root).exists():
        temporary = folder / f"{package.digest[:16]}.{os.getpid()}.tmp"
        for path, content in package.files.items():
            file = temporary / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        _move(temporary, root, package)
    for path in package.modules.values():
        linecache.checkcache(str(root / path))
    return root


def _move(temporary: Path, root: Path, package: Package) -> None:
    """Two files of the same content share a folder, so one may have to go to where the other is."""
    try:
        temporary.rename(root)
    except OSError:
        if not root.is_dir():
            raise
        if package.is_file:
            (temporary / package.name).replace(root / package.name)
        shutil.rmtree(temporary, ignore_errors=True)


def _explain(package: Package, root: Path, exc: BaseException) -> CannotImport:
    said = _traceback(root, exc)
    if isinstance(exc, CannotImport):
        return CannotImport(f"{package.name}: it imports what cannot be imported: {exc}", exc.missing, exc.traceback or said)
    if isinstance(exc, SyntaxError) and (exc.filename or "").startswith(f"{root}/"):
        return CannotImport(f"{exc.filename[len(str(root)) + 1 :]}, line {exc.lineno}: {exc.msg}", traceback=said)  # type: ignore[index]
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename.startswith(f"{root}/")]
    where = f"{frames[-1].filename[len(str(root)) + 1 :]}, line {frames[-1].lineno}" if frames else package.name
    missing = (exc.name or "").partition(".")[0] if isinstance(exc, ModuleNotFoundError) else ""
    # What it should have itself nobody else can bring.
    missing = "" if missing in package.top_level else missing
    name = type(exc).__name__
    return CannotImport(f"{where}: {name}: {exc}" if str(exc) else f"{where}: {name}", missing, said)


def _traceback(root: Path, exc: BaseException) -> str:
    """Return the traceback as its author would see it: by the paths of the package, and without our own part."""
    shown = traceback.TracebackException.from_exception(exc)
    _without_ours(shown, set())
    text = "".join(shown.format()).replace(f"{root}/", "")
    return text if len(text) <= _MAX_TRACEBACK else f"{text[: _MAX_TRACEBACK // 2]}\n…\n{text[-_MAX_TRACEBACK // 2 :]}"


def _without_ours(shown: traceback.TracebackException, seen: set[int]) -> None:
    if id(shown) in seen:
        return
    seen.add(id(shown))
    ours = (__file__, "<frozen importlib._bootstrap>")
    shown.stack = traceback.StackSummary.from_list([frame for frame in shown.stack if frame.filename not in ours])
    for other in (shown.__cause__, shown.__context__):
        if other is not None:
            _without_ours(other, seen)
