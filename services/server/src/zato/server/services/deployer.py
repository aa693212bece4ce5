"""What a worker makes of what is deployed: new code is imported and checked before it is swapped in."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType

from gevent.lock import RLock

from zato.common.logs import get_logger
from zato.server.packages.package import Package
from zato.server.services.finding import NotDeployable, services_in
from zato.server.services.modules import CannotImport, Generation, dependents_of, imported_names, main_module, publish
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.schemas import Schemas
from zato.server.services.store import ServiceEntry, ServiceStore

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one file or package in this worker.

    Args:
        version: The version that was asked for.
        version_running: The one that runs, 0 for none.
        reason: File, line and reason when they are not the same.
        missing: The sibling module that it waits for, if that is the reason.
        traceback: For its author; "" when there is none.
    """

    file_name: str
    version: int
    version_running: int
    reason: str = ""
    missing: str = ""
    traceback: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    Args:
        modules: By their names; all of the package's that could be imported.
        imports: Top-level names that they import from elsewhere.
    """

    package: Package
    modules: Mapping[str, ModuleType]
    services: tuple[ServiceEntry, ...]
    imports: frozenset[str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What a package needs beside it to be tried.

    Args:
        packages: Those that it imports, directly or not, and those that have a module of the same name.
        services: Which other package has each service.
    """

    packages: tuple[Package, ...]
    services: Mapping[str, str]


class Deployer:
    """
    Args:
        folder: Private to the server; deployed sources are written to it.
        older: Returns the earlier versions of a package, the newest first. Where the newest one can't be imported and none
            runs yet, as after a restart, one of these does.
        schemas: Compiles the JSON Schemas that services name.
        allowed: Names that services may have; others are left out.
        calls_hooks: Whether classes are told that they were added.
    """

    def __init__(
        self,
        store: ServiceStore,
        folder: Path,
        older: Callable[[Package], Iterable[Package]] = lambda package: (),
        schemas: Schemas | None = None,
        allowed: NamePatterns | None = None,
        *,
        calls_hooks: bool = True,
    ) -> None:
        self._schemas = schemas or Schemas()
        self._allowed = allowed
        self._store = store
        self._folder = folder
        self._older = older
        self._calls_hooks = calls_hooks
        # What a module does while it is imported may let other greenlets run.
        self._lock = RLock()
        self._running: Mapping[str, Loaded] = {}
        self._waiting: dict[str, Package] = {}

    @property
    def file_names(self) -> frozenset[str]:
        """Files and packages that run here, or wait for what they import."""
        return frozenset(self._running) | frozenset(self._waiting)

    def apply(self, changed: Iterable[Package], removed: Mapping[str, int] = MappingProxyType({})) -> list[Outcome]:
        """
        Take up what changed and drop what was removed, each package whole or not at all.

        What failed earlier is tried again, so the order of deployments does not matter; what imports a changed one is
        imported anew. Whatever fails keeps its running version.

        Args:
            removed: The version of each removed one that says so.
        """
        with self._lock:
            return self._apply(changed, removed)

    def check(self, package: Package, others: Mapping[str, str] = MappingProxyType({})) -> Outcome:
        """
        Try one package, and what depends on it, without using any of it.

        Args:
            others: Which other package has each service that is not here.
        """
        with self._lock:
            affected = self._affected({package.name: package}, (), self._running)
            _, failures = self._load({package.name: package}, affected, self._running, others)
            return self._outcome(package, failures.get(package.name))

    def surroundings(self, package: Package) -> Surroundings:
        """Return what somebody needs, beside the package, to try it elsewhere."""
        owners: dict[str, list[Loaded]] = {}
        for loaded in self._running.values():
            for top in loaded.package.top_level:
                owners.setdefault(top, []).append(loaded)
        shared = package.top_level & owners.keys()
        # Those that import what this one has as well would no longer know which one they mean.
        wanted = [loaded for loaded in self._running.values() if loaded.imports & shared]
        wanted += [loaded for top in sorted(_imports(package) | shared) for loaded in owners.get(top, ())]
        needed: dict[str, Loaded] = {}
        while wanted:
            loaded = wanted.pop()
            if loaded.package.name not in needed and loaded.package.name != package.name:
                needed[loaded.package.name] = loaded
                wanted += [other for top in sorted(loaded.imports) for other in owners.get(top, ())]
        services = {entry.name: name for name, loaded in self._running.items() for entry in loaded.services}
        return Surroundings(tuple(loaded.package for loaded in needed.values()), services)

    def version_running(self, name: str) -> int:
        """Return the version of a package that runs here, 0 for none."""
        return self._running[name].package.version if name in self._running else 0

    def _apply(self, changed: Iterable[Package], removed: Mapping[str, int]) -> list[Outcome]:
        wanted = {**self._waiting, **{package.name: package for package in changed}}
        wanted = {name: package for name, package in wanted.items() if name not in removed}
        kept = {name: loaded for name, loaded in self._running.items() if name not in removed}
        affected = self._affected(wanted, removed, kept)
        loaded, failures = self._load(wanted, affected, kept)
        self._load_older(wanted, kept, loaded, failures)
        self._swap({**kept, **loaded})
        self._waiting = {name: wanted[name] for name in failures if name in wanted}
        # A dependent that fails with the new sibling goes on with the old one; its author should know.
        reported = {**affected, **wanted}
        outcomes = [
            self._outcome(package, failures.get(name))
            for name, package in reported.items()
            if name in wanted or name in failures
        ]
        return outcomes + [Outcome(name, version, 0) for name, version in removed.items()]

    def _load_older(
        self,
        wanted: Mapping[str, Package],
        kept: Mapping[str, Loaded],
        loaded: dict[str, Loaded],
        failures: dict[str, CannotImport],
    ) -> None:
        """Of what fails and has no running version, take up the newest version that does not fail."""
        older = {name: list(self._older(wanted[name])) for name in failures if name in wanted and name not in kept}
        while any(older.values()):
            # With each step back of one, others that import it may do as they are.
            trial = {name: packages.pop(0) if packages else wanted[name] for name, packages in older.items()}
            now, failed = self._load(trial, {}, {**kept, **loaded})
            loaded.update(now)
            for name in now:
                if trial[name].version == wanted[name].version:
                    del failures[name]
            older = {name: older[name] for name in failed}

    def _affected(
        self, wanted: Mapping[str, Package], removed: Iterable[str], kept: Mapping[str, Loaded]
    ) -> dict[str, Package]:
        replaced = [self._running[name].package for name in (*wanted, *removed) if name in self._running]
        touched = {top for package in (*wanted.values(), *replaced) for top in package.top_level}
        imports = {name: loaded.imports for name, loaded in kept.items()}
        provided = {name: loaded.package.top_level for name, loaded in kept.items()}
        dependents = dependents_of(touched, imports, provided)
        return {name: loaded.package for name, loaded in kept.items() if name in dependents and name not in wanted}

    def _load(
        self,
        wanted: Mapping[str, Package],
        affected: Mapping[str, Package],
        kept: Mapping[str, Loaded],
        others: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[dict[str, Loaded], dict[str, CannotImport]]:
        new = {**affected, **wanted}
        staying: set[str] = set()
        while True:
            loaded, failures = self._load_once(new, kept, staying, others)
            # What fails goes on with its running version, so its services keep their names.
            names = {entry.name for each in loaded.values() for entry in each.services}
            clashing = {name for name in failures if name in kept and any(each.name in names for each in kept[name].services)}
            if not clashing - staying:
                return loaded, failures
            staying |= clashing

    def _load_once(
        self, new: Mapping[str, Package], kept: Mapping[str, Loaded], staying: set[str], others: Mapping[str, str]
    ) -> tuple[dict[str, Loaded], dict[str, CannotImport]]:
        remaining = [loaded for name, loaded in kept.items() if name not in new or name in staying]
        failures = _clashing_modules(new, kept, remaining)
        possible = [package for name, package in new.items() if name not in failures]
        running = {name: loaded.modules for name, loaded in kept.items() if name not in new}
        generation = Generation(possible, running, self._folder)
        taken = {**others, **{entry.name: entry.file_name for loaded in remaining for entry in loaded.services}}
        loaded_now: dict[str, Loaded] = {}
        for package in possible:
            try:
                loaded_now[package.name] = self._load_package(generation, package, taken)
            except CannotImport as exc:
                failures[package.name] = exc
        for name, why in generation.half_imported().items():
            if loaded_now.pop(name, None) is not None:
                failures[name] = why
        return loaded_now, failures

    def _swap(self, running: Mapping[str, Loaded]) -> None:
        before = {entry.cls for loaded in self._running.values() for entry in loaded.services}
        replaced = [module for loaded in self._running.values() for module in loaded.modules.values()]
        self._running = running
        publish({name: loaded.modules for name, loaded in running.items()}, replaced)
        services = [entry for loaded in running.values() for entry in loaded.services]
        self._store.replace_deployed(services)
        for entry in services:
            if self._calls_hooks and entry.cls not in before:
                _call_after_add_to_store(entry)

    def _outcome(self, package: Package, failure: CannotImport | None) -> Outcome:
        version_running = self.version_running(package.name)
        if failure is None:
            return Outcome(package.name, package.version, version_running)
        return Outcome(
            package.name, package.version, version_running, str(failure), failure.missing, traceback=failure.traceback
        )

    def _load_package(self, generation: Generation, package: Package, taken: dict[str, str]) -> Loaded:
        modules = generation.load(package)
        services: dict[str, ServiceEntry] = {}
        for name in package.services_modules:
            for entry in self._find(package, name, modules[name]) if name in modules else ():
                if taken.get(entry.name, package.name) != package.name:
                    raise CannotImport(
                        f"{package.modules[name]}: service '{entry.name}' is already defined in {taken[entry.name]}: "
                        "name one of them differently"
                    )
                if other := services.get(entry.name):
                    raise CannotImport(
                        f"{package.modules[name]}: service '{entry.name}' is already defined by {other.impl_name}: "
                        "name one of them differently"
                    )
                services[entry.name] = entry
        taken.update(dict.fromkeys(services, package.name))
        return Loaded(package, modules, tuple(services.values()), generation.imports_of(package))

    def _find(self, package: Package, name: str, module: ModuleType) -> list[ServiceEntry]:
        path = package.modules[name]
        try:
            return services_in(
                module,
                name,
                file_name=package.name,
                version=package.version,
                schemas=self._schemas,
                allowed=self._allowed,
            )
        except NotDeployable as exc:
            where = f"{path}, line {exc.line}" if exc.line else path
            raise CannotImport(f"{where}: {exc}") from exc
        except Exception as exc:  # hooks and get_name() are the author's code
            raise CannotImport(f"{path}: {type(exc).__name__}: {exc}") from exc


def _imports(package: Package) -> frozenset[str]:
    """Return what a package that is not imported yet imports from elsewhere, as far as it can be read."""
    files, found = package.files, frozenset[str]()
    for path in package.modules.values():
        with contextlib.suppress(SyntaxError, ValueError):
            found |= imported_names(files.get(path, b""))
    return found - package.top_level


def _clashing_modules(
    new: Mapping[str, Package], kept: Mapping[str, Loaded], remaining: Iterable[Loaded]
) -> dict[str, CannotImport]:
    """Return the packages with a module that others have too, where somebody who imports it could mean only one of them."""
    owners: dict[str, list[str]] = {}
    for loaded in remaining:
        for top in loaded.package.top_level:
            owners.setdefault(top, []).append(loaded.package.name)
    failures: dict[str, CannotImport] = {}
    for package in new.values():
        others = {top: owners[top] for top in sorted(package.top_level) if set(owners.get(top, ())) - {package.name}}
        clashes = (_clash(package.name, top, names, new, kept) for top, names in others.items())
        if clash := next(filter(None, clashes), None):
            failures[package.name] = CannotImport(clash)
            continue
        for top in package.top_level:
            owners.setdefault(top, []).append(package.name)
    return failures


def _clash(name: str, top: str, others: Iterable[str], new: Mapping[str, Package], kept: Mapping[str, Loaded]) -> str:
    """Return why a package cannot have a module that others have as well, "" if it can."""
    others = [other for other in others if other != name]
    main = next((other for other in others if main_module(other) == top), None)
    if main is not None:
        is_refused = main_module(name) == top
        advice = "call one of them differently, or undeploy the other first"
        return f"the module '{top}' is already in {main}: {advice}" if is_refused else ""
    if name in kept and top in kept[name].package.top_level:
        return ""
    for importer, loaded in kept.items():
        is_kept = new.get(importer, loaded.package) is loaded.package
        if is_kept and importer not in (name, *others) and top in loaded.imports:
            return (
                f"the module '{top}' is already in {others[0]}, from where {importer} imports it: call one of them differently"
            )
    return ""


def _call_after_add_to_store(entry: ServiceEntry) -> None:
    hook = getattr(entry.cls, "after_add_to_store", None)
    if hook is None:
        return
    try:
        hook(log)
    except Exception:
        log.exception("after_add_to_store_failed", service=entry.name)
