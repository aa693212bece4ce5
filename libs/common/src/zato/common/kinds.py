"""Kinds: what sorts of objects can be configured, each declared once by the part that implements it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zato.common.errors import NotFound
from zato.common.options import declared_options, default_json
from zato.proto.control_plane.v1.control_plane_pb2 import KindDescription, OptionDescription


@dataclass(frozen=True, slots=True)
class Kind:
    """
    Args:
        name: e.g. "channel-http". Part of the admin services' names: "zato.channel-http.create".
        label: What people call it, e.g. "HTTP channel".
        options: The `@options` class that declares it. Every object also has `name` and `is_active`.
    """

    name: str
    label: str
    options: type

    @property
    def help(self) -> str:
        return (self.options.__doc__ or "").strip()

    @property
    def secret_names(self) -> frozenset[str]:
        return frozenset(option.name for option in declared_options(self.options) if option.secret)

    def describe(self) -> KindDescription:
        """Return the description that forms, imports and the reference pages are made from."""
        described = [
            OptionDescription(
                name=option.name,
                type=option.type,
                help=option.help,
                required=option.is_required,
                default_json=default_json(option) or "",
                choices=option.choices,
                secret=option.secret,
                references=option.references,
            )
            for option in declared_options(self.options)
        ]
        return KindDescription(name=self.name, label=self.label, help=self.help, options=described)


class KindRegistry:
    """The kinds that a part knows, by name."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> Kind:
        try:
            return self._kinds[name]
        except KeyError:
            known = ", ".join(sorted(self._kinds))
            raise NotFound(f"There is no kind '{name}'; there are: {known}", kind=name) from None
