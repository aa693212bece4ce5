"""What services may invoke: as the server's settings and their own classes say."""

from typing import TYPE_CHECKING

from zato.common.errors import ZatoError
from zato.server.services.name_patterns import NamePatterns

if TYPE_CHECKING:
    from zato.server.service import Service
    from zato.server.services.store import ServiceEntry

_NO_PATTERNS = NamePatterns()


class InvokeRules:
    """
    Args:
        names: Services that other ones may invoke.
        targets: Which targets this server is, for those who invoke "service@target".
        enforces_invokes: Whether a service may invoke only what its class lists in `invokes`.
    """

    def __init__(
        self, names: NamePatterns = _NO_PATTERNS, targets: NamePatterns = _NO_PATTERNS, *, enforces_invokes: bool = False
    ) -> None:
        self.targets = targets
        self._names = names
        self._enforces_invokes = enforces_invokes
        # False: all that there is may be invoked, and nobody has to be asked.
        self.is_restrictive = names.is_restrictive or enforces_invokes

    def check(self, caller: "Service", entry: "ServiceEntry") -> None:
        """Raises ZatoError when the caller may not invoke this service."""
        if not self._names.allows(entry.name):
            raise ZatoError(f"Service '{entry.name}' may not be invoked: 'invoke_patterns_allowed' in the settings forbids it")
        if self._enforces_invokes and not _is_listed(caller, entry):
            raise ZatoError(
                f"Service '{caller.name}' may not invoke '{entry.name}': name it in 'invokes' of class {type(caller).__name__}"
            )

    def check_target(self, service: str, target: str) -> None:
        """Raises ZatoError when this server is no such target."""
        if not self.targets.allows(target):
            raise ZatoError(f"Service '{service}' may not be invoked as '{target}' on this server: it is another target")


def _is_listed(caller: "Service", entry: "ServiceEntry") -> bool:
    """The platform's own services invoke whatever their clients name."""
    invokes = caller.invokes or ()
    listed = [invokes] if isinstance(invokes, str | type) else invokes
    return entry.name in listed or entry.cls in listed or type(caller).__module__.startswith("zato.server.")


def split_target(service: str) -> tuple[str, str]:
    """Return name and target of "name@target"; the target is empty when there is none."""
    name, _, target = service.partition("@")
    return name, target
