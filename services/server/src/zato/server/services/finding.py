"""Finding the services in a module, and what each is called."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from zato.common.logs import get_logger
from zato.server.service import Service
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.names import default_service_name
from zato.server.services.schemas import BadSchema, Schemas
from zato.server.services.simpleio.binding import bind
from zato.server.services.simpleio.scope import DeclarationError
from zato.server.services.simpleio.source import line_of
from zato.server.services.store import INTERNAL_PREFIX, ServiceEntry

log = get_logger(__name__)


class NotDeployable(Exception):
    """
    A class can't be used as it is; the text is for its author.

    Args:
        line: Where in its file that is, 0 if it can't be told.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def services_in(
    module: ModuleType,
    module_name: str,
    *,
    file_name: str,
    version: int,
    schemas: Schemas | None = None,
    allowed: NamePatterns | None = None,
) -> list[ServiceEntry]:
    """
    Return the services that the module defines itself: subclasses of Service that can handle something.

    Base classes without a handler are none, and so is what was imported from elsewhere.

    Args:
        allowed: Services with other names are left out.

    Raises:
        NotDeployable: A class has a reserved name or a bad schema, two have the same name, or one declares an input or
            output that makes no sense.
    """
    entries: dict[str, ServiceEntry] = {}
    for cls in _own_classes(module):
        try:
            entry = describe_service(cls, module_name, file_name=file_name, version=version)
        except DeclarationError as exc:
            line = line_of(module, cls.__name__, exc.attribute)
            raise NotDeployable(f"class {cls.__name__}: {exc}", line) from exc
        if not entry.name or entry.is_internal:
            raise NotDeployable(
                f"class {cls.__name__}: '{entry.name}' is no name for a service of yours, '{INTERNAL_PREFIX}*' is ours"
            )
        if entry.name in entries:
            other = entries[entry.name].cls.__name__
            raise NotDeployable(f"classes {other} and {cls.__name__} are both called '{entry.name}': name one differently")
        if _may_be_added(entry, allowed) and _wants_to_be_added(cls, entry):
            entries[entry.name] = _with_schema(entry, schemas or Schemas())
    return list(entries.values())


def describe_service(cls: type[Service], module_name: str, *, file_name: str = "", version: int = 0) -> ServiceEntry:
    # The file's own name counts, not what the module is called inside; the class may decide for itself.
    name = cls.get_name() or default_service_name(module_name, cls.__name__)
    verbs = frozenset(verb.removeprefix("handle_") for verb in dir(cls) if verb.startswith("handle_") and verb[7:].isupper())
    return ServiceEntry(name, f"{module_name}.{cls.__name__}", cls, file_name, version, verbs, io=bind(cls, Service))


def _with_schema(entry: ServiceEntry, schemas: Schemas) -> ServiceEntry:
    try:
        check = schemas.compile(entry.cls.schema)
    except BadSchema as exc:
        raise NotDeployable(f"class {entry.cls.__name__}: {exc}") from exc
    return replace(entry, check_input=check) if check else entry


def _own_classes(module: ModuleType) -> Iterator[type[Service]]:
    # A class may have several names in its module.
    for cls in dict.fromkeys(value for value in vars(module).values() if inspect.isclass(value)):
        if not issubclass(cls, Service) or cls.__module__ != module.__name__:
            continue
        if cls.can_handle() and not hasattr(cls, "zato_dont_import"):
            yield cls


def _may_be_added(entry: ServiceEntry, allowed: NamePatterns | None) -> bool:
    if allowed is None or allowed.allows(entry.name):
        return True
    log.warning("service_not_added", service=entry.name, reason="deploy_patterns_allowed in the settings forbids it")
    return False


def _wants_to_be_added(cls: type[Service], entry: ServiceEntry) -> bool:
    hook = getattr(cls, "before_add_to_store", None)
    if hook is None:
        return True
    if hook(log):
        return True
    log.info("service_not_added", service=entry.name, reason="before_add_to_store did not return True")
    return False
