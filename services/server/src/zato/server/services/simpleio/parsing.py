"""From a request to `self.request.input`, as one function for each service, made when it is deployed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from zato.common.conversions import Unfit
from zato.common.errors import BadRequest
from zato.common.models import Model, plan_of
from zato.server.http.formats import load_json
from zato.server.services.reqresp import Input, ServiceRequest
from zato.server.services.simpleio import xml
from zato.server.services.simpleio.csv_rows import load_rows
from zato.server.services.simpleio.declaration import Declaration
from zato.server.services.simpleio.fields import NOT_GIVEN, compile_fields, make_reader
from zato.server.services.simpleio.naming import Untyped

if TYPE_CHECKING:
    from zato.server.service import Service

InputParser = Callable[["Service"], Any]
# Makes one input of a mapping of names and values. May raise Unfit.
_Reader = Callable[[Mapping[str, Any], "Service"], Any]
# Of these formats text that comes from a service, not from a client, is JSON.
_JSON_IN_PROCESS = ("json", "dict")


def make_input_parser(declared: Declaration) -> InputParser | None:
    """
    Return the function that gives a service its input, None when it declares none.

    The function raises BadRequest, with the path of the element that is missing or wrong.
    """
    if not declared.input:
        return None
    read = _model_reader(declared) if declared.input.model else _element_reader(declared)
    read_body = _make_body_reader(declared, read)
    takes_list, params_only = declared.input.is_list, declared.params_only

    def parse(service: "Service") -> Any:
        request = service.request
        try:
            if params_only:
                return read(request.channel_params, service)
            body = request.payload
            # What nearly all requests are: an object, or no body at all. Comparing an XML element would convert it first.
            if not takes_list and (body.__class__ is dict or (body.__class__ is str and not body)):
                return read(request.merge(body or {}), service)
            return read_body(body, request, service)
        except Unfit as unfit:
            raise unfit.as_error() from None
        except RecursionError:
            raise BadRequest("The input is nested too deeply") from None

    return parse


def _model_reader(declared: Declaration) -> _Reader:
    assert declared.input.model is not None
    return plan_of(declared.input.model).build


def _element_reader(declared: Declaration) -> _Reader:
    required = {element.name for element in declared.input.required if element.default is NOT_GIVEN}
    fields = compile_fields(
        declared.input.elements,
        is_required=lambda element: element.name in required,
        default=declared.default_input,
        leave_out=lambda element: declared.skip_input.covers(element.name),
    )
    secrets = [element.name for element in declared.input.elements if element.is_secret]

    read = make_reader(fields, Input)

    def read_with_secrets(source: Mapping[str, Any], service: "Service") -> Any:
        made = read(source)
        for name in secrets:
            if isinstance(given := made.get(name), str) and given:
                made[name] = cast(Any, service).crypto.encrypt(given)
        return made

    return read_with_secrets if secrets else read


def _make_body_reader(declared: Declaration, read: _Reader) -> Callable[[Any, ServiceRequest, "Service"], Any]:
    takes_one = declared.input.model is not None and not declared.input.is_list
    takes_list = declared.input.is_list

    def read_body(body: Any, request: ServiceRequest, service: "Service") -> Any:
        body = _as_plain(declared, body, request, service.channel.data_format)
        if isinstance(body, list) and not takes_one:
            return _read_list(read, body, request, service)
        if takes_list and not body:
            return []
        if takes_list or not isinstance(body, Mapping):
            wanted = "a list of objects" if takes_list else "an object of names and values"
            raise BadRequest(f"The input takes {wanted}")
        return read(request.merge(body), service)

    return read_body


def _read_list(read: _Reader, items: list[Any], request: ServiceRequest, service: "Service") -> list[Any]:
    made = []
    for index, item in enumerate(items):
        try:
            if not isinstance(item, Mapping | Model):
                raise Unfit("an object")
            made.append(read(request.merge(_as_mapping(item)), service))
        except Unfit as unfit:
            raise unfit.inside(f"[{index}]") from None
    return made


def _as_mapping(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Model) else value


def _as_plain(declared: Declaration, body: Any, request: ServiceRequest, data_format: str | None) -> Any:
    """Return a body as JSON would have it, an empty mapping for one that says nothing."""
    if isinstance(body, Mapping | list):
        return body
    if xml.is_element(body):
        return _from_xml(declared, body)
    if isinstance(body, Model):
        return body.to_dict()
    if isinstance(body, tuple | set | frozenset):
        return list(body)
    if body is None or body in ("", b""):
        return {}
    if not isinstance(body, str | bytes):
        return body
    if data_format == "csv":
        return load_rows(body, [element.name for element in declared.input.elements], declared.csv_options)
    if body is request.raw_request and request.http is None and data_format in _JSON_IN_PROCESS:
        return load_json(body.encode() if isinstance(body, str) else body)
    # Of a channel without a data format: its text is the service's own business, as its path and query are ours.
    return {} if not data_format else body


def _from_xml(declared: Declaration, root: Any) -> Any:
    root = xml.find_request(root, declared.request_elem)
    if declared.input.model is not None:
        plain = xml.as_plain(root)
        return {} if plain in ("", None) else plain
    found = xml.by_name(root)
    values: dict[str, Any] = {}
    for element in declared.input.elements:
        given = found.get(element.name)
        if given is None:
            continue
        try:
            read = element.from_xml if declared.use_text or not isinstance(element, Untyped) else _itself
            values[element.name] = read(given[0]) if len(given) == 1 else [read(each) for each in given]
        except Unfit as unfit:
            raise unfit.inside(f"/{element.name}") from None
    return values


def _itself(element: Any) -> Any:
    return element
