"""Lists that can be long: pages, search and order."""

from typing import Any

import pytest

from zato.common.errors import InvalidOptions
from zato.server.admin.pages import listed

FRUIT = [
    {"id": 1, "name": "Pear", "weight": 170, "note": None, "is_ripe": False, "colours": ["green"]},
    {"id": 2, "name": "apple", "weight": 150.5, "note": "red", "is_ripe": False, "colours": ["red", "green"]},
    {"id": 3, "name": "Fig", "weight": 40.0, "note": "RED inside", "is_ripe": True, "colours": []},
]


def names(values: dict[str, Any]) -> list[str]:
    found = listed(FRUIT, values)
    return [each["name"] for each in (found if isinstance(found, list) else found["data"])]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, ["Pear", "apple", "Fig"]),
        ({"query": "red"}, ["apple", "Fig"]),
        ({"query": "nothing like it"}, []),
        ({"sort": "name"}, ["apple", "Fig", "Pear"]),
        ({"sort": "-name"}, ["Pear", "Fig", "apple"]),
        ({"sort": "weight"}, ["Fig", "apple", "Pear"]),
        ({"sort": "note"}, ["Pear", "apple", "Fig"]),
        ({"query": "red", "sort": "-weight"}, ["apple", "Fig"]),
        ({"filters": {}}, ["Pear", "apple", "Fig"]),
        ({"filters": {"name": "pear"}}, ["Pear"]),
        ({"filters": {"name": "*p*l*"}}, ["apple"]),
        ({"filters": {"name": "*p*"}, "query": "red"}, ["apple"]),
        ({"filters": {"name": "p"}}, []),
        ({"filters": {"name": "P.ar"}}, []),
        ({"filters": {"weight": 40}}, ["Fig"]),
        ({"filters": {"weight": "170"}}, ["Pear"]),
        ({"filters": {"note": ""}}, ["Pear"]),
        ({"filters": {"note": None}}, ["Pear"]),
        ({"filters": {"note": "*red*"}, "cur_page": 2, "page_size": 1}, ["Fig"]),
        ({"filters": {"is_ripe": True}}, ["Fig"]),
        ({"filters": {"is_ripe": "false"}}, ["Pear", "apple"]),
        ({"filters": {"colours": "Green"}}, ["Pear", "apple"]),
        ({"filters": {"colours": ""}}, ["Fig"]),
        ({"filters": {"colours": "green", "name": "apple"}}, ["apple"]),
        ({"cur_page": 2, "page_size": 2}, ["Fig"]),
        ({"cur_page": 9}, []),
        ({"paginate": False, "page_size": 1}, ["Pear", "apple", "Fig"]),
    ],
)
def test_a_list_has_what_was_asked_for_in_that_order(values: dict[str, Any], wanted: list[str]) -> None:
    assert names(values) == wanted


def test_a_page_says_where_it_is() -> None:
    assert isinstance(listed(FRUIT, {"paginate": False}), list)
    page = listed(FRUIT, {"paginate": True, "page_size": 2})
    assert page["_meta"] == {
        "cur_page": 1,
        "page_size": 2,
        "num_pages": 2,
        "total": 3,
        "has_prev_page": False,
        "has_next_page": True,
        "prev_page": None,
        "next_page": 2,
    }


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"cur_page": 0}, "cur_page"),
        ({"page_size": 1001}, "page_size"),
        ({"page_size": True}, "page_size"),
        ({"query": 5}, "query"),
        ({"paginate": "yes"}, "paginate"),
        ({"sort": "colour"}, "sort.*id, name, weight, note"),
        ({"sort": 5}, "sort"),
        ({"filters": {"colour": "red"}}, "filters.*id, name, weight, note"),
        ({"filters": {"name": ["a"]}}, "filters.*'name'"),
        ({"filters": "name=a"}, "filters"),
        ({"sort": "-"}, "sort"),
    ],
)
def test_what_is_no_page_is_refused_with_its_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOptions, match=named):
        listed(FRUIT, values)
