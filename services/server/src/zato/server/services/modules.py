"""
Importing what is deployed so that several versions of one module live side by side.

A deployed module imports its siblings by name ("import models", "from orders.models import Order", "from . import models").
Each module gets an import function of its own, which finds the siblings of its own generation: while new code is being
checked, old code that runs meanwhile still finds old code, even by an import inside a function.

Each package is a namespace of its own: "import models" means its own models, whatever others have. What it does not have
itself comes from the others: from the file or the package of that name, else from the only one that has such a module.

The modules of one package are imported all, or none of them is there.
"""

import ast
import builtins
import linecache
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from zato.server.packages.package import Package
from zato.server.services.shims import shim

_STANDARD = frozenset(sys.stdlib_module_names)
# Tells our modules from libraries in sys.modules.
_MARK = "__zato_deployed__"
# Modules that cannot have their plain names in the process are below this one.
_NAMESPACE = "deployed"
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


class _Key(NamedTuple):
    """Names one module of one package, e.g. ("orders", "orders.models")."""

    package: str
    module: str

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def is_main(self) -> bool:
        return self.top == main_module(self.package)


def main_module(package: str) -> str:
    """Return the module that a file or package is called after; no other one may be called so too."""
    return package.removesuffix(".py")


class Generation:
    """
    A set of packages that see one another: new ones that are imported now, and running ones that stay as they are.

    Args:
        new: To be imported.
        running: Modules that are kept, by package and name.
        folder: Where sources are written to, so that tracebacks show lines and `__file__` is a real file.
    """

    def __init__(self, new: Iterable[Package], running: Mapping[str, Mapping[str, ModuleType]], folder: Path) -> None:
        self._new = {package.name: package for package in new}
        kept = {package: modules for package, modules in running.items() if package not in self._new}
        self._modules = {_Key(package, name): module for package, modules in kept.items() for name, module in modules.items()}
        names = {_Key(package.name, name) for package in self._new.values() for name in package.modules} | set(self._modules)
        self._known = frozenset(names)
        # Which packages have a top-level module, sorted.
        self._providers: dict[str, list[str]] = {}
        for key in sorted(names):
            if key.module == key.top:
                self._providers.setdefault(key.top, []).append(key.package)
        # The packages that cannot be imported, and which of their modules failed to begin with.
        self._failed: dict[str, CannotImport] = {}
        self._errors: dict[_Key, BaseException] = {}
        # Which package got something of which one, and which module asked for which one: (importer, imported).
        self._given: set[tuple[str, str]] = set()
        self._asked: set[tuple[_Key, _Key]] = set()
        self._folder = folder
        self._roots: dict[str, Path] = {}
        self._staged: dict[str, ModuleType | None] | None = None
        self._imports: dict[_Key, frozenset[str]] = {}

    def load(self, package: Package) -> dict[str, ModuleType]:
        """
        Import all modules of a package, and before them whatever of other packages they ask for. Return them by name.

        Raises:
            CannotImport: With file, line and reason. Nothing of the package remains.
        """
        with self._staging():
            for name in package.services_modules:
                key = _Key(package.name, name)
                if package.name not in self._failed and key not in self._errors:
                    self._try_module(key)
            self._fail_if_needed(package)
        if package.name in self._failed:
            raise self._failed[package.name]
        return {key.module: module for key, module in self._modules.items() if key.package == package.name}

    def imports_of(self, package: Package) -> frozenset[str]:
        """Return the top-level names that the modules which are loaded import from outside the package."""
        names = (self._imports.get(_Key(package.name, name), frozenset()) for name in package.modules)
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

    def has(self, key: _Key) -> bool:
        return key in self._known

    def module(self, key: _Key) -> ModuleType:
        """
        Return a module, imported now if need be, and its parents before it.

        Raises:
            CannotImport: It is of a package that failed already.
            BaseException: Whatever the module raises.
        """
        if key.package in self._failed:
            raise self._failed[key.package]
        if key not in self._modules:
            parent_name, _, last = key.module.rpartition(".")
            parent = self.module(_Key(key.package, parent_name)) if parent_name else None
            # Its parent may have imported it.
            if key not in self._modules:
                with self._staging():
                    self._import(key)
            if parent is not None:
                setattr(parent, last, self._modules[key])
        return self._modules[key]

    def _try_module(self, key: _Key) -> None:
        try:
            self.module(key)
        except (Exception, SystemExit) as exc:
            self._errors.setdefault(key, exc)

    def _fail_if_needed(self, package: Package) -> None:
        """A module that cannot be imported fails its package, unless others asked for it and can do without."""
        failed = {key: exc for key, exc in self._errors.items() if key.package == package.name}
        for key, exc in failed.items():
            is_optional = isinstance(exc, ImportError) and any(
                asked == key and importer in self._modules for importer, asked in self._asked
            )
            if not is_optional:
                self._fail(package, exc)
                return

    def _fail(self, package: Package, exc: BaseException) -> CannotImport:
        if package.name not in self._failed:
            self._failed[package.name] = _explain(package, self._root(package), exc)
        return self._failed[package.name]

    def _import(self, key: _Key) -> None:
        package = self._new[key.package]
        path = package.modules[key.module]
        module = self._new_module(package, key)
        self._modules[key] = module
        self._stage(key, module)
        try:
            if path:
                file = self._root(package) / path
                source = file.read_bytes()
                code = compile(source, str(file), "exec", dont_inherit=True)
                self._imports[key] = imported_names(source)
                exec(code, module.__dict__)  # noqa: S102 (this is what we are for)  # nosec B102
            self._errors.pop(key, None)
        except BaseException as exc:
            self._modules.pop(key, None)
            if isinstance(exc, Exception | SystemExit):
                self._errors.setdefault(key, exc)
            raise

    def _new_module(self, package: Package, key: _Key) -> ModuleType:
        path, root = package.modules[key.module], self._root(package)
        module = ModuleType(_module_name(key))
        is_package = path == "" or path.endswith("/__init__.py")
        location = str(root / path) if path else None
        # Of a folder without an __init__.py this is no file; resources are looked for beside it.
        loader = _Loader(module, location or str(root / key.module.replace(".", "/") / "__init__.py"))
        spec = ModuleSpec(module.__name__, loader, origin=location, is_package=is_package)
        spec.has_location = bool(location)
        module.__spec__, module.__loader__ = spec, spec.loader
        module.__package__ = module.__name__ if is_package else module.__name__.rpartition(".")[0]
        if location:
            module.__file__ = location
        if is_package:
            module.__path__ = _Path([str(root / key.module.replace(".", "/"))], self, key)
            spec.submodule_search_locations = module.__path__
        setattr(module, _MARK, package.version)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._importer(key, is_package=is_package)}
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

    def _stage(self, key: _Key, module: ModuleType) -> None:
        assert self._staged is not None
        is_shared = len(self._providers[key.top]) > 1
        for name in {module.__name__} if is_shared else _names_in_process(key.module, module):
            self._staged.setdefault(name, sys.modules.get(name))
            _enter(name, module)

    def _importer(self, importer: _Key, *, is_package: bool) -> Callable[..., Any]:
        def import_sibling_or_library(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            wanted = _absolute(importer.module, name, level, fromlist, is_package=is_package) if level else name
            top = wanted.partition(".")[0]
            package = self._provider(importer.package, top) if top not in _STANDARD or level else None
            if package is not None and self.has(key := _Key(package, wanted)):
                module = self._give(importer, key)
                for item in _listed(module, fromlist):
                    if not hasattr(module, item) and self.has(part := _Key(package, f"{wanted}.{item}")):
                        self._give(importer, part)
                return module if fromlist or level else self._modules[_Key(package, top)]
            if level or (package and "." in wanted and hasattr(self.module(_Key(package, top)), "__path__")):
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

    def _provider(self, importer: str, top: str) -> str | None:
        """Return the package whose module an importer means; None if no package has it. Raises ImportError if two do."""
        providers = self._providers.get(top, [])
        if importer in providers:
            return importer
        main = [package for package in providers if main_module(package) == top]
        found = main or providers
        if len(found) > 1:
            raise ImportError(
                f"the module '{top}' is in {found[0]} and in {found[1]}: call one of them differently, or import it as a part "
                "of a module that one of them has alone",
                name=top,
            )
        return found[0] if found else None

    def _give(self, importer: _Key, key: _Key) -> ModuleType:
        """Return a module to one that asks for it; another package's fails as a whole, one of its own as Python has it."""
        owner = self._new.get(key.package)
        if owner is None:
            return self._modules[key]
        self._asked.add((importer, key))
        if key.package == importer.package:
            return self.module(key)
        try:
            module = self.module(key)
        except CannotImport:
            raise
        except (Exception, SystemExit) as exc:
            raise self._fail(owner, exc) from exc
        self._given.add((importer.package, key.package))
        return module


class _Path(list[str]):
    """Where a package's modules are, by which the finder below knows whose they are."""

    def __init__(self, folders: Iterable[str], generation: Generation, key: _Key) -> None:
        super().__init__(folders)
        self.generation = generation
        self.key = key


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
        wanted = path.key._replace(module=f"{path.key.module}.{name.rpartition('.')[2]}")
        return path.generation.module(wanted).__spec__ if path.generation.has(wanted) else None


sys.meta_path.insert(0, _Finder())


def publish(live: Mapping[str, Mapping[str, ModuleType]], replaced: Iterable[ModuleType] = ()) -> None:
    """
    Let the rest of the process find the live modules by name: pickle, `importlib.import_module`, type hints.

    Args:
        live: By package, and by the name that they are imported by.
        replaced: Those that were live before; what is live no more is found no more.
    """
    # To look at each module there is makes a worker's own copy of the memory that they are in: not where nothing is gone.
    if gone := {id(module) for module in replaced}:
        for name in [name for name, module in sys.modules.items() if id(module) in gone]:
            del sys.modules[name]
    packages = Counter(name.partition(".")[0] for modules in live.values() for name in modules if "." not in name)
    for package, modules in live.items():
        for name, module in modules.items():
            key = _Key(package, name)
            is_shared = packages[key.top] > 1
            for known_as in {module.__name__} if is_shared else _names_in_process(name, module):
                _enter(known_as, module)


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


def _module_name(key: _Key) -> str:
    """
    Return what a module is called in the process: the same whatever else is deployed, so that pickled objects find it.

    A file or package may be called as a library is; it must not hide that library from everyone else. Of what a package has
    beside the module that is called after it, other packages may have their own.
    """
    return (
        key.module
        if key.is_main and not _is_library(key.top)
        else f"{_NAMESPACE}.{key.package.removesuffix('.py')}.{key.module}"
    )


def _names_in_process(name: str, module: ModuleType) -> set[str]:
    """Return by what names the process may find a module whose name `name` only one package has."""
    return {module.__name__} if _is_library(name.partition(".")[0]) else {module.__name__, name}


def _is_library(top: str) -> bool:
    taken = sys.modules.get(top)
    return top in _STANDARD or top == _NAMESPACE or (taken is not None and _MARK not in vars(taken))


def _enter(name: str, module: ModuleType) -> None:
    """Let the process find a module. What imports it by name asks for those above it as well, as pickle does."""
    sys.modules[name] = module
    parts = name.split(".")
    if parts[0] == _NAMESPACE:
        for above in (_NAMESPACE, f"{_NAMESPACE}.{parts[1]}"):
            sys.modules.setdefault(above, _empty(above))


def _empty(name: str) -> ModuleType:
    module = ModuleType(name, "Where deployed modules are whose plain names belong to others.")
    module.__path__ = []
    return module


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
