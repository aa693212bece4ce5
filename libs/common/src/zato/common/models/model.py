"""The class that users' models derive from."""

import copy
import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from zato.common.conversions import Unfit


@dataclass(slots=True)
class ModelCtx:
    """
    What a model's `after_created` is told.

    Attributes:
        service: The service whose input it is, None when the model was made by `from_dict`.
        data: What it was made from.
        DataClass: Its class.
    """

    service: Any
    data: Any
    DataClass: type["Model"]


class Model:
    """
    A dataclass with named, typed fields, e.g.:

        @dataclass(init=False)
        class Order(Model):
            order_id: int
            lines: list_[Line]
            note: optional[str] = None
    """

    # Type hints may be strings; their names are those of the file that has the class.
    _zato_namespace: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A dataclass with slots is made anew, by its decorator, from what the class had.
        if "_zato_namespace" not in vars(cls):
            cls._zato_namespace = sys._getframe(1).f_globals

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The decorator writes the class's signature into its description. Of a class without an `__init__` in Python it looks
        # for one in every module there is, which costs each worker of a server megabytes of memory that all could share.
        super().__init__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # Without an `__init__` nobody has made the lists and the like that fields have as their default.
        fields: Mapping[str, Any] = getattr(type(self), "__dataclass_fields__", {})
        if name in fields and fields[name].default_factory is not dataclasses.MISSING:
            value = fields[name].default_factory()
            setattr(self, name, value)
            return value
        raise AttributeError(f"{type(self).__name__} has no '{name}', or it was not set yet")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], service: Any = None) -> Self:
        """
        Return a model with the values of `data`, each made into its field's type. Unknown keys are ignored.

        Raises:
            ElementMissing: A required field is not there.
            ElementIsNotAList: What has to be a list is none.
            WrongElement: A value does not fit its field.
        """
        from zato.common.models.plan import plan_of

        try:
            model: Self = plan_of(cls).build(data, service)
            return model
        except Unfit as unfit:
            raise unfit.as_error() from None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, with dictionaries in place of models at any depth."""
        values: dict[str, Any] = as_plain(self)
        return values

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), default=_json_default, ensure_ascii=False)

    def clone(self) -> Self:
        """Return a copy that shares nothing with this one."""
        return copy.deepcopy(self)

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)

    def after_created(self, ctx: ModelCtx) -> None:
        """Override to check or complete a model that was just made from input."""


_NOT_SET = object()
_FIELD_NAMES = "_zato_field_names"
_SCALARS = frozenset((str, int, float, bool, type(None)))
_LISTS = (list, tuple, set, frozenset)


def as_plain(value: Any) -> Any:
    """Return `value` with dictionaries in place of models and other dataclasses."""
    cls = value.__class__
    if cls in _SCALARS:
        return value
    if cls is list or isinstance(value, _LISTS):
        return [as_plain(part) for part in value]
    if cls is dict or isinstance(value, Mapping):
        return {key: as_plain(part) for key, part in value.items()}
    if isinstance(value, type) or not hasattr(cls, "__dataclass_fields__"):
        return value
    made = {}
    for name in _field_names(cls):
        part = getattr(value, name, _NOT_SET)
        if part is not _NOT_SET:
            made[name] = part if part.__class__ in _SCALARS else as_plain(part)
    return made


def _field_names(cls: type) -> tuple[str, ...]:
    found: tuple[str, ...] | None = vars(cls).get(_FIELD_NAMES)
    if found is None:
        found = tuple(field.name for field in dataclasses.fields(cls))
        setattr(cls, _FIELD_NAMES, found)
    return found


def _json_default(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
