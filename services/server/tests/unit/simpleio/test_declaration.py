"""Declarations that make no sense are refused when their file is deployed, with file, line and reason."""

import re
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from zato.server import service as s
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer
from zato.server.services.simpleio.binding import bind
from zato.server.services.simpleio.declaration import read_declaration
from zato.server.services.store import ServiceStore

HEAD = """\
from zato.server.service import *
from zato.server.service import Service
class S(Service):
    name = "s"
"""


@pytest.fixture
def deploy(tmp_path: Path) -> Any:
    """Deploy a service with these lines in its class, from line 5 on; return why that failed, "" if it did not."""

    def run(lines: str) -> str:
        source = HEAD + indent(dedent(lines), "    ") + "\n    def handle(self):\n        pass\n"
        [outcome] = Deployer(ServiceStore(), tmp_path).apply([Package("f.py", 1, source.encode())])
        return outcome.reason

    return run


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ("input = 'a'\ninput_required = 'b'", 5, "input: takes the place of input_required and input_optional"),
        ("class SimpleIO:\n  output_optional = 'b'\n  output = 'a'", 7, "output: takes the place of"),
        ("input = 'a'\nclass SimpleIO:\n  output = 'b'", 5, "input: is beside a SimpleIO class"),
        (
            "class SimpleIO:\n  input = 'a'\n  skip_empty_keys = True\n  class SkipEmpty:\n    output = True",
            7,
            "class SkipEmpty",
        ),
        ("class SimpleIO:\n  input = 'a'\n  class CSV:\n    delimiter = ';'\n  csv_delimiter = ','", 9, "class CSV"),
        ("class SimpleIO:\n  input = 'a'\n  class XML:\n    namespace = 'x'\n  xml_namespace = 'x'", 9, "class XML"),
        ("class SimpleIO:\n  input = 'a'\n  csv_delimiter = 'two'", 7, "not acceptable"),
        ("class SimpleIO:\n  input = 'a'\n  csv_delimeter = ';'", 7, "not acceptable"),
        ("class SimpleIO:\n  input = 'a'\n  csv_dialect = 'none-such'", 7, "not acceptable"),
        ("class SimpleIO:\n  input = 'a'\n  xml_color = 'red'", 7, "no such option"),
        ("class SimpleIO:\n  input = 'a'\n  xml_encoding = 'none-such'", 7, "none-such"),
        ("class SimpleIO:\n  input_requird = 'a'", 6, "did you mean 'input_required'?"),
        ("class SimpleIO:\n  outputs = 'a'", 6, "did you mean 'output'?"),
        ("class SimpleIO:\n  input = 'a', 5", 6, "5 is no element"),
        ("input = 5", 5, "5 is no element"),
        ("input = {'a': 1}", 5, "is no element"),
        ("input = 'a', int", 5, "int is no element"),
        ("input = AsIs", 5, "write|AsIs\\('customer'\\)"),
        ("input = 'a, b'", 5, "several are written as a tuple"),
        ("input = 'a ', ", 5, "no element's name"),
        ("input = ('a', ('b', 'c'))", 5, "is no element"),
        ("input = ('a', '')", 5, "takes a name"),
        ("input = '-'", 5, "takes a name"),
        ("input_required = '-a'", 5, "says optional"),
        ("input = Int('a', default='x')", 5, "takes an integer, which its default 'x' is not"),
        ("input = Bool('a', default='perhaps')", 5, "takes true or false"),
        ("output = DictList('a', default=7)\ninput = Date('-b', default='someday')", 6, "takes a date"),
        ("output = 'a'\nresponse_elem = 7", 6, "takes a name, or None"),
        ("output = 'a'\nskip_empty_keys = 7", 6, "takes True, or names"),
        ("output = 'a'\nskip_empty_keys = ('a', 7)", 6, "takes True, or names"),
        # Python itself says where these are.
        ("input = Int()", 5, "name"),
        ("input = Int('a', defualt=7)", 5, "takes a name and a default, not also defualt"),
        ("input = Int('a', 'b')", 5, "takes a name and a default, not also 'b'"),
        ("input = Text('a', encoding='none-such')", 5, "none-such"),
        ("input = Dict('a', 7)", 5, "7 is no element"),
        ("input = Int(7)", 5, "takes a name, not 7"),
    ],
)
def test_what_makes_no_sense_is_refused(deploy: Any, lines: str, line: int, reason: str) -> None:
    why = deploy(lines)
    assert why.startswith(f"f.py, line {line}: "), why
    assert re.search(reason, why), why


@pytest.mark.parametrize(
    "lines",
    [
        "class SimpleIO:\n  pass",
        "class SimpleIO(object):\n  input_required = ()\n  output_required = ''",
        "class SimpleIO:\n  input = None\n  version = 7\n  helper = len",
        "class SimpleIO:\n  input = 'a'\n  encrypt_secrets = False\n  allow_empty_required = True\n  output_elem = None",
        "SimpleIO = None",
        "input = None",
        "output = {}",
        "input = []\nclass SimpleIO:\n  output = 'a'",
        "def input(self): pass",
        "def output(self): pass",
        "@property\ndef input(self): pass",
        "@staticmethod\ndef output(self): pass",
        "class SimpleIO:\n  input_required = ('a', 'a', 'b')",
        "class SimpleIO:\n  input = 'a'\n  skip_empty_keys = ['a']\n  force_empty_keys = 'b'",
        "class SimpleIO:\n  input = 'first-name', '@type', 'x.y', 'zażółć'",
        "input = Opaque('a', 'b', 'c')",
        "input = Int('a', default=None), Date('b', default='')",
    ],
)
def test_what_makes_sense_or_is_none_of_ours_is_not(deploy: Any, lines: str) -> None:
    assert deploy(lines) == ""


def test_the_running_version_goes_on_when_the_new_one_is_refused(tmp_path: Path) -> None:
    store = ServiceStore()
    deployer = Deployer(store, tmp_path)

    def deploy(version: int, lines: str) -> Any:
        source = f"{HEAD}    {lines}\n    def handle(self): pass\n"
        return deployer.apply([Package("f.py", version, source.encode())])[0]

    assert deploy(1, "input = 'a'").is_ok
    outcome = deploy(2, "input = 7")
    assert (outcome.version_running, store.get("s").version) == (1, 1)


def test_a_models_field_of_an_impossible_type_is_refused(deploy: Any) -> None:
    lines = "@dataclass(init=False)\nclass Req(Model):\n  a: 'NoSuchName'\ninput = Req"
    assert "f.py, line 8: class S: input: model Req: name 'NoSuchName' is not defined" in deploy(lines)


def test_a_class_that_declares_nothing_costs_nothing() -> None:
    class Nothing(s.Service):
        class SimpleIO:
            response_elem = "x"

        def handle(self) -> None:
            pass

    assert bind(Nothing, s.Service) is None
    assert bind(s.Service, s.Service) is None


def test_a_set_has_the_same_order_everywhere() -> None:
    class Sets(s.Service):
        input = {"c", s.Int("a"), "-b"}  # noqa: RUF012 (services are written like this)

    declared = read_declaration(Sets, s.Service)
    assert declared is not None
    assert [element.name for element in declared.input.elements] == ["a", "c", "b"]


def test_elements_are_equal_by_name() -> None:
    assert s.Int("a") == s.Text("a") == "a"
    assert s.Int("a") != s.Int("b")
    assert s.Int("a") in {s.Text("-a")}
    assert s.Int("a") != 7
    assert repr(s.Int("a")) == "Int('a')"


def test_both_generations_have_their_names() -> None:
    pairs = [(s.Bool, s.Boolean), (s.Int, s.Integer), (s.DictList, s.ListOfDicts), (s.Opaque, s.Nested), (s.Text, s.Unicode)]
    assert all(new is old for new, old in pairs)
    assert all(
        issubclass(getattr(s, name), s.ForceType) for name in ("AsIs", "CSV", "UTC", "UUID", "Secret", "Decimal", "Date")
    )
