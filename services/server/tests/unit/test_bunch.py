"""The module that services import Bunch from."""

import copy
import json
import pickle

import pytest

from bunch import Bunch, bunchify, unbunchify


def test_keys_are_attributes() -> None:
    made = Bunch(a=1)
    made.b = 2
    made["c"] = 3
    del made.a
    assert (made, made.b, made["c"], made.get("x"), "b" in made) == ({"b": 2, "c": 3}, 2, 3, None, True)
    assert hasattr(made, "b") and not hasattr(made, "a")
    assert repr(made) == "Bunch(b=2, c=3)"
    with pytest.raises(AttributeError, match="no 'a'; there is: b, c"):
        _ = made.a
    with pytest.raises(AttributeError):
        del made.a


def test_what_dictionaries_have_remains_theirs() -> None:
    assert list(Bunch(items=1).items()) == [("items", 1)]


def test_dictionaries_become_bunches_at_any_depth_and_back() -> None:
    plain = {"a": {"b": [{"c": ({"d": 1},)}]}}
    made = bunchify(plain)
    assert made.a.b[0].c[0].d == Bunch.fromDict(plain).a.b[0].c[0].d == 1
    for back in (unbunchify(made), made.toDict()):
        assert back == plain
        assert type(back) is type(back["a"]) is type(back["a"]["b"][0]["c"][0]) is dict
    assert bunchify("text") == unbunchify("text") == "text"


def test_a_bunch_is_copied_pickled_and_dumped() -> None:
    made = bunchify({"a": {"b": 1}})
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (other, type(other), type(other.a)) == (made, Bunch, Bunch)
    assert made.copy().a is made.a
    assert made.toJSON() == json.dumps(made) == '{"a": {"b": 1}}'
