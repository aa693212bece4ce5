"""Sessions as services use them: plain text as SQL, and rows that are mappings, tuples and objects at once."""

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any, cast

import sqlalchemy
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TextClause


class TextRow:
    """One row: `row.name`, `row["name"]`, `row[0]`, `row.items()`, `dict(row)`, `a, b = row`."""

    __slots__ = ("_row",)

    def __init__(self, row: "Row[Any]") -> None:
        self._row = row

    def __getitem__(self, key: Any) -> Any:
        return self._row[key] if isinstance(key, int | slice) else self._row._mapping[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, key: object) -> bool:
        return key in self._row._mapping

    def __eq__(self, other: object) -> bool:
        return tuple(self._row) == (tuple(other._row) if isinstance(other, TextRow) else other)

    def __hash__(self) -> int:
        return hash(tuple(self._row))

    def __repr__(self) -> str:
        return repr(self._row)

    def keys(self) -> KeysView[str]:
        return self._row._mapping.keys()

    def values(self) -> ValuesView[Any]:
        return self._row._mapping.values()

    def items(self) -> ItemsView[str, Any]:
        return self._row._asdict().items()

    def get(self, key: str, default: Any = None) -> Any:
        return self._row._mapping.get(key, default)

    has_key = __contains__


def _row(row: "Row[Any] | None") -> TextRow | None:
    return None if row is None else TextRow(row)


class TextResult:
    """The rows that a statement in plain text gave; what is not here is the result's own: `rowcount`, `keys()`, `scalar()` …"""

    def __init__(self, result: "CursorResult[Any]") -> None:
        self._result = result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def __iter__(self) -> Iterator[TextRow]:
        return map(TextRow, self._result)

    def fetchone(self) -> TextRow | None:
        return _row(self._result.fetchone())

    def fetchmany(self, size: int | None = None) -> list[TextRow]:
        return [TextRow(row) for row in self._result.fetchmany(size)]

    def fetchall(self) -> list[TextRow]:
        return [TextRow(row) for row in self._result.fetchall()]

    all = fetchall

    def first(self) -> TextRow | None:
        return _row(self._result.first())

    def one(self) -> TextRow:
        return TextRow(self._result.one())

    def one_or_none(self) -> TextRow | None:
        return _row(self._result.one_or_none())


class PlainTextSession(Session):
    """A session that takes SQL as plain text too, as services have always written it."""

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(statement, str):
            statement = sqlalchemy.text(statement)
        result = super().execute(statement, *args, **kwargs)
        # Others are the ORM's own, which it reads in ways of its own.
        return TextResult(cast("CursorResult[Any]", result)) if isinstance(statement, TextClause) else result

    def scalar(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return super().scalar(sqlalchemy.text(statement) if isinstance(statement, str) else statement, *args, **kwargs)
