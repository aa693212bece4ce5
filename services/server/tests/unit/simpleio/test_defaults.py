"""simple-io.conf: what SimpleIO takes for granted, as a server would have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import InvalidOptions
from zato.server.service import Dict, Service, Text
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.declaration import Declaration, read_declaration
from zato.server.services.simpleio.defaults import SimpleIODefaults, read_defaults
from zato.server.testing import Sandbox


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    yield
    defaults.use(SimpleIODefaults())


def use(folder: Path, text: str) -> None:
    (folder / "simple-io.conf").write_text(text)
    defaults.use(read_defaults(folder))


def declared(**attributes: Any) -> Declaration:
    made = read_declaration(type("Declares", (Service,), {"SimpleIO": type("SimpleIO", (), attributes)}), Service)
    assert made is not None
    return made


def kinds(*names: str) -> dict[str, str]:
    return {each.name: type(each).__name__ for each in declared(input_required=names).input.required}


def test_without_a_file_all_is_as_it_is_published(tmp_path: Path) -> None:
    assert read_defaults(tmp_path) == SimpleIODefaults()
    assert read_defaults(tmp_path / "nowhere") == SimpleIODefaults()
    ints = ("id", "a_id", "a_count", "a_size", "a_size_min", "a_size_max", "a_timeout")
    bools = ("by_a", "has_a", "is_a", "may_a", "needs_a", "should_a")
    texts = ("name", "ids", "password", "isa")
    found = kinds(*ints, *bools, *texts)
    assert [found[name] for name in ints] == ["IntByName"] * len(ints)
    assert [found[name] for name in bools] == ["BoolByName"] * len(bools)
    assert [found[name] for name in texts] == ["Untyped"] * len(texts)
    assert declared(output_required="a").response_elem == "response"


def test_lists_of_names_are_the_files(tmp_path: Path) -> None:
    use(
        tmp_path,
        """
        [int]
        exact = id, pin
        prefix = n_
        suffix = _number
        [bool]
        exact = active
        suffix = _flag
        prefix = is_
        [secret]
        exact = password, token
        """,
    )
    assert kinds("id", "pin", "n_lines", "a_number", "a_count") == {
        **dict.fromkeys(("id", "pin", "n_lines", "a_number"), "IntByName"),
        "a_count": "Untyped",
    }
    assert kinds("active", "a_flag", "is_a", "has_a") == {
        **dict.fromkeys(("active", "a_flag", "is_a"), "BoolByName"),
        "has_a": "Untyped",
    }
    assert kinds("password", "token", "secret") == {"password": "Secret", "token": "Secret", "secret": "Untyped"}


def test_what_a_section_does_not_name_stays(tmp_path: Path) -> None:
    use(tmp_path, "[int]\nexact = id, pin\n")
    assert kinds("pin", "a_count", "is_a") == {"pin": "IntByName", "a_count": "IntByName", "is_a": "BoolByName"}


def test_keys_of_objects_have_the_same_rules(tmp_path: Path) -> None:
    use(tmp_path, "[int]\nexact = pin\n")
    assert Dict("a", "pin").from_json({"pin": "7"}) == {"pin": 7}


def test_secrets_are_encrypted_by_their_names(tmp_path: Path) -> None:
    use(tmp_path, "[secret]\nexact = password\n")

    def handle(self: Any) -> None:
        assert self.request.input.password != "s3cret"
        self.response.payload = self.crypto.decrypt(self.request.input.password)

    service = type("Takes", (Service,), {"name": "takes", "input": "password", "handle": handle})
    assert Sandbox().invoke(service, {"password": "s3cret"}).response.payload == "s3cret"


def test_values_and_the_wrapper_may_be_others(tmp_path: Path) -> None:
    use(tmp_path, "[default]\ndefault_value = -\nresponse_elem = answer\n")
    made = declared(input_optional="a", output_required="b")
    assert (made.default_input, made.default_output, made.response_elem) == ("-", "-", "answer")
    own = declared(input_optional="a", output_required="b", default_value="own", response_elem="mine")
    assert (own.default_input, own.default_output, own.response_elem) == ("own", "own", "mine")
    use(tmp_path, "[default]\nresponse_elem = None\ndefault_input_value = None\ndefault_output_value = 0\n")
    made = declared(input_optional="a", output_required="b")
    assert (made.default_input, made.default_output, made.response_elem) == (None, "0", None)
    assert declared(input_optional="a", default_value="own").default_input == "own"


def test_the_wrapper_is_taken_off_whatever_it_is_called(tmp_path: Path) -> None:
    use(tmp_path, "[default]\nresponse_elem = answer\n")
    sandbox = Sandbox()
    io = type("SimpleIO", (), {"output_required": "a"})
    inner = {"name": "inner", "SimpleIO": io, "handle": lambda self: setattr(self.response.payload, "a", 1)}
    sandbox.deploy(type("Inner", (Service,), inner))

    def handle(self: Service) -> None:
        self.response.payload = [self.invoke("inner"), self.invoke("inner", skip_response_elem=True)]

    answers = sandbox.invoke(type("Outer", (Service,), {"name": "outer", "handle": handle})).response.payload
    assert answers == [{"answer": {"a": "1"}}, {"a": "1"}] or answers == [{"answer": {"a": 1}}, {"a": 1}]


def test_empty_keys_may_be_left_out_by_default(tmp_path: Path) -> None:
    use(tmp_path, "[default]\nskip_empty_keys = True\n")
    made = declared(input_optional="a", output_optional="b")
    assert (made.skip_input.is_for_all, made.skip_output.is_for_all) == (False, True)
    assert not declared(output_optional="b", skip_empty_keys=False).skip_output.is_for_all
    use(tmp_path, "[default]\nskip_empty_request_keys = True\nskip_empty_response_keys = False\n")
    made = declared(input_optional="a", output_optional="b")
    assert (made.skip_input.is_for_all, made.skip_output.is_for_all) == (True, False)


def test_bytes_become_text_in_the_files_encoding(tmp_path: Path) -> None:
    use(tmp_path, "[bytes_to_str]\nencoding = latin-1\n")
    assert Text("a").from_json(b"\xe9") == "é"
    assert Text("a", encoding="utf8").from_json("é".encode()) == "é"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[integers]\nexact = a", r"no section \[integers\]"),
        ("[int]\nexcat = a", r"no 'excat' in \[int\]"),
        ("[default]\nresponse = a", r"no 'response' in \[default\]"),
        ("[default]\nskip_empty_keys = perhaps", "'skip_empty_keys' in .* takes True or False"),
        ("[bytes_to_str]\nencoding = klingon", "klingon"),
        ("exact = a", "'exact' is in no section"),
        ("[int\nexact = a", "simple-io.conf"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InvalidOptions, match=what) as caught:
        use(tmp_path, text)
    assert "simple-io.conf" in caught.value.message
