"""Who we are to the other side of a call."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol


class Credentials(Protocol):
    """Who we are to the other side. Asked for each request, since tokens are renewed."""

    def __call__(self) -> Mapping[str, str]:
        """Return the headers to send."""

    def refused(self, sent: Mapping[str, str]) -> bool:
        """The other side answered 401 to these. Return whether others can be had, so that one more try makes sense."""


class FixedCredentials:
    """The same headers for ever."""

    def __init__(self, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._headers = headers

    def __call__(self) -> Mapping[str, str]:
        return self._headers

    def refused(self, _sent: Mapping[str, str]) -> bool:
        return False


NO_CREDENTIALS = FixedCredentials()
