"""What breaks the conversation with the release before, and what does not."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BASE = """
syntax = "proto3";
package test.v1;
service Things { rpc Get(GetRequest) returns (GetResponse); rpc Watch(GetRequest) returns (stream GetResponse); }
enum State { UNKNOWN = 0; READY = 1; }
message GetRequest { string name = 1; int64 size = 2; oneof by { string id = 3; string path = 4; } }
message GetResponse { repeated string names = 1; State state = 2; message Inner { bool is_new = 1; } Inner inner = 3; }
"""


@pytest.fixture(scope="module")
def breaking() -> ModuleType:
    specification = importlib.util.spec_from_file_location("breaking", Path(__file__).parents[1] / "breaking.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["breaking"] = module
    specification.loader.exec_module(module)
    return module


def changes(breaking: ModuleType, folder: Path, after: str) -> list[str]:
    parsed = []
    for name, text in (("before", BASE), ("after", after)):
        (folder / name).mkdir()
        (folder / name / "test.proto").write_text(text)
        parsed.append(breaking.contracts_in(folder / name))
    found: list[str] = breaking.breaking_changes(*parsed)
    return found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rpc Get(GetRequest) returns (GetResponse);", "", "Things/Get: the method is gone"),
        ("(stream GetResponse)", "(GetResponse)", "Things/Watch: takes or answers something else"),
        ("service Things", "service Others", "Things: the service is gone"),
        ("int64 size = 2;", "", "GetRequest.size (2): the field is gone, reserve both"),
        ("int64 size = 2;", "reserved 2;", "GetRequest.size (2): the field is gone, reserve both"),
        ("int64 size = 2;", "string size = 2;", "GetRequest.size (2): is of another type now"),
        ("int64 size = 2;", "int64 length = 2;", "is called length now"),
        ("int64 size = 2;", "int64 size = 9;", "GetRequest.size (2): the field is gone"),
        ("repeated string names", "string names", "GetResponse.names (1): is of another type now"),
        ("string path = 4; }", "} string path = 4;", "GetRequest.path (4): is of another type now"),
        ("READY = 1;", "", "State.READY (1): the value is gone"),
        ("READY = 1;", "DONE = 1;", "is called DONE now"),
        ("bool is_new = 1;", "int32 is_new = 1;", "GetResponse.Inner.is_new (1): is of another type now"),
    ],
)
def test_what_breaks_is_named(breaking: ModuleType, tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in BASE
    found = changes(breaking, tmp_path, BASE.replace(old, new))
    assert [sentence for sentence in found if says in sentence], found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int64 size = 2;", "int64 size = 2; bytes more = 5;"),
        ("int64 size = 2;", 'reserved 2; reserved "size";'),
        ("READY = 1;", "READY = 1; GONE = 2;"),
        ("service Things {", "service Things { rpc Put(GetRequest) returns (GetResponse);"),
        ("message GetRequest", "message New {} message GetRequest"),
    ],
)
def test_what_is_added_or_reserved_breaks_nothing(breaking: ModuleType, tmp_path: Path, old: str, new: str) -> None:
    assert changes(breaking, tmp_path, BASE.replace(old, new)) == []


def test_a_number_that_was_reserved_is_not_used_again(breaking: ModuleType, tmp_path: Path) -> None:
    reserved = BASE.replace("int64 size = 2;", 'reserved 2; reserved "size";')
    for name, text in (("a", reserved), ("b", BASE.replace("size = 2", "length = 2"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.proto").write_text(text)
    found = breaking.breaking_changes(*(breaking.contracts_in(tmp_path / name) for name in ("a", "b")))
    assert found == ["test.v1.GetRequest.length: its number was reserved"]


def test_these_contracts_speak_to_the_last_release(breaking: ModuleType) -> None:
    released = breaking.FileDescriptorSet.FromString(breaking.RELEASED.read_bytes())
    assert len(released.file) >= 7
    assert breaking.breaking_changes(released, breaking.contracts_in(breaking.ROOT)) == []
