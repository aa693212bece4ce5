"""
How the instances of one model are made. Everything that its fields say is looked up once for each class.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zato.common.conversions import Unfit, missing
from zato.common.models.model import Model, ModelCtx
from zato.common.models.types import MISSING, FieldType, field_type, is_model_like

_PLAN = "_zato_plan"


class Plan:
    """How to make instances of `cls`: `build(data, service)`."""

    def __init__(self, cls: type) -> None:
        self._cls = cls
        self._fields: tuple[tuple[str, type | None, Callable[[Any, Any], Any], bool, Callable[[], Any]], ...] = ()
        self._hook = getattr(cls, "after_created", None)
        if self._hook is Model.__dict__["after_created"]:
            self._hook = None
        self._post_init = None
        self._has_slots = any(vars(base).get("__slots__") for base in cls.__mro__)

    def compile(self) -> None:
        cls = self._cls
        if "__dataclass_fields__" not in vars(cls):
            dataclasses.dataclass(init=False)(cls)
        hinted = list(input_fields(cls))
        fields = [field for field, _ in hinted]
        types = {field.name: field_type(hint, plan_of) for field, hint in hinted}
        self._fields = tuple(
            (
                field.name,
                types[field.name].exact,
                types[field.name].convert,
                types[field.name].takes_none,
                _when_missing(field, types[field.name]),
            )
            for field in fields
        )
        # Only dataclasses with an `__init__` call it.
        self._post_init = getattr(cls, "__post_init__", None) if cls.__dataclass_params__.init else None  # type: ignore[attr-defined]

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(name for name, *_ in self._fields)

    def build(self, data: Any, service: Any = None) -> Any:
        """
        Return an instance made of `data`, a mapping.

        Raises:
            Unfit: A required field is missing, or a value is not what its field takes.
        """
        if isinstance(data, self._cls):
            return data
        if not isinstance(data, Mapping):
            raise Unfit("an object")
        values = {}
        for name, exact, convert, takes_none, when_missing in self._fields:
            value = data.get(name, MISSING)
            if value.__class__ is exact:
                values[name] = value
                continue
            try:
                if value is MISSING or (value is None and not takes_none):
                    values[name] = when_missing()
                else:
                    values[name] = None if value is None else convert(value, service)
            except Unfit as unfit:
                raise unfit.inside(f"/{name}") from None
        return self._make(values, data, service)

    def _make(self, values: dict[str, Any], data: Any, service: Any) -> Any:
        instance: Any = object.__new__(self._cls)
        if self._has_slots:
            for name, value in values.items():
                object.__setattr__(instance, name, value)
        else:
            instance.__dict__.update(values)
        if self._post_init is not None:
            self._post_init(instance)
        if self._hook is not None:
            self._hook(instance, ModelCtx(service, data, self._cls))
        return instance


def plan_of(cls: type) -> Plan:
    """
    Return the plan of a model or of another dataclass.

    Raises:
        TypeError: A field's type is nothing that input can be made into.
        NameError: A type hint names what its file does not have.
    """
    found = vars(cls).get(_PLAN)
    if isinstance(found, Plan):
        return found
    plan = Plan(cls)
    # Models may hold themselves: whoever asks meanwhile gets this one.
    setattr(cls, _PLAN, plan)
    try:
        plan.compile()
    except BaseException:
        delattr(cls, _PLAN)
        raise
    return plan


def model_of_list(declared: Any) -> type | None:
    """Return Order for `list_[Order]`, None for anything else."""
    arguments = typing.get_args(declared)
    if typing.get_origin(declared) is list and len(arguments) == 1 and is_model_like(arguments[0]):
        model: type = arguments[0]
        return model
    return None


def input_fields(cls: type) -> Iterator[tuple["dataclasses.Field[Any]", Any]]:
    """Yield the fields that input has values for, each with its type hint."""
    hints = _type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.init or field.default is dataclasses.MISSING:
            yield field, hints[field.name]


def _type_hints(cls: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is Model or base is object:
            continue
        namespace = getattr(base, "_zato_namespace", None)
        own = vars(base).get("__annotations__", {})
        holder = type(base.__name__, (), {"__annotations__": own, "__module__": base.__module__})
        hints.update(typing.get_type_hints(holder, namespace, {base.__name__: base}))
    return hints


def _when_missing(field: "dataclasses.Field[Any]", kind: FieldType) -> Callable[[], Any]:
    if field.default is not dataclasses.MISSING:
        default = field.default
        return lambda: default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if kind.is_optional:
        return kind.empty
    return _raise_missing


def _raise_missing() -> Any:
    raise missing()
