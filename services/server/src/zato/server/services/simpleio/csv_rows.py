"""CSV in and out: one row for each object, columns in the alphabetical order of their names."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zato.common.conversions import to_text
from zato.common.errors import BadRequest, PayloadTooLarge

# A row of a few bytes becomes an object of hundreds.
_MAX_VALUES = 1_000_000


def load_rows(body: str | bytes, names: Sequence[str], options: Mapping[str, Any]) -> list[dict[str, str]]:
    """
    Return an object for each row. A first row of nothing but names says what the columns are.

    Raises:
        BadRequest: It is no CSV, or a row has more columns than there are names.
        PayloadTooLarge: It has too many values.
    """
    try:
        text = body.decode() if isinstance(body, bytes) else body
        if text.count(options.get("delimiter", ",")) + text.count("\n") > _MAX_VALUES:
            raise PayloadTooLarge(f"The CSV has more than {_MAX_VALUES:,} values, which is more than is read at once")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), **options) if row]
    except UnicodeDecodeError:
        raise BadRequest("The request's body is not CSV in UTF-8") from None
    except (csv.Error, ValueError):
        raise BadRequest("The request's body is not acceptable CSV: is a quote not closed, or a value too long?") from None
    columns = sorted(names)
    if rows and set(rows[0]) <= set(names):
        columns = rows.pop(0)
    for index, row in enumerate(rows):
        if len(row) > len(columns):
            raise BadRequest(
                f"Row {index + 1} of the CSV has {len(row)} columns; there are {len(columns)}: {', '.join(columns)}"
            )
    return [dict(zip(columns, row, strict=False)) for row in rows]


def dump_rows(records: Iterable[Mapping[str, Any]], names: Iterable[str], options: Mapping[str, Any], *, header: bool) -> str:
    """Return CSV; a value that a record does not have is an empty cell. Raises Unfit for what has no text."""
    columns = sorted(names)
    text = io.StringIO(newline="")
    writer = csv.writer(text, **options)
    if header:
        writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.get(name)) for name in columns])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ";".join(to_text(part) for part in value)
    return "" if value is None else to_text(value)
