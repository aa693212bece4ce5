"""From a field's type hint to the function that makes its value."""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from zato.common import conversions
from zato.common.conversions import Unfit, not_a_list

MISSING: Any = object()

# Given the value and the service whose input it is.
type_converter = Callable[[Any, Any], Any]


class _Plan(Protocol):
    def build(self, data: Any, service: Any) -> Any: ...


PlanOf = Callable[[type], _Plan]


@dataclasses.dataclass(frozen=True, slots=True)
class FieldType:
    """
    Args:
        exact: Values of exactly this class are taken as they are.
        takes_none: Whether the field may be null.
        is_optional: Whether it may be left out.
        empty: Makes what stands for it then.
    """

    exact: type | None
    convert: type_converter
    takes_none: bool = False
    is_optional: bool = False
    empty: Callable[[], Any] = lambda: None


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    str: conversions.to_text,
    int: conversions.to_int,
    float: conversions.to_float,
    bool: conversions.to_bool,
    Decimal: conversions.to_decimal,
    datetime: conversions.to_datetime,
    date: conversions.to_date,
    UUID: conversions.to_uuid,
}
# What stands for a missing optional field, by type. The others have None.
_EMPTY: Mapping[Any, Callable[[], Any]] = {str: str, int: int, float: float, list: list, dict: dict}
# Keys are the client's; its error repeats that much of one.
_LONGEST_KEY = 40
_LISTS = (list, Sequence, Collection, Iterable)
_SETS = (set, frozenset)


def is_model_like(hint: Any) -> bool:
    return isinstance(hint, type) and (hasattr(hint, "_zato_namespace") or dataclasses.is_dataclass(hint))


def field_type(hint: Any, plan_of: PlanOf) -> FieldType:
    """Raises TypeError when nothing that arrives can be made into `hint`."""
    origin = typing.get_origin(hint)
    if origin in (typing.Annotated, typing.ClassVar, typing.Final):
        return field_type(typing.get_args(hint)[0], plan_of)
    if origin is typing.Union or origin is types.UnionType:
        return _union(typing.get_args(hint), plan_of)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return FieldType(None, _as_it_is, takes_none=True)
    if hasattr(hint, "__supertype__"):
        return _new_type(hint, plan_of)
    if hint in _SCALARS:
        return FieldType(_exact(hint), _scalar(_SCALARS[hint]))
    if is_model_like(hint):
        plan = plan_of(hint)
        return FieldType(None, lambda value, service: plan.build(value, service))
    return _container(hint, origin or hint, typing.get_args(hint), plan_of)


def _exact(hint: Any) -> type | None:
    # The others take text only; no value that arrives has their class.
    return hint if hint in (str, int, float, bool) else None


def _container(hint: Any, origin: Any, arguments: tuple[Any, ...], plan_of: PlanOf) -> FieldType:
    if origin in _LISTS:
        return _list(arguments, plan_of)
    if origin in _SETS or origin is tuple:
        each = _list(() if len(arguments) == 2 and arguments[1] is not ... else arguments[:1], plan_of).convert
        return FieldType(None, lambda value, service: _collect(origin, each(value, service)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _dict(arguments, plan_of)
    if origin is typing.Literal:
        return FieldType(None, _one_of(arguments))
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return FieldType(None, _member_of(origin))
    if typing.is_typeddict(hint):
        return _dict((), plan_of)
    if isinstance(origin, type):
        return FieldType(origin, _instance_of(origin))
    raise TypeError(f"{hint!r} is no type that input can be made into")


def _as_it_is(value: Any, _service: Any) -> Any:
    return value


def _scalar(convert: Callable[[Any], Any]) -> type_converter:
    return lambda value, _service: convert(value)


def _new_type(hint: Any, plan_of: PlanOf) -> FieldType:
    if getattr(hint, "__name__", "") == "isotimestamp":
        return FieldType(None, _scalar(conversions.to_utc_datetime))
    return field_type(hint.__supertype__, plan_of)


def _union(members: tuple[Any, ...], plan_of: PlanOf) -> FieldType:
    is_optional = type(None) in members
    kinds = [field_type(member, plan_of) for member in members if member is not type(None)]
    first = next(member for member in members if member is not type(None))
    empty = _EMPTY.get(typing.get_origin(first) or first, lambda: None)
    takes_none = is_optional or any(kind.takes_none for kind in kinds)
    if len(kinds) == 1:
        return FieldType(kinds[0].exact, kinds[0].convert, takes_none, is_optional, empty)

    def convert(value: Any, service: Any) -> Any:
        if any(kind.exact is value.__class__ for kind in kinds):
            return value
        for kind in kinds:
            try:
                return kind.convert(value, service)
            except Unfit as unfit:
                last = unfit
        raise last

    return FieldType(None, convert, takes_none, is_optional, empty)


def _list(arguments: tuple[Any, ...], plan_of: PlanOf) -> FieldType:
    item = field_type(arguments[0] if arguments else Any, plan_of)
    if item.convert is _as_it_is:
        return FieldType(list, lambda value, _service: _as_list(value))
    exact, convert_item, takes_none = item.exact, item.convert, item.takes_none

    def convert(value: Any, service: Any) -> Any:
        made = []
        for index, part in enumerate(_as_list(value)):
            if part.__class__ is exact or (part is None and takes_none):
                made.append(part)
                continue
            try:
                made.append(convert_item(part, service))
            except Unfit as unfit:
                raise unfit.inside(f"[{index}]") from None
        return made

    return FieldType(None, convert)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise not_a_list()


def _collect(make: Callable[[list[Any]], Any], parts: list[Any]) -> Any:
    try:
        return make(parts)
    except TypeError:  # dictionaries and lists have no place in a set
        raise Unfit("a list of plain values") from None


def _dict(arguments: tuple[Any, ...], plan_of: PlanOf) -> FieldType:
    key_hint, value_hint = arguments if len(arguments) == 2 else (Any, Any)
    key, item = field_type(key_hint, plan_of), field_type(value_hint, plan_of)
    if item.convert is _as_it_is and key_hint in (Any, str):
        return FieldType(dict, lambda value, _service: _as_dict(value))

    def convert(value: Any, service: Any) -> Any:
        made = {}
        for name, part in _as_dict(value).items():
            try:
                made[key.convert(name, service)] = None if part is None and item.takes_none else item.convert(part, service)
            except Unfit as unfit:
                raise unfit.inside(f"/{str(name)[:_LONGEST_KEY]}") from None
        return made

    return FieldType(None, convert)


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    raise Unfit("an object")


def _one_of(allowed: tuple[Any, ...]) -> type_converter:
    def convert(value: Any, _service: Any) -> Any:
        for each in allowed:
            if value == each and type(value) is type(each):
                return each
        raise Unfit(f"one of {', '.join(map(str, allowed))}")

    return convert


def _member_of(enumeration: type[enum.Enum]) -> type_converter:
    def convert(value: Any, _service: Any) -> Any:
        try:
            return enumeration(value)
        except ValueError:
            if isinstance(value, str) and value in enumeration.__members__:
                return enumeration[value]
        raise Unfit(f"one of {', '.join(str(member.value) for member in enumeration)}")

    return convert


def _instance_of(cls: type) -> type_converter:
    def convert(value: Any, _service: Any) -> Any:
        try:
            fits = isinstance(value, cls)
        except TypeError:  # a protocol that can't be asked
            fits = True
        if fits:
            return value
        raise Unfit(f"a {cls.__name__}")

    return convert
