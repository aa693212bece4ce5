"""The documents of what runs now, made when somebody asks and kept until the configuration changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from zato.server.admin.services import AdminService
from zato.server.control.kinds import Kinds
from zato.server.control.state import Configuration
from zato.server.describe.admin import AdminOperation, admin_document
from zato.server.describe.channels import services_document
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.store import ServiceStore

SERVICES, ADMIN = "services", "admin"


@dataclass(slots=True)
class Documents:
    """
    Args:
        cluster: Its name, for titles.
        current: Returns the configuration that runs now.
        allowed: Services that the document for everybody shows.
    """

    cluster: str
    kinds: Kinds
    store: ServiceStore
    current: Callable[[], Configuration]
    allowed: NamePatterns
    _kept: dict[tuple[str, bool], tuple[Configuration, dict[str, Any]]] = field(default_factory=dict)

    def get(self, which: str, *, is_public: bool = False) -> dict[str, Any]:
        """
        Return the OpenAPI document of users' services or of the admin API.

        Args:
            is_public: Leave out services that the settings do not allow to be shown.
        """
        # Whatever changes, a deployment or a kind of another part too, comes with another configuration.
        now = self.current()
        known = self._kept.get((which, is_public))
        if known is not None and known[0] is now:
            return known[1]
        made = self._admin() if which == ADMIN else self._services(is_public=is_public)
        self._kept[which, is_public] = (now, made)
        return made

    def operations(self) -> Iterator[AdminOperation]:
        """Yield all admin services; published names of others are told with these."""
        actions = {each.name: each.cls.action for each in self.store.entries() if issubclass(each.cls, AdminService)}
        aliases: dict[str, list[str]] = {}
        for name, action in actions.items():
            for target in action.alias_of:
                aliases.setdefault(target, []).append(name)
        for name, action in actions.items():
            if not action.alias_of:
                yield AdminOperation(name, action.describe(), action.role, tuple(sorted(aliases.get(name, ()))))

    def _admin(self) -> dict[str, Any]:
        title = f"Admin API of {self.cluster}"
        return admin_document(self.operations(), title=title, version=str(self.current().version))

    def _services(self, *, is_public: bool) -> dict[str, Any]:
        allows = self.allowed.allows if is_public else lambda service: True
        return services_document(self.current(), self.store.get, title=f"Services of {self.cluster}", may_be_shown=allows)
