"""
Pages of lists that can be long, as 3.x published them: `cur_page`, `page_size` and `query` in, `_meta` out. And `sort`, the
name of what lists are ordered by, with "-" before it for the other way round; and `filters`, what single fields have to be.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zato.common.errors import InvalidOptions
from zato.server.describe.schemas import Schema, array, boolean, integer, nullable, record, text

PAGE_SIZE = 50
LARGEST_PAGE = 1000
# Whatever is beyond is asked for by a search.
_LAST_PAGE = 1_000_000
_MAX_QUERY_CHARACTERS = 200
SORT, FILTERS = "sort", "filters"
# What services that list take, as JSON Schema, and the page that they answer with.
TAKES: Mapping[str, Schema] = {
    "query": text("What each one has to contain, in whichever of its fields", maxLength=_MAX_QUERY_CHARACTERS),
    "paginate": boolean("Whether a page is wanted; it is when one of the next two is given"),
    "cur_page": integer("Which page, from 1 on", minimum=1, maximum=_LAST_PAGE),
    "page_size": integer("How many there are on a page", minimum=1, maximum=LARGEST_PAGE),
}
NAMES = frozenset(TAKES)
_META = record(
    {
        "cur_page": integer("Which page this is"),
        "page_size": integer("How many there are on a page"),
        "num_pages": integer("How many pages there are"),
        "total": integer("How many there are on all pages"),
        "has_prev_page": boolean("Whether there is a page before"),
        "has_next_page": boolean("Whether there is a page after"),
        "prev_page": nullable(integer("Which one; null when there is none")),
        "next_page": nullable(integer("Which one; null when there is none")),
    }
)


def sort_schema(names: Sequence[str]) -> Schema:
    """Return the schema of the input `sort`, of what has these names."""
    return text(
        "What they are ordered by; with - before it the other way round", enum=[*names, *(f"-{name}" for name in names)]
    )


def filters_schema(fields: Mapping[str, Schema]) -> Schema:
    """Return the schema of the input `filters`, of what has these fields."""
    wanted = {"type": ["string", "number", "boolean", "null"]}
    help = "What fields have to be, by their names: small and capital letters are the same, * stands for anything"
    return {"type": "object", "description": help, "properties": dict.fromkeys(fields, wanted), "additionalProperties": False}


def page_schema(item: Schema) -> Schema:
    """Return the schema of a page of such items."""
    return record({"data": array(item), "_meta": _META})


def listed_schema(item: Schema) -> Schema:
    """Return the schema of what `listed` returns: all of them, or a page for those who ask for one."""
    return {"anyOf": [array(item), page_schema(item)]}


def listed_takes(item: Schema) -> Schema:
    """Return the schema of what `listed` takes, of items that are all alike."""
    fields = item["properties"]
    takes = {**TAKES, SORT: sort_schema(list(fields)), FILTERS: filters_schema(fields)}
    return record(takes, optional=takes)


@dataclass(frozen=True, slots=True)
class Page:
    """
    Which part of a list is wanted.

    Args:
        number: From 1 on.
        query: What each item has to contain, in small letters; "" for anything.
    """

    number: int = 1
    size: int = PAGE_SIZE
    query: str = ""

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size

    def answer(self, items: Sequence[Any], total: int) -> dict[str, Any]:
        """Return what a service answers with. `items` are those of this page, `total` is how many match in all."""
        pages = max(1, -(-total // self.size))
        return {
            "data": list(items),
            "_meta": {
                "cur_page": self.number,
                "page_size": self.size,
                "num_pages": pages,
                "total": total,
                "has_prev_page": self.number > 1,
                "has_next_page": self.number < pages,
                "prev_page": self.number - 1 if self.number > 1 else None,
                "next_page": self.number + 1 if self.number < pages else None,
            },
        }

    def of(self, items: Sequence[Any]) -> dict[str, Any]:
        """The same from all that match."""
        return self.answer(items[self.start : self.start + self.size], len(items))


def listed(found: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Any:
    """
    Return a list as it was published, with what contains `query` and fits `filters`, ordered by `sort`; a page of it for those
    who ask for one.

    Raises:
        InvalidOptions: Names the input that does not fit.
    """
    page, paginates = read_page(values), values.get("paginate")
    if paginates is not None and not isinstance(paginates, bool):
        raise _wrong("paginate", "true or false")
    wanted = _filtered(found, values.get(FILTERS))
    if page.query:
        wanted = [each for each in wanted if page.query in "\n".join(map(str, each.values())).lower()]
    wanted = _sorted(wanted, values.get(SORT))
    asks = paginates if paginates is not None else not {"cur_page", "page_size"}.isdisjoint(values)
    return page.of(wanted) if asks else wanted


def _filtered(found: Sequence[Mapping[str, Any]], filters: object) -> Sequence[Mapping[str, Any]]:
    if filters is None or not found:
        return found
    if not isinstance(filters, Mapping) or not all(name in found[0] for name in filters):
        raise _wrong(FILTERS, f"values by the names of what is listed, of {', '.join(found[0])}")
    for name, value in filters.items():
        if value is not None and not isinstance(value, str | int | float):
            raise _wrong(FILTERS, f"a text, a number, true, false or null for '{name:.100}'")
        pattern = re.compile(".*".join(map(re.escape, _plain(value).split("*"))), re.DOTALL)
        found = [each for each in found if any(pattern.fullmatch(text) for text in _texts(each.get(name)))]
    return found


def _texts(value: Any) -> Iterable[str]:
    """Of a list one of its items has to fit; of an empty one, nothing."""
    return map(_plain, value or ("",)) if isinstance(value, list | tuple) else (_plain(value),)


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).lower()


def _sorted(found: Sequence[Mapping[str, Any]], by: object) -> Sequence[Mapping[str, Any]]:
    if by is None or by == "":
        return found
    name = by.removeprefix("-") if isinstance(by, str) else ""
    if not name or any(name not in each for each in found):
        known = ", ".join(found[0]) if found else "name"
        raise _wrong(SORT, f"the name of what is listed, one of {known}, with - before it for the other way round")
    # Numbers before texts, and what has no value first of all.
    return sorted(found, key=lambda each: _order(each[name]), reverse=str(by).startswith("-"))


def _order(value: Any) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value).lower())


def read_page(values: Mapping[str, Any]) -> Page:
    """Raises InvalidOptions for what is no page."""
    query = values.get("query") or ""
    if not isinstance(query, str) or len(query) > _MAX_QUERY_CHARACTERS:
        raise _wrong("query", f"a text of at most {_MAX_QUERY_CHARACTERS} characters")
    number, size = _number(values, "cur_page", 1, _LAST_PAGE), _number(values, "page_size", PAGE_SIZE, LARGEST_PAGE)
    return Page(number, size, query.lower())


def _number(values: Mapping[str, Any], name: str, default: int, largest: int) -> int:
    value = values.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise _wrong(name, f"a whole number from 1 to {largest}")
    return value


def _wrong(name: str, wanted: str) -> InvalidOptions:
    return InvalidOptions(f"'{name}' takes {wanted}", **{name: f"takes {wanted}"})
