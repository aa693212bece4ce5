"""What a worker makes of the deployed files: new code is imported and checked before it is swapped in."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType

from gevent.lock import RLock

from zato.common.logs import get_logger
from zato.server.services.finding import NotDeployable, services_in
from zato.server.services.modules import CannotImport, Generation, SourceFile, dependents_of, imported_names, publish
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.schemas import Schemas
from zato.server.services.store import ServiceEntry, ServiceStore

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one file in this worker.

    Args:
        version: The version that was asked for.
        version_running: The one that runs, 0 for none.
        reason: File, line and reason when they are not the same.
        missing: The sibling module that it waits for, if that is the reason.
    """

    file_name: str
    version: int
    version_running: int
    reason: str = ""
    missing: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Loaded:
    file: SourceFile
    module: ModuleType
    services: tuple[ServiceEntry, ...]
    imports: frozenset[str]


class Deployer:
    """
    Args:
        folder: Private to the server; deployed sources are written to it.
        older: Returns the earlier versions of a file, the newest first. Where the newest one can't be imported and none
            runs yet, as after a restart, one of these does.
        schemas: Compiles the JSON Schemas that services name.
        allowed: Names that services may have; others are left out.
    """

    def __init__(
        self,
        store: ServiceStore,
        folder: Path,
        older: Callable[[SourceFile], Iterable[SourceFile]] = lambda file: (),
        schemas: Schemas | None = None,
        allowed: NamePatterns | None = None,
    ) -> None:
        self._schemas = schemas or Schemas()
        self._allowed = allowed
        self._store = store
        self._folder = folder
        self._older = older
        # What a module does while it is imported may let other greenlets run.
        self._lock = RLock()
        self._running: Mapping[str, Loaded] = {}
        self._waiting: dict[str, SourceFile] = {}

    @property
    def file_names(self) -> frozenset[str]:
        """Files that run here, or wait for what they import."""
        return frozenset(self._running) | frozenset(self._waiting)

    def apply(self, changed: Iterable[SourceFile], removed: Mapping[str, int] = MappingProxyType({})) -> list[Outcome]:
        """
        Take up changed files and drop removed ones.

        Files that failed earlier are tried again, so the order of deployments does not matter; files that import
        a changed one are imported anew. Whatever fails keeps its running version.

        Args:
            removed: The version of each removed file that says so.
        """
        with self._lock:
            return self._apply(changed, removed)

    def check(self, file: SourceFile) -> Outcome:
        """Try one file, and what depends on it, without using any of it."""
        with self._lock:
            affected = self._affected({file.name: file}, (), self._running)
            _, failures = self._load({file.name: file}, affected, self._running)
            return self._outcome(file, failures.get(file.name))

    def _apply(self, changed: Iterable[SourceFile], removed: Mapping[str, int]) -> list[Outcome]:
        wanted = {**self._waiting, **{file.name: file for file in changed}}
        wanted = {name: file for name, file in wanted.items() if name not in removed}
        kept = {name: loaded for name, loaded in self._running.items() if name not in removed}
        affected = self._affected(wanted, removed, kept)
        loaded, failures = self._load(wanted, affected, kept)
        self._load_older(wanted, kept, loaded, failures)
        self._swap({**kept, **loaded})
        self._waiting = {name: wanted[name] for name in failures if name in wanted}
        # A dependent that fails with the new sibling goes on with the old one; its author should know.
        reported = {**affected, **wanted}
        outcomes = [
            self._outcome(file, failures.get(name)) for name, file in reported.items() if name in wanted or name in failures
        ]
        return outcomes + [Outcome(name, version, 0) for name, version in removed.items()]

    def _load_older(
        self,
        wanted: Mapping[str, SourceFile],
        kept: Mapping[str, Loaded],
        loaded: dict[str, Loaded],
        failures: dict[str, CannotImport],
    ) -> None:
        """Of files that fail and have no running version, take up the newest version that does not fail."""
        older = {name: list(self._older(wanted[name])) for name in failures if name in wanted and name not in kept}
        while any(older.values()):
            # With each step back of one file, others that import it may do as they are.
            trial = {name: files.pop(0) if files else wanted[name] for name, files in older.items()}
            now, failed = self._load(trial, {}, {**kept, **loaded})
            loaded.update(now)
            for name in now:
                if trial[name].version == wanted[name].version:
                    del failures[name]
            older = {name: older[name] for name in failed}

    def _affected(
        self, wanted: Mapping[str, SourceFile], removed: Iterable[str], kept: Mapping[str, Loaded]
    ) -> dict[str, SourceFile]:
        touched = {name.removesuffix(".py") for name in (*wanted, *removed)}
        imports = {loaded.file.module_name: loaded.imports for loaded in kept.values()}
        dependents = dependents_of(touched, imports)
        return {
            name: loaded.file for name, loaded in kept.items() if loaded.file.module_name in dependents and name not in wanted
        }

    def _load(
        self, wanted: Mapping[str, SourceFile], affected: Mapping[str, SourceFile], kept: Mapping[str, Loaded]
    ) -> tuple[dict[str, Loaded], dict[str, CannotImport]]:
        new = {**affected, **wanted}
        staying: set[str] = set()
        while True:
            loaded, failures = self._load_once(new, kept, staying)
            # What fails goes on with its running version, so its services keep their names.
            names = {entry.name for each in loaded.values() for entry in each.services}
            clashing = {name for name in failures if name in kept and any(each.name in names for each in kept[name].services)}
            if not clashing - staying:
                return loaded, failures
            staying |= clashing

    def _load_once(
        self, new: Mapping[str, SourceFile], kept: Mapping[str, Loaded], staying: set[str]
    ) -> tuple[dict[str, Loaded], dict[str, CannotImport]]:
        running = {loaded.file.module_name: loaded.module for loaded in kept.values()}
        generation = Generation(new.values(), running, self._folder)
        remaining = [loaded for name, loaded in kept.items() if name not in new or name in staying]
        taken = {entry.name: entry for loaded in remaining for entry in loaded.services}
        loaded_now: dict[str, Loaded] = {}
        failures: dict[str, CannotImport] = {}
        for name, file in new.items():
            try:
                loaded_now[name] = self._load_file(generation, file, taken)
            except CannotImport as exc:
                failures[name] = exc
        for module_name, why in generation.half_imported().items():
            if loaded_now.pop(f"{module_name}.py", None) is not None:
                failures[f"{module_name}.py"] = why
        return loaded_now, failures

    def _swap(self, running: Mapping[str, Loaded]) -> None:
        before = {entry.cls for loaded in self._running.values() for entry in loaded.services}
        replaced = [loaded.module for loaded in self._running.values()]
        self._running = running
        publish([loaded.module for loaded in running.values()], replaced)
        services = [entry for loaded in running.values() for entry in loaded.services]
        self._store.replace_deployed(services)
        for entry in services:
            if entry.cls not in before:
                _call_after_add_to_store(entry)

    def _outcome(self, file: SourceFile, failure: CannotImport | None) -> Outcome:
        running = self._running.get(file.name)
        version_running = running.file.version if running is not None else 0
        if failure is None:
            return Outcome(file.name, file.version, version_running)
        return Outcome(file.name, file.version, version_running, str(failure), failure.missing)

    def _load_file(self, generation: Generation, file: SourceFile, taken: dict[str, ServiceEntry]) -> Loaded:
        module = generation.load(file.module_name)
        find = partial(services_in, module, file.module_name, schemas=self._schemas, allowed=self._allowed)
        services = _find(file, find)
        for entry in services:
            if entry.name in taken and taken[entry.name].file_name != file.name:
                other = taken[entry.name].file_name
                raise CannotImport(
                    f"{file.name}: service '{entry.name}' is already defined in {other}: name one of them differently"
                )
        taken.update((entry.name, entry) for entry in services)
        return Loaded(file, module, tuple(services), imported_names(file.source))


def _find(file: SourceFile, find: Callable[..., list[ServiceEntry]]) -> list[ServiceEntry]:
    try:
        return find(file_name=file.name, version=file.version)
    except NotDeployable as exc:
        where = f"{file.name}, line {exc.line}" if exc.line else file.name
        raise CannotImport(f"{where}: {exc}") from exc
    except Exception as exc:  # hooks and get_name() are the author's code
        raise CannotImport(f"{file.name}: {type(exc).__name__}: {exc}") from exc


def _call_after_add_to_store(entry: ServiceEntry) -> None:
    hook = getattr(entry.cls, "after_add_to_store", None)
    if hook is None:
        return
    try:
        hook(log)
    except Exception:
        log.exception("after_add_to_store_failed", service=entry.name)
