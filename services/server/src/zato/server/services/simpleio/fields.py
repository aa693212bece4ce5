"""Elements, made ready for reading input: all that is known before a request comes is in a Field."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from zato.common.conversions import Unfit, missing

if TYPE_CHECKING:
    from zato.server.services.simpleio.element import ForceType

NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda self: "<not given>", "__bool__": lambda self: False})()


# Makes a dictionary of a mapping's values. The second argument, a service, is for readers of another kind.
Reader = Callable[..., dict[str, Any]]


class Field(NamedTuple):
    """
    Args:
        exact: A value of exactly this class is taken as it is.
        empty: Makes what an empty text is.
        when_missing: Makes what a missing one is, or raises Unfit; None when its key is left out, as it is when the
            value is empty.
    """

    name: str
    exact: type | None
    convert: Callable[[Any], Any]
    empty: Callable[[], Any]
    when_missing: Callable[[], Any] | None


def compile_fields(
    elements: "Iterable[ForceType]",
    *,
    is_required: "Callable[[ForceType], bool]",
    default: Any = NOT_GIVEN,
    leave_out: "Callable[[ForceType], bool]" = lambda element: False,
    is_input: bool = True,
) -> tuple[Field, ...]:
    """
    Args:
        default: Of missing optional elements that have none of their own; "" if there is none here either.
        leave_out: Says whose keys are left out when they are missing.
    """
    return tuple(
        Field(
            element.name,
            None if leave_out(element) else element.exact,
            element.from_json if is_input else element.to_json,
            maker(element.empty),
            _when_missing(element, is_required(element), default, leave_out(element)),
        )
        for element in elements
    )


def _when_missing(element: "ForceType", is_required: bool, default: Any, leave_out: bool) -> Callable[[], Any] | None:
    if is_required:
        return _raise_missing
    if element.default is not NOT_GIVEN:
        return maker(element.default)
    if leave_out:
        return None
    return maker("" if default is NOT_GIVEN else default)


def maker(value: Any) -> Callable[[], Any]:
    """Return a function that gives `value`, a new copy each time if it is one that can change."""
    if isinstance(value, list | dict | set):
        return lambda: copy.deepcopy(value)
    return lambda: value


def _raise_missing() -> Any:
    raise missing()


def make_reader(fields: tuple[Field, ...], make: Callable[[], dict[str, Any]]) -> Reader:
    """
    Return the function that makes a dictionary of the fields' values in a mapping. Other keys of it are not taken.

    The function raises Unfit when a required one is missing, or a value is not what its element takes.
    """

    def read(source: Mapping[str, Any], _service: Any = None) -> dict[str, Any]:
        made = make()
        get = source.get
        for name, exact, convert, empty, when_missing in fields:
            value = get(name, NOT_GIVEN)
            if value.__class__ is exact:
                made[name] = value
                continue
            try:
                if value is NOT_GIVEN:
                    if when_missing is not None:
                        made[name] = when_missing()
                elif value is None or (value.__class__ is str and not value):
                    if when_missing is not None:
                        made[name] = None if value is None else empty()
                else:
                    made[name] = convert(value)
            except Unfit as unfit:
                raise unfit.inside(f"/{name}") from None
            except (ValueError, TypeError):  # of an element that users wrote
                raise Unfit("another value").inside(f"/{name}") from None
        return made

    return read
