"""From what a service assigned to `self.response.payload` to what is sent, as one function for each service."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from zato.common.conversions import Unfit
from zato.common.errors import InternalError
from zato.common.models.model import as_plain
from zato.server.services.simpleio import xml_output
from zato.server.services.simpleio.csv_rows import dump_rows
from zato.server.services.simpleio.declaration import Declaration
from zato.server.services.simpleio.fields import NOT_GIVEN, maker
from zato.server.services.simpleio.payload import OutputPayload, as_rows, assigned_to, getter_of

if TYPE_CHECKING:
    from zato.server.service import Service

OutputMaker = Callable[["Service"], None]
_NO_CONTENT = 204
# Of these formats the payload leaves as a Python object: whoever encodes it knows how.
_AS_PYTHON = frozenset(("json", "dict", "form", "post", "list", "hl7", "", None))
_SENT_AS_IT_IS = (str, bytes, int, float, etree._Element)
_CSV_TYPE = "text/csv; charset=utf-8"


class SerialisationError(InternalError):
    """A service's response does not have what the service declared as its output."""


class _Field(NamedTuple):
    name: str
    convert: Callable[[Any], Any] | None
    is_required: bool
    leave_out_empty: bool
    when_missing: Callable[[], Any]


def make_output_maker(declared: Declaration) -> OutputMaker | None:
    """
    Return the function that makes the response's payload what is sent, None when no output is declared.

    The function raises SerialisationError when a required element was not assigned, or does not fit its declaration.
    """
    if not declared.output:
        return None
    make_records = _model_records if declared.output.model else _make_records_maker(declared)
    wrapper = declared.response_elem
    repeated = declared.output_repeated
    is_list = repeated or declared.output.is_list

    def make_output(service: "Service") -> None:
        response = service.response
        payload = response.payload
        if payload.__class__ is not dict:
            if payload.__class__ is OutputPayload:
                payload = response.payload = _taken(payload, response.status_code, is_list)
            # Text, bytes, numbers and documents are what is sent. So is nothing.
            if payload is None or isinstance(payload, _SENT_AS_IT_IS):
                return
        try:
            records = make_records(payload, response.status_code)
            if repeated and not isinstance(records, list):
                records = [records]
            if service.channel.data_format in _AS_PYTHON:
                response.payload = {wrapper: records} if wrapper else records
            else:
                response.payload = _in_format(declared, service, records)
        except Unfit as unfit:
            raise SerialisationError(_explain(service, unfit)) from None

    return make_output


def _taken(payload: OutputPayload, status_code: int, is_list: bool) -> Any:
    """Return what was assigned. Who assigned nothing and answers with an error, or without content, owes no output: None."""
    assigned = assigned_to(payload)
    if assigned is not NOT_GIVEN:
        return assigned
    if not _is_success(status_code):
        return None
    return [] if is_list else {}


def _is_success(status_code: int) -> bool:
    return 200 <= status_code < 300 and status_code != _NO_CONTENT


def _model_records(payload: Any, _status_code: int) -> Any:
    if isinstance(payload, tuple | set | frozenset):
        return list(payload)
    return payload


def _make_record_maker(fields: tuple[_Field, ...]) -> Callable[[Any, int], dict[str, Any]]:
    def make_record(source: Any, status_code: int) -> dict[str, Any]:
        get = source.get if source.__class__ is dict else getter_of(source)
        made = {}
        for name, convert, is_required, leave_out_empty, when_missing in fields:
            value = get(name, NOT_GIVEN)
            if value is NOT_GIVEN:
                if is_required and _is_success(status_code):
                    raise Unfit("a value, and was given none").inside(f"/{name}")
                if not (is_required or leave_out_empty):
                    made[name] = when_missing()
            elif leave_out_empty and _is_empty(value):
                continue
            elif convert is None or value is None or (value.__class__ is str and not value):
                made[name] = value
            else:
                made[name] = _converted(convert, value, name)
        return made

    return make_record


def _make_records_maker(declared: Declaration) -> Callable[[Any, int], Any]:
    fields = _compile(declared)
    names = tuple(field.name for field in fields)
    make_record = _make_record_maker(fields)

    def make_records(payload: Any, status_code: int) -> Any:
        if payload.__class__ is dict:
            return make_record(payload, status_code)
        rows = as_rows(payload, names)
        return make_record(payload, status_code) if rows is None else [make_record(row, status_code) for row in rows]

    return make_records


def _compile(declared: Declaration) -> tuple[_Field, ...]:
    required = {element.name for element in declared.output.required}
    default = "" if declared.default_output is NOT_GIVEN else declared.default_output
    return tuple(
        _Field(
            element.name,
            element.to_json if element.converts_output else None,
            element.name in required and element.default is NOT_GIVEN,
            element.name not in required and declared.skip_output.covers(element.name),
            maker(default if element.default is NOT_GIVEN else element.default),
        )
        for element in declared.output.elements
    )


def _converted(convert: Callable[[Any], Any], value: Any, name: str) -> Any:
    try:
        return convert(value)
    except Unfit as unfit:
        raise unfit.inside(f"/{name}") from None
    except (ValueError, TypeError):  # of an element that users wrote
        raise Unfit("another value").inside(f"/{name}") from None


def _is_empty(value: Any) -> bool:
    """Nothing, an empty text or an empty list. Zero and false say something."""
    return value is None or (isinstance(value, str | list | tuple | dict | set | frozenset) and not value)


def _in_format(declared: Declaration, service: "Service", records: Any) -> Any:
    response = service.response
    if service.channel.data_format == "csv":
        response.content_type = response.content_type or _CSV_TYPE
        return _as_csv(declared, as_plain(records))
    return xml_output.document(declared, as_plain(records), response, service.cid)


def _as_csv(declared: Declaration, records: Any) -> str:
    rows = records if isinstance(records, list) else [records]
    names = [element.name for element in declared.output.elements] or sorted({name for row in rows for name in row})
    return dump_rows(rows, names, declared.csv_options, header=declared.csv_header)


def _explain(service: "Service", unfit: Unfit) -> str:
    path = unfit.path if unfit.path.startswith("/") else f"/{unfit.path}"
    return f"The response of service '{service.name}' does not fit its declared output: {path} takes {unfit.wanted}"
