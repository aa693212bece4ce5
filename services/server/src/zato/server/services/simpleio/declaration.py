"""What a service class declares, in whichever of the spellings, read and checked once, when it is deployed."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zato.common.conversions import Unfit
from zato.common.models import model_of_list, plan_of
from zato.common.models.types import is_model_like
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.containers import Dict
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.fields import NOT_GIVEN
from zato.server.services.simpleio.naming import as_element
from zato.server.services.simpleio.options import Skip, read_csv_options, read_skips, read_xml_options
from zato.server.services.simpleio.scope import DeclarationError, Scope, find_scope

DEFAULT_WRAPPER = "response"
DEFAULT_REQUEST = "request"
_DIRECTIONS = ("input", "output")
_KNOWN = (
    *(f"{direction}{suffix}" for direction in _DIRECTIONS for suffix in ("", "_required", "_optional")),
    *("request_elem", "response_elem", "default_value", "default_input_value", "default_output_value"),
    *("skip_empty_keys", "force_empty_keys", "SkipEmpty", "output_repeated", "use_channel_params_only", "use_text"),
    *("namespace", "CSV", "XML"),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """
    One direction, input or output: elements, or a model.

    Args:
        is_list: Whether it is a list of the model.
        is_plain_form: Whether it is written as `input_required` and `input_optional`, the form of 2.0.
    """

    required: tuple[ForceType, ...] = ()
    optional: tuple[ForceType, ...] = ()
    model: type | None = None
    is_list: bool = False
    is_plain_form: bool = False

    @property
    def elements(self) -> tuple[ForceType, ...]:
        return self.required + self.optional

    def __bool__(self) -> bool:
        return bool(self.required or self.optional or self.model)


@dataclass(frozen=True, slots=True)
class Declaration:
    """
    Args:
        response_elem: None for no wrapper.
        use_text: Whether a plain name has an XML element's text, or the element itself.
    """

    input: Shape
    output: Shape
    request_elem: str
    response_elem: str | None
    default_input: Any
    default_output: Any
    skip_input: Skip
    skip_output: Skip
    output_repeated: bool
    params_only: bool
    use_text: bool
    csv_options: Mapping[str, Any]
    csv_header: bool
    xml: Mapping[str, Any]


def read_declaration(cls: type, base: type) -> Declaration | None:
    """
    Return what the class declares, None when it declares nothing.

    Args:
        base: The class that all services derive from.

    Raises:
        DeclarationError: It makes no sense; the text says what and what to write instead.
    """
    scope = find_scope(cls, base)
    if scope is None:
        return None
    if scope.conflict:
        raise DeclarationError(scope.conflict, "is beside a SimpleIO class: declare input and output in one of both places")
    if not scope.is_direct:
        _refuse_typing_mistakes(scope)
    shape = {direction: _shape(scope, direction) for direction in _DIRECTIONS}
    skip_input, skip_output, empty_output = read_skips(scope)
    rules = defaults.current()
    default = scope.get("default_value", rules.default_value)
    fallback = {name: getattr(rules, name) for name in ("default_input_value", "default_output_value")}
    # A class's own value for both directions is nearer than the server's for one.
    if scope.has("default_value"):
        fallback = dict.fromkeys(fallback, NOT_GIVEN)
    default_input, default_output = (default if value is NOT_GIVEN else value for value in fallback.values())
    csv_options, csv_header = read_csv_options(scope)
    return Declaration(
        input=shape["input"],
        output=shape["output"],
        request_elem=scope.get("request_elem", None) or DEFAULT_REQUEST,
        response_elem=_response_elem(scope, shape["output"]),
        default_input=scope.get("default_input_value", default_input),
        default_output=empty_output if empty_output is not NOT_GIVEN else scope.get("default_output_value", default_output),
        skip_input=skip_input,
        skip_output=skip_output,
        output_repeated=bool(scope.get("output_repeated", False)),
        params_only=bool(scope.get("use_channel_params_only", False)),
        use_text=bool(scope.get("use_text", True)),
        csv_options=csv_options,
        csv_header=csv_header,
        xml=read_xml_options(scope),
    )


def _refuse_typing_mistakes(scope: Scope) -> None:
    """A misspelt name would mean that nothing is checked. Names that are like none of ours are the author's own."""
    for name in scope.own_names():
        if name in _KNOWN or name.startswith(("csv_", "xml_")):
            continue
        similar = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.85)
        if similar:
            raise DeclarationError(name, f"there is no such attribute of SimpleIO; did you mean '{similar[0]}'?")


def _shape(scope: Scope, direction: str) -> Shape:
    both, required, optional = direction, f"{direction}_required", f"{direction}_optional"
    chosen = scope.nearest([(both,), (required, optional)])
    if chosen is None:
        return Shape()
    if len(chosen) > 1:
        raise DeclarationError(both, f"takes the place of {required} and {optional}: write either, not both")
    if chosen == [(both,)]:
        return _with_marks(both, scope.get(both))
    model = _model(required, scope.get(required, None)) or _model(optional, scope.get(optional, None))
    if model is not None:
        return model
    wanted = _elements(required, scope.get(required, None))
    names = {element.name for element in wanted}
    if marked := [element.name for element in wanted if element.is_optional]:
        raise DeclarationError(required, f"'-{marked[0]}' says optional: list '{marked[0]}' in {optional}")
    others = [element for element in _elements(optional, scope.get(optional, None)) if element.name not in names]
    return Shape(tuple(wanted), tuple(others), is_plain_form=True)


def _with_marks(attribute: str, value: Any) -> Shape:
    model = _model(attribute, value)
    if model is not None:
        return model
    elements = _elements(attribute, value)
    required = tuple(element for element in elements if not element.is_optional)
    names = {element.name for element in required}
    return Shape(required, tuple(element for element in elements if element.is_optional and element.name not in names))


def _model(attribute: str, value: Any) -> Shape | None:
    listed = model_of_list(value)
    model = listed if listed is not None else value if is_model_like(value) else None
    if model is None:
        return None
    try:
        plan_of(model)
    except (TypeError, NameError, KeyError, SyntaxError) as exc:
        raise DeclarationError(attribute, f"model {model.__name__}: {exc}") from exc
    return Shape(model=model, is_list=listed is not None)


def _elements(attribute: str, value: Any) -> list[ForceType]:
    if not (value or isinstance(value, ForceType)):
        return []
    try:
        made = [as_element(each) for each in _each(value)]
        for element in made:
            _check_default(element)
    except ValueError as exc:
        raise DeclarationError(attribute, str(exc)) from exc
    # Who names one twice means it once.
    return list({(element.name, element.is_optional): element for element in reversed(made)}.values())[::-1]


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, str | ForceType):
        return (value,)
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, set | frozenset):
        # A set has no order; this one is at least the same in all workers.
        return sorted(value, key=lambda each: each.name if isinstance(each, ForceType) else str(each))
    return (value,)


def _check_default(element: ForceType) -> None:
    default = element.default
    # That of a Dict stands for its missing keys too.
    if default is NOT_GIVEN or default is None or default == "" or isinstance(element, Dict):
        return
    try:
        element.from_json(default)
    except Unfit as unfit:
        raise ValueError(f"{element!r} takes {unfit.wanted or 'its keys'}, which its default {default!r} is not") from unfit


def _response_elem(scope: Scope, output: Shape) -> str | None:
    # Only a SimpleIO class with elements has a wrapper unless one is asked for.
    fallback = None if scope.is_direct or output.model or not output else defaults.current().response_elem
    value = scope.get("response_elem", fallback)
    if value is not None and not isinstance(value, str):
        raise DeclarationError("response_elem", f"takes a name, or None for no wrapper, not {value!r}")
    return value or None
